"""`compress`, and `python -m codewren`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; Ctrl-C is told in one line from the first import on."""
    try:
        from codewren.cli.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("compress: interrupted; the same command goes on where it was\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
