"""What every rewrite is given: the dice, fresh names, and what is safe in this function."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from codewren.demo.names import FunctionNode, identifiers, nodes

__all__ = ["Context", "ExpressionRule", "SequenceRule", "StatementRule", "exits", "load", "negated"]

_OBSERVERS = (
    ast.Try,
    ast.TryStar,
    ast.With,
    ast.AsyncWith,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ClassDef,
    ast.Global,
    ast.Nonlocal,
)


@dataclass(slots=True)
class Context:
    """One function under rewriting.

    `simple`: nothing can observe a local between two statements (no handlers, closures,
    global declarations). `sure`: parameters that are certainly bound wherever they are read.
    `private`: loop names of a comprehension that occur nowhere else in the function.
    """

    rng: Random
    strength: float
    taken: set[str]
    simple: bool
    sure: frozenset[str]
    private: frozenset[str]
    invented: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, function: FunctionNode, rng: Random, strength: float) -> Context:
        """Look the function over once, before any rewrite."""
        parts = nodes(function)
        simple = not any(isinstance(part, _OBSERVERS) for part in parts[1:])
        deletes = any(isinstance(part, ast.Delete) for part in parts)
        parameters = {part.arg for part in parts if isinstance(part, ast.arg)}
        sure = frozenset(parameters if simple and not deletes else ())
        counts = Counter(identifiers(parts))
        return cls(rng, strength, set(counts), simple, sure, _private_names(parts, counts))

    def chance(self) -> bool:
        """Shall this place be rewritten?"""
        return self.rng.random() < self.strength

    def fresh(self) -> str:
        """A name that occurs nowhere in the function; renaming gives it its final form."""
        number = len(self.invented)
        while (name := f"fresh_{number}") in self.taken:
            number += 1
        self.taken.add(name)
        self.invented.append(name)
        return name


def _private_names(parts: Sequence[ast.AST], counts: Counter[str]) -> frozenset[str]:
    found: set[str] = set()
    for part in parts:
        if isinstance(part, ast.ListComp | ast.DictComp):
            inside = Counter(identifiers(nodes(part)))
            targets = (n for generator in part.generators for n in nodes(generator.target))
            bound = {
                n.id for n in targets if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
            found |= {name for name in bound if inside[name] == counts[name]}
    return frozenset(found)


ExpressionRule = Callable[[ast.expr, Context], ast.expr | None]
StatementRule = Callable[[ast.stmt, Context], list[ast.stmt] | None]
SequenceRule = Callable[[list[ast.stmt], Context], list[ast.stmt] | None]

_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def load(name: str) -> ast.Name:
    """The name, read."""
    return ast.Name(name, ast.Load())


def negated(test: ast.expr) -> ast.expr:
    """The opposite of a test, where only its truth counts.

    Orderings and equalities are left whole under a `not`: a class may define `==` and
    `!=`, or `<` and `>=`, so that they are no opposites. Membership and identity are.
    """
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.Compare(left=left, ops=[op], comparators=comparators) if type(op) in _OPPOSITE:
            return ast.Compare(left, [_OPPOSITE[type(op)]()], comparators)
    return ast.UnaryOp(ast.Not(), test)


def exits(body: list[ast.stmt]) -> bool:
    """Does control surely leave at the end of this block?"""
    return isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)
