from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def test_what_an_editor_gets_wrong_is_told_in_one_line(wren: Callable[[str], Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codewren", "lsp", "--bundle", str(wren("single"))],
        input=b"Content-Length: 5\r\n\r\nhello",
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert done.stderr.splitlines() == [b"compress: Unable to handle message (JSONDecodeError)"]
