"""package: a bundle as a package for embedders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

from codewren_runtime.errors import OptionError

__all__ = ["Kind", "package"]

Kind = Literal["wheel", "npm", "web"]


def package(
    bundle: Path, kind: Kind, name: str, out: Path, version: str, licence: str | None
) -> dict[str, Any]:
    """Write the package `name` into the new or empty folder `out`; what was written, and its size.

    Nothing is written unless all is: the bundle and the name are checked first, and the folder
    takes its name last.
    """
    from codewren_export.packages import write_npm, write_web, write_wheel
    from codewren_export.packages.folders import new_folder
    from codewren_export.packages.names import (
        check_npm_name,
        check_python_name,
        check_title,
        check_version,
    )
    from codewren_runtime import load, read_bundle

    if kind not in get_args(Kind):
        raise OptionError(f"--kind {kind!r}: give one of {', '.join(get_args(Kind))}")
    check = {"wheel": check_python_name, "npm": check_npm_name, "web": check_title}[kind]
    check(name)
    check_version(version)
    load(bundle)  # it opens and answers, or there is nothing to package
    checked = read_bundle(bundle)
    with new_folder(out) as folder:
        if kind == "wheel":
            write_wheel(checked, name, version, licence, folder)
        elif kind == "npm":
            write_npm(checked, name, version, licence, folder)
        else:
            write_web(checked, name, folder)
        files = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    return {
        "kind": kind,
        "name": name,
        "out": str(out),
        "bundle_bytes": checked.size_bytes,
        "bytes": sum(files.values()),
        "files": files,
    }
