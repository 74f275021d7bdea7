"""What the CPU calls itself; needs the base install alone."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from codewren_runtime.files import sha256_of

__all__ = ["cpu_name"]


def cpu_name() -> str:
    """The CPU's model, with a hash of its instruction sets where the system tells them.

    A virtual machine often hides the model: the instruction sets tell two such CPUs apart.
    """
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8", errors="replace") if info.is_file() else ""
    found = {
        key: match[1].strip()
        for key in ("model name", "flags", "Features")
        if (match := re.search(rf"^{key}\s*:(.*)$", text, re.MULTILINE))
    }
    name = found.get("model name") or platform.processor() or platform.machine() or "unknown CPU"
    flags = found.get("flags") or found.get("Features")
    return name if flags is None else f"{name} ({sha256_of(sorted(flags.split()))[:8]})"
