"""package: a bundle as a package for embedders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from codewren_runtime.errors import OptionError

__all__ = ["package"]


def package(
    bundle: Path, kind: str, name: str, out: Path, version: str, licence: str | None
) -> dict[str, Any]:
    """Write the package `name` into the new or empty folder `out`; what was written, and its size.

    Nothing is written unless all is: the bundle and the name are checked first, and the folder
    takes its name last.
    """
    from codewren_export.packages import write_npm, write_web, write_wheel
    from codewren_export.packages.contents import packed
    from codewren_export.packages.folders import new_folder
    from codewren_export.packages.names import (
        check_licence,
        check_npm_name,
        check_python_name,
        check_title,
        check_version,
    )
    from codewren_runtime import Model, read_bundle

    kinds = {
        "wheel": (check_python_name, write_wheel),
        "npm": (check_npm_name, write_npm),
        "web": (check_title, write_web),
    }
    if kind not in kinds:
        raise OptionError(f"--kind {kind!r}: give one of {', '.join(kinds)}")
    check_name, write = kinds[kind]
    check_name(name)
    check_version(version)
    licence = check_licence(licence)
    checked = read_bundle(bundle)
    Model(checked)  # it opens and answers, or there is nothing to package
    # A folder's size is another; what is made of it should not be.
    checked = replace(checked, size_bytes=len(packed(checked)))
    with new_folder(out) as folder:
        write(checked, name, version, licence, folder)
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
