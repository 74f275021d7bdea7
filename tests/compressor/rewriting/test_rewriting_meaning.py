"""Random programs are rewritten, compiled and run: they must do what they did.

Every call adds to a trace, so that the order of effects shows; loops end when fuel does.
"""

from __future__ import annotations

import gc
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from codewren.rewriting import (
    Code,
    exchanges,
    read_code,
    reordered,
    rewritten,
    swaps,
    with_other_loops,
)
from codewren.source import Language

PROGRAMS = 150
INPUTS = ((0, 0), (1, 5), (7, -3), (-40, 2))

C_HEAD = """\
#include <stdio.h>
static int fuel, trace;
static int tick(void) { return fuel-- > 0; }
static int note(int x) { trace = trace * 31 + x; return x & 7; }
#define SKIP_IF(c) if (c) continue
#define NOTE(x) note(x)
#define RUN(f) do { for (int k = 0; k < 4; k++) { fuel = 60; trace = 0; \\
    int r = f(in[k][0], in[k][1]); printf("%s %d %d\\n", #f, r, trace); } } while (0)
static const int in[4][2] = {{0, 0}, {1, 5}, {7, -3}, {-40, 2}};
"""
JAVA_HEAD = """\
public class Programs {
    static int fuel, trace, field = 3;
    static boolean tick() { return fuel-- > 0; }
    static int note(int x) { trace = trace * 31 + x; return x & 7; }
"""


class Writer:
    """One random function of C or Java."""

    def __init__(self, seed: int, language: Language) -> None:
        self.rng = Random(f"{language} {seed}")
        self.java = language is Language.JAVA
        self.seed, self.fresh = seed, 0

    def function(self) -> str:
        scope = ["a", "b", "n"]
        head = f"static int f{self.seed}(int n, int m) {{\n    int a = 1; int b = 2;\n"
        if not self.java:
            head += "    int d = m, t[4] = {0}; int *p = &d;\n"
        body = self.block([*scope, "m"], 0, "")
        tail = "" if self.java else "out:\n    note(d + t[1]);\n"
        return f"{head}{body}{tail}    return a * 3 + b * 5 + n * 7 + m;\n}}\n"

    def pick(self, *ways: str) -> str:
        return self.rng.choice(ways)

    def name(self) -> str:
        self.fresh += 1
        return f"v{self.fresh}"

    def value(self, scope: list[str], depth: int = 0) -> str:
        draw = self.rng.random()
        if draw < 0.35 or depth > 2:
            return self.rng.choice(scope)
        if draw < 0.6:
            return str(self.rng.randrange(9))
        one, other = self.value(scope, depth + 1), self.value(scope, depth + 1)
        memory = f"note({one})" if self.java else self.pick("*p", f"t[{one} & 3]", f"NOTE({one})")
        return self.pick(
            f"({one} {self.pick('+', '-', '*', '&', '|', '^')} {other})", f"({one} / 3)",
            f"({one} % 7)", f"(~{one})", f"({one} < {other} ? {other} : {one})", memory,
        )  # fmt: skip

    def test(self, scope: list[str]) -> str:
        return f"{self.value(scope)} {self.pick('<', '>', '!=', '==')} {self.value(scope)}"

    def assignment(self, scope: list[str]) -> str:
        to, value = self.rng.choice(scope), self.value(scope)
        return self.pick(
            f"{to} = {value}", f"{to} = {value}", f"{to} {self.pick('+', '-', '^')}= {value}",
            f"{to}++", f"--{to}",
        )  # fmt: skip

    def block(self, scope: list[str], depth: int, loop: str, *, small: bool = False) -> str:
        """Statements; `scope` is copied, and in C a block may hide what is outside."""
        scope, own, lines = list(scope), set[str](), []
        for _ in range(self.rng.randrange(1, 4 if small else 7)):
            draw = self.rng.random()
            if draw < 0.45:
                lines += [f"{self.assignment(scope)};" for _ in range(self.rng.randrange(1, 4))]
            elif draw < 0.6:
                lines += self.declarations(scope, own, depth)
            elif draw < 0.65:
                lines.append(f"note({self.value(scope)});")
            elif draw < 0.72 and depth < 3:
                lines.append(self.branch(scope, depth, loop))
            elif draw < 0.84 and depth < 3:
                lines.append(self.loop(scope, depth))
            else:
                lines.append(self.odd(scope, loop))
        pad = "    " * (depth + 1)
        return "".join(f"{pad}{line}\n" for line in lines)

    def declarations(self, scope: list[str], own: set[str], depth: int) -> list[str]:
        lines = []
        for _ in range(self.rng.randrange(1, 4)):
            hides = not self.java and depth > 0 and self.rng.random() < 0.4
            name = self.pick("a", "b", "n") if hides else self.name()
            if name not in own:
                own.add(name)
                value = self.value([each for each in scope if each != name])
                lines.append(f"int {name} = {value};")
                scope.append(name)
        return lines

    def branch(self, scope: list[str], depth: int, loop: str) -> str:
        pad = "    " * (depth + 1)
        inner = [self.block(scope, depth + 1, loop, small=True) for _ in range(2)]
        head = f"if ({self.test(scope)}) {{\n{inner[0]}{pad}}}"
        if self.rng.random() < 0.3:
            return f"if ({self.test(scope)}) {self.assignment(scope)};"
        return head if self.rng.random() < 0.5 else f"{head} else {{\n{inner[1]}{pad}}}"

    def loop(self, scope: list[str], depth: int) -> str:
        pad, label = "    " * (depth + 1), ""
        if self.rng.random() < 0.15:
            label = f"l{self.name()}"
        inner, start = list(scope), self.pick("", self.assignment(scope))
        if start and self.rng.random() < 0.4:
            start += ", " + self.assignment(scope)
        elif self.rng.random() < 0.5:
            name, second = self.name(), self.name()
            start = f"int {name} = {self.value(scope)}, {second} = {name}"
            inner += [name, second]
        endless = self.rng.random() < 0.2
        test = "" if endless else f"tick() && {self.test(inner)}"
        steps = [self.assignment(inner) for _ in range(self.rng.randrange(3))]
        body = self.body(inner, depth, label or "loop", guarded=endless)
        head = self.pick(
            f"for ({start}; {test}; {', '.join(steps)})", f"while ({test or 'tick()'})"
        )
        if head.startswith("while"):
            body = self.body(scope, depth, label or "loop", guarded=False)
            head = f"while (tick() && {self.test(scope)})"
        before = f"{label}: " if label else ""
        if self.rng.random() < 0.15 and not endless:
            return f"{before}{head}\n{pad}    {self.assignment(scope)};"
        return f"{before}{head} {{\n{body}{pad}}}"

    def body(self, scope: list[str], depth: int, loop: str, *, guarded: bool) -> str:
        pad = "    " * (depth + 2)
        guard = f"{pad}if (!tick()) break;\n" if guarded else ""
        ends = self.rng.random()
        last = "break;" if ends < 0.08 else f"return {self.value(scope)};" if ends < 0.12 else ""
        if 0.12 <= ends < 0.3:
            last = f"if ({self.test(scope)}) {{ break; }} else {{ continue; }}"
        return guard + self.block(scope, depth + 1, loop) + (f"{pad}{last}\n" if last else "")

    def odd(self, scope: list[str], loop: str) -> str:
        test, value, to = self.test(scope), self.value(scope), self.rng.choice(scope)
        ways = [f"if ({test}) return {value};"]
        if loop:
            ways += [f"if ({test}) continue;", f"if ({test}) break;", f"if ({test}) continue;"]
            ways.append(f"switch ({value}) {{ case 1: a = 2; b = 3; continue; default: n = 1; }}")
        if self.java:
            x, y = self.rng.choice(scope), self.rng.choice(scope)
            box = self.name()
            ways += [
                f"try {{ {x} = {value} / ({to} & 1); {y} = 3; a = m; }} "
                f"catch (ArithmeticException {self.name()}) {{ note({x} + {y} + a); }}",
                f"Integer {box} = {test} ? null : 4; try {{ {x} = 1; {y} = {box}; b = 2; }} "
                f"catch (NullPointerException {self.name()}) {{ note({x} + b); }}",
                "field++;",
            ]
            if loop not in ("", "loop"):
                ways += [f"if ({test}) continue {loop};", f"if ({test}) break {loop};"] * 2
        else:
            ways += [f"*p = {value};", f"t[{value} & 3] = {to};", f"if ({test}) goto out;"]
            ways += [f"{to} = ({{ a = {value}; b = 2; }});", f"{to} = *p; d = 3;"]
            ways += [f"SKIP_IF({test});"] if loop else []
        return self.rng.choice(ways)


def rewrite(code: Code, rng: Random) -> str:
    """Both kinds of change, several times over."""
    text, language = code.text, code.language
    for change in (reordered, with_other_loops) * 2:
        again = read_code(text, language)
        assert again is not None, text
        text = change(again, rng)
    return text


def programs(language: Language) -> dict[str, list[str]]:
    """Texts by name: the original, some rewritings, a whole copy."""
    made: dict[str, list[str]] = {}
    for seed in range(PROGRAMS):
        text = Writer(seed, language).function()
        code = read_code(text, language)
        assert code is not None, text
        variants = [rewrite(code, Random(f"{seed} {i}")) for i in range(3)]
        variants.append(rewritten(text, ["width", "count", "left"], Random(seed), language))
        made[f"f{seed}"] = [
            re.sub(rf"\bf{seed}\(", f"f{seed}_{i}(", each)
            for i, each in enumerate([text, *variants])
        ]
    return made


def agrees(made: dict[str, list[str]], out: str) -> None:
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        name, result = line.split(" ", 1)
        found.setdefault(name, []).append(result)
    assert len(found) == sum(map(len, made.values()))
    for name, texts in made.items():
        for i, text in enumerate(texts):
            assert found[f"{name}_{i}"] == found[f"{name}_0"], f"{texts[0]}\n{text}"
    changed = sum(
        re.sub(r"f\d+_\d+", "", text) != re.sub(r"f\d+_\d+", "", texts[0])
        for texts in made.values()
        for text in texts[1:4]
    )
    assert changed > 1.8 * PROGRAMS


def output(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return done.stdout


def test_random_programs_of_c_do_what_they_did(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("NO C COMPILER: rewritten programs were not run")
    made = programs(Language.C)
    texts = [text for texts in made.values() for text in texts]
    runs = "".join(f"    RUN({name}_{i});\n" for name in made for i in range(len(made[name])))
    source, program = tmp_path / "programs.c", tmp_path / "programs"
    source.write_text(C_HEAD + "".join(texts) + f"int main(void) {{\n{runs}    return 0;\n}}\n")
    output(compiler, "-w", "-O0", "-fwrapv", "-std=gnu11", source, "-o", program)
    agrees(made, output(program))


def test_random_programs_of_java_do_what_they_did(tmp_path: Path) -> None:
    compiler, machine = shutil.which("javac"), shutil.which("java")
    if compiler is None or machine is None:
        pytest.skip("NO JDK: rewritten programs were not run")
    made = programs(Language.JAVA)
    runs = "".join(
        f"    static void run_{name}_{i}() {{ for (int[] in : IN) {{\n"
        f"        fuel = 60; trace = 0; field = 3;\n"
        f"        int r = {name}_{i}(in[0], in[1]);\n"
        f'        System.out.println("{name}_{i} " + r + " " + trace + " " + field); }} }}\n'
        for name in made
        for i in range(len(made[name]))
    )
    calls = "".join(f"run_{name}_{i}(); " for name in made for i in range(len(made[name])))
    inputs = ", ".join(f"{{{a}, {b}}}" for a, b in INPUTS)
    source = tmp_path / "Programs.java"
    source.write_text(
        f"{JAVA_HEAD}    static final int[][] IN = {{{inputs}}};\n"
        + "".join(text for texts in made.values() for text in texts)
        + runs
        + f"    public static void main(String[] a) {{ {calls} }}\n}}\n"
    )
    output(compiler, "-nowarn", "-d", tmp_path, source)
    agrees(made, output(machine, "-cp", tmp_path, "Programs"))


def python_function(rng: Random) -> str:
    """Assignments of literals, objects that tell when they go, loops, closures, handlers."""
    values = (
        "1",
        "-2.5",
        "'s'",
        "None",
        "True",
        "[1, (2, 3)]",
        "{}",
        "Loud()",
        "x",
        "n",
        "undefined",
    )
    lines, pad = ["def f(n):"], "    "
    for _ in range(rng.randrange(4, 14)):
        lines.append(f"{pad}{rng.choice('xyzw')} = {rng.choice(values)}")
        draw = rng.random()
        if draw < 0.15 and len(pad) < 16:
            lines.append(pad + rng.choice(("for i in range(3):", "if n:", "while Loud.tick():")))
            pad += "    "
            lines.append(f"{pad}{rng.choice('xyzw')} = {rng.choice(values)}")
        elif draw < 0.25:
            lines.append(f"{pad}def g(): return {rng.choice('xyzw')}")
        elif draw < 0.3:
            pad = pad[4:] if len(pad) > 4 else pad
    return "\n".join([*lines, "    return [x, y, z, w]", ""])


def behaviour(text: str) -> list[object]:
    log: list[object] = []

    class Loud:
        def __init__(self) -> None:
            self.number = len(log)

        def __del__(self) -> None:
            log.append(f"gone {self.number}")

        def __repr__(self) -> str:
            return "Loud"

        @staticmethod
        def tick() -> bool:
            log.append("tick")
            return log.count("tick") < 9

    space: dict[str, Callable[[int], object]] = {"Loud": Loud}  # type: ignore[dict-item]
    exec(compile(text, "text", "exec"), space)
    for number in (0, 1):
        try:
            log.append(repr(space["f"](number)))
        except NameError as error:
            log.append(str(error))
    return log


def test_random_functions_of_python_do_what_they_did() -> None:
    gc.disable()
    try:
        changed = 0
        for seed in range(600):
            text = python_function(Random(seed))
            code = read_code(text, Language.PYTHON)
            assert code is not None
            after = reordered(code, Random(seed))
            assert behaviour(after) == behaviour(text), f"{text}\n{after}"
            assert (after != text) == bool(swaps(code))
            assert not exchanges(code)
            changed += after != text
        assert changed > 100
    finally:
        gc.enable()
