"""The command `compress`: one file per verb; each parses, loads, calls, prints."""

from __future__ import annotations

import sys

from codewren.cli.app import app
from codewren_runtime.errors import CodewrenError

__all__ = ["app", "main"]

INTERRUPTED = 130


def main() -> None:
    """Run the command; what a user can mend becomes one line on stderr and exit status 2."""
    try:
        app()
    except CodewrenError as error:
        line = " ".join(str(error).split())
        sys.stderr.write(f"compress: {line}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("compress: interrupted; the same command goes on where it was\n")
        sys.exit(INTERRUPTED)
