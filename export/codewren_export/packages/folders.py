"""An output folder that is there when it is whole, and not before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from codewren_runtime.errors import OptionError
from codewren_runtime.temporary import temporary_beside

__all__ = ["new_folder", "template", "write_files"]


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the name, on failure it goes.

    Raises OptionError in one line where `path` exists and is no empty folder, or cannot be made.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise OptionError(f"{path}: is in the way; choose another --out")
    with ExitStack() as stack:
        try:
            if path.is_dir() and any(path.iterdir()):
                raise OptionError(f"{path}: is not empty; choose another --out, or empty it")
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = stack.enter_context(temporary_beside(path, folder=True))
        except OSError as error:
            raise OptionError(f"{path}: cannot write there ({error.strerror})") from error
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.is_dir():
                path.rmdir()  # it is empty; not every system renames onto a folder
            temporary.rename(path)
        except OSError as error:
            raise OptionError(f"{path}: cannot write there ({error.strerror or error})") from error


def write_files(folder: Path, contents: Mapping[str, bytes | str]) -> None:
    """Write each of `contents` to its path under `folder`; text as UTF-8."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def template(name: str) -> Traversable:
    """A file or folder of `templates/`."""
    return files("codewren_export.packages") / "templates" / name
