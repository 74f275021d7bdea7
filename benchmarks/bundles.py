"""What the benchmarks of the runtime share: a bundle of random weights, texts, memory.

    python benchmarks/bundles.py FILE
    python benchmarks/bundles.py FOLDER VOCABULARY HIDDEN LAYERS HEADS INTERMEDIATE LENGTH

writes such a bundle, or a model of that shape as transformers keeps it: what makes one weighs a
gigabyte, which a process whose memory is measured must not carry.
"""

from __future__ import annotations

import random
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["library", "random_bundle", "random_checkpoint", "resident", "snippets"]

# About 1.5 MB at 8 bits; random weights change neither bytes nor time.
SHAPE = (2_000, 192, 3, 2, 384, 400)


def library(characters: int = 3_000_000) -> str:
    """Source text of this Python's standard library."""
    text, folder = "", Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(folder.glob("*.py")):
        text += path.read_text(encoding="utf-8", errors="replace")
        if len(text) > characters:
            break
    return text


def random_bundle(path: Path) -> Path:
    """Write a bundle of random weights for single texts, in a process of its own."""
    subprocess.run([sys.executable, __file__, str(path)], check=True)
    return path


def random_checkpoint(path: Path, shape: Sequence[int]) -> Path:
    """Write a folder that transformers can load, in a process of its own."""
    subprocess.run([sys.executable, __file__, str(path), *map(str, shape)], check=True)
    return path


def snippets(seed: int, text: str, longest: int) -> Iterator[str]:
    """Endless pieces of `text`, of all lengths from 1 to `longest` characters alike."""
    rng = random.Random(seed)
    while True:
        length = rng.randint(1, longest)
        begin = rng.randrange(len(text) - length)
        yield text[begin : begin + length]


def resident() -> dict[str, float]:
    """Resident memory now and at most, in MB, of this process (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    status = dict(line.split(":", 1) for line in lines)
    names = {"now": "VmRSS", "peak": "VmHWM"}
    return {name: int(status[key].split()[0]) * 1024 / 1e6 for name, key in names.items()}


def main() -> None:
    from codewren_distill.classifier import save_classifier
    from codewren_distill.student import build_student
    from codewren_distill.vocabulary import train_tokenizer
    from codewren_export import Exportable, export_bundle
    from codewren_runtime.types import Architecture, Example, Task

    path, *numbers = sys.argv[1:]
    shape = tuple(map(int, numbers)) or SHAPE
    architecture, task = Architecture(*shape), Task("benchmark", "single", ("no", "yes"))
    lines = library(500_000).splitlines(keepends=True)
    texts = ["".join(lines[i : i + 40]) for i in range(0, len(lines), 40)]
    # Texts so few hold no more tokens; an embedding with rows to spare weighs the same.
    vocabulary = min(architecture.vocab_size, SHAPE[0])
    tokenizer = train_tokenizer(texts, vocabulary, task.normalisation)
    student = build_student(architecture, task, tokenizer, seed=0)
    if numbers:
        save_classifier(student, Path(path))
        return
    samples = [Example(text) for text in texts[:20]]
    export_bundle(
        Exportable(task, architecture, "sequence", student.core, None, tokenizer, samples),
        Path(path),
    )


if __name__ == "__main__":
    main()
