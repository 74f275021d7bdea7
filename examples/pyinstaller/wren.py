"""A desktop tool in one file: `wren FILE…` prints what the model inside says of each file."""

from __future__ import annotations

import sys
from pathlib import Path

from codewren_runtime import CodewrenError, load

# PyInstaller unpacks its data beside the program's modules.
BUNDLE = Path(__file__).with_name("model.wren")


def main(files: list[str]) -> int:
    """Print an answer per file, or per two files for a model of pairs; the exit status."""
    try:
        model = load(BUNDLE)
        texts = [Path(file).read_text(encoding="utf-8", errors="replace") for file in files]
        pair = model.task.kind == "pair"
        items = zip(texts[::2], texts[1::2], strict=True) if pair else texts
        for answer in model.predict_many(items):
            print(f"{answer.label} {answer.probability:.4f}")
    except (CodewrenError, OSError, ValueError) as error:
        print(f"wren: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
