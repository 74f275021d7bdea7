"""`for` becomes `while`, and back, in C and Java; no loop of Python has both forms.

A step moves to the end of the body. So no round may `continue`, a body that declares what the step
names is put in braces of its own, and in Java the body's end must be one that can be reached. What
begins a `for` comes before the `while`, in braces with it where it declares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from codewren.rewriting.c import may_be_statements
from codewren.rewriting.parsing import Place, parsed, with_some
from codewren.rewriting.reachability import surely_completes
from codewren.rewriting.renaming import Code
from codewren.rewriting.reserved import looks_like_macro
from codewren.rewriting.scalars import is_plain, plain_declarator
from codewren.rewriting.syntax import COMMENTS, WORD, Edit, inside, text_of
from codewren.source import Language

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["exchanges", "with_other_loops"]

_BLOCKS = frozenset({"compound_statement", "block", "constructor_body"})
_LOOPS = frozenset({"for_statement", "while_statement", "do_statement", "enhanced_for_statement"})
_LABELS = frozenset({"labeled_statement", "attributed_statement"})
_EXPRESSIONS = frozenset({"parenthesized_expression", "argument_list"})  # of GNU C with statements
_DIRECTIVES = frozenset({"preproc_include", "preproc_call", "preproc_def", "preproc_function_def"})
_MACROS = frozenset({"macro_type_specifier", "function_definition"})  # as `MACRO(x) {…}` reads
_ODD_IN_HEADS = frozenset(
    {
        "compound_statement", "block", "class_body", "switch_block", "lambda_expression",
        "instanceof_expression",  # which may declare what is used after the loop
        *COMMENTS,
    }
)  # fmt: skip


def with_other_loops(code: Code, rng: Random) -> str:
    """Some loops in the other form."""
    return with_some(code.text, code.language, exchanges(code), rng)


def exchanges(code: Code) -> list[Place]:
    """Every loop that may take the other form."""
    source = code.text.encode()
    tree = parsed(source, code.language)
    if tree is None or code.language is Language.PYTHON:
        return []
    closed = _EXPRESSIONS if code.language is Language.C else frozenset()
    found: list[Place] = []
    for node in inside(tree.root_node, closed):
        edits = _to_for(node) if node.type == "while_statement" else None
        if node.type == "for_statement":
            loop = _For.of(node, source, code.language)
            edits = loop.edits() if loop.is_while() else None
        if edits:
            found.append(((node.start_byte, node.end_byte), edits))
    return found


def _to_for(node: Node) -> list[Edit] | None:
    word, condition = node.children[0], node.child_by_field_name("condition")
    if condition is None or condition.type != "parenthesized_expression" or _may_end_a_do(node):
        return None
    start, end = condition.start_byte + 1, condition.end_byte - 1
    return [(word.start_byte, word.end_byte, b"for"), (start, start, b"; "), (end, end, b"; ")]


def _may_end_a_do(node: Node) -> bool:
    """Whether `while (…);` stands behind a brace that a macro may have opened with `do`."""
    body, before = node.child_by_field_name("body"), _before(node)
    empty = body is not None and text_of(body).lstrip().startswith(";")
    return empty and before is not None and text_of(before).endswith("}")


def _before(node: Node) -> Node | None:
    before = node.prev_named_sibling
    while before is not None and before.type in COMMENTS:
        before = before.prev_named_sibling
    return before


@dataclass(frozen=True, slots=True)
class _For:
    """A `for` in parts."""

    node: Node
    starts: list[Node]
    condition: Node | None
    steps: list[Node]
    body: Node
    source: bytes
    language: Language

    @classmethod
    def of(cls, node: Node, source: bytes, language: Language) -> _For:
        field = "init" if language is Language.JAVA else "initializer"
        starts, steps = (node.children_by_field_name(name) for name in (field, "update"))
        body = node.child_by_field_name("body")
        assert body is not None
        condition = node.child_by_field_name("condition")
        return cls(node, starts, condition, steps, body, source, language)

    def is_while(self) -> bool:
        """Whether it means what `edits` make of it."""
        heads = [*self.starts, *self.steps, *([self.condition] if self.condition else [])]
        odd = any(part.type in _ODD_IN_HEADS for head in heads for part in inside(head))
        if odd or self._is_wanted() or any(c.type in COMMENTS for c in self.node.children):
            return False
        if not self.steps:
            return True
        if self.language is Language.JAVA and not surely_completes(self.body):
            return False
        return not any(map(_may_continue, _of_a_round(self.body)))

    def _is_wanted(self) -> bool:
        """Whether a label, or what may hold a pragma for loops, stands before it."""
        parent, before = self.node.parent, _before(self.node)
        labelled = parent is None or parent.type in _LABELS
        return labelled or (before is not None and before.type.startswith("preproc_"))

    def edits(self) -> list[Edit]:
        """What makes a `while` of it."""
        gap = self._gap(self.node.start_byte)
        declares = any(start.type.endswith("declaration") for start in self.starts)
        parent = self.node.parent
        alone = parent is None or parent.type not in _BLOCKS
        braces = bool(self.starts) and (declares or alone)
        always = "true" if self.language is Language.JAVA else "1"
        condition = text_of(self.condition) if self.condition else always
        before = [*(["{"] if braces else []), *map(_statement, self.starts)]
        head = gap.join([*before, f"while ({condition})"])
        close = [child for child in self.node.children if child.type == ")"][-1]
        header = (self.node.start_byte, close.end_byte, head.encode())
        return [header, *self._body(gap + "}" if braces else "")]

    def _body(self, tail: str) -> list[Edit]:
        """The step at the end of the body; `tail` comes after both."""
        start, end = self.body.start_byte, self.body.end_byte
        steps = list(map(_statement, self.steps))
        if steps and not self._takes_steps():
            return [
                (start, start, b"{ "),
                (end, end, " ".join(["", *steps, "}"]).encode() + tail.encode()),
            ]
        edits = [(end, end, tail.encode())]
        if steps:
            gap = self._gap(end - 1)
            unit = "" if gap == " " else "\t" if "\t" in gap else "    "
            new = "".join(unit + step + gap for step in steps)
            edits.append((end - 1, end - 1, new.encode()))
        return edits

    def _takes_steps(self) -> bool:
        """Whether the steps mean the same within the body's own braces."""
        if self.body.type not in _BLOCKS or self.body.children[-1].type != "}":
            return False
        words = {word for step in self.steps for word in WORD.findall(text_of(step))}
        return all(_hides_nothing(child, words) for child in self.body.named_children)

    def _gap(self, at: int) -> str:
        """What parts a statement from one that is put before it: the line's indentation too."""
        line = self.source[self.source.rfind(b"\n", 0, at) + 1 : at]
        return " " if line.strip() else "\n" + line.decode()


def _statement(node: Node) -> str:
    return text_of(node).removesuffix(";") + ";"


def _hides_nothing(child: Node, words: set[str]) -> bool:
    """Whether a body's child declares none of `words`, nor what its end would clean up."""
    if child.type == "local_variable_declaration":
        names = [d.child_by_field_name("name") for d in child.children_by_field_name("declarator")]
    elif child.type == "declaration":
        found = [plain_declarator(d) for d in child.children_by_field_name("declarator")]
        plain = bool(found) and all(is_plain(child, pointer=pointer) for _, pointer in found)
        names = [name for name, _ in found] if plain else [None]
    else:
        return child.type.endswith("_statement") or child.type in COMMENTS | _BLOCKS
    return all(name is not None and text_of(name) not in words for name in names)


def _of_a_round(body: Node) -> Iterator[Node]:
    """All of a body but the bodies of loops in it, whose `continue` is theirs."""
    stack = [body]
    while stack:
        node = stack.pop()
        yield node
        own = node.child_by_field_name("body") if node.type in _LOOPS else None
        stack += [child for child in node.children if child != own]


def _may_continue(node: Node) -> bool:
    """Whether a node is a `continue`, or a macro or a directive that may hold one."""
    if node.type == "continue_statement" or node.type in _MACROS | _DIRECTIVES:
        return True
    if node.type == "call_expression":
        function = node.child_by_field_name("function")
        return function is not None and may_be_statements(text_of(function))
    if node.type == "expression_statement" and node.named_children:
        only = node.named_children[0]
        return only.type == "identifier" and looks_like_macro(text_of(only))
    return False
