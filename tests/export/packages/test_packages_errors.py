"""Bad input is one clear line, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from codewren.cli.app import main
from codewren_export.packages import npm
from codewren_export.packages.folders import new_folder
from codewren_runtime.errors import OptionError


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    def run(*arguments: str | Path) -> str:
        monkeypatch.setattr("sys.argv", ["compress", "package", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        return printed.err

    return run


def _untouched(folder: Path) -> bool:
    return not any(folder.iterdir())


def test_wrong_options(
    refused: Callable[..., str], bundle_of: Callable[..., Path], tmp_path: Path
) -> None:
    good = {"--kind": "npm", "--name": "x", "--out": str(tmp_path / "out")}
    bad = {
        "--kind": "deb",
        "--name": "A b",
        "--package-version": "one",
    }
    for option, value in bad.items():
        options = [part for pair in (good | {option: value}).items() for part in pair]
        said = refused(bundle_of("single"), *options)
        assert option in said
        assert value in said
    assert _untouched(tmp_path)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("wheel", "NumPy"), ("wheel", "pip"), ("wheel", "Json"), ("npm", "fs"), ("npm", "http2")],
)
def test_a_name_that_hides_another(
    kind: str,
    name: str,
    refused: Callable[..., str],
    bundle_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    said = refused(bundle_of("single"), "--kind", kind, "--name", name, "--out", out)
    assert repr(name) in said
    assert "choose another" in said
    assert _untouched(tmp_path)


@pytest.mark.parametrize("licence", ["my own", "MIT OR", "<script>"])
def test_a_licence_that_is_none(
    licence: str, refused: Callable[..., str], bundle_of: Callable[..., Path], tmp_path: Path
) -> None:
    for kind in ("wheel", "npm", "web"):
        options = ["--kind", kind, "--name", "my_model", "--out", tmp_path / "out"]
        said = refused(bundle_of("single"), *options, "--license", licence)
        assert "--license" in said
    assert _untouched(tmp_path)


@pytest.mark.parametrize("kind", ["wheel", "npm", "web"])
def test_a_damaged_bundle(
    kind: str, refused: Callable[..., str], bundle_of: Callable[..., Path], tmp_path: Path
) -> None:
    data = bytearray(bundle_of("single").read_bytes())
    data[len(data) // 2] ^= 1
    bad = tmp_path / "bad.wren"
    bad.write_bytes(data)
    said = refused(bad, "--kind", kind, "--name", "x", "--out", tmp_path / "out")
    assert str(bad) in said
    assert list(tmp_path.iterdir()) == [bad]


def test_a_folder_is_a_bundle_too_and_a_tokenizer_that_trims_is_refused(
    refused: Callable[..., str], bundle_of: Callable[..., Path], tmp_path: Path
) -> None:
    from codewren.verbs.package import package

    folder = tmp_path / "bundle"
    with zipfile.ZipFile(bundle_of("single")) as archive:
        archive.extractall(folder)
    made = [tmp_path / name for name in ("of-file", "of-folder")]
    for bundle, out in zip((bundle_of("single"), folder), made, strict=True):
        package(bundle, "wheel", "m", out, "0.1.0", None)
    one, other = (out / "m-0.1.0-py3-none-any.whl" for out in made)
    assert one.read_bytes() == other.read_bytes()

    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["post_processor"]["trim_offsets"] = True
    data = json.dumps(tokenizer).encode()
    (folder / "tokenizer.json").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["tokenizer.json"] = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for kind in ("npm", "web"):
        said = refused(folder, "--kind", kind, "--name", "x", "--out", tmp_path / "out")
        assert "trims offsets" in said
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_in_the_way(
    refused: Callable[..., str], bundle_of: Callable[..., Path], tmp_path: Path
) -> None:
    full, file = tmp_path / "full", tmp_path / "file"
    full.mkdir()
    (full / "mine").write_text("keep")
    file.write_text("keep")
    link = tmp_path / "link"
    link.symlink_to(full)
    options = ["--kind", "npm", "--name", "x", "--out"]
    assert "is not empty" in refused(bundle_of("single"), *options, full)
    assert "in the way" in refused(bundle_of("single"), *options, file)
    assert "in the way" in refused(bundle_of("single"), *options, link)
    assert "cannot write there" in refused(bundle_of("single"), *options, file / "below")
    assert {path.name for path in tmp_path.iterdir()} == {"full", "file", "link"}
    assert (full / "mine").read_text() == file.read_text() == "keep"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_an_output_that_cannot_be_written(
    refused: Callable[..., str], bundle_of: Callable[..., Path], tmp_path: Path
) -> None:
    tmp_path.chmod(0o500)
    try:
        options = ["--kind", "npm", "--name", "x", "--out", tmp_path / "out"]
        assert "cannot write there" in refused(bundle_of("single"), *options)
    finally:
        tmp_path.chmod(0o700)


def test_a_page_without_npm(
    refused: Callable[..., str],
    bundle_of: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    options = ["--kind", "web", "--name", "x", "--out", tmp_path / "out"]
    assert "npm is not installed" in refused(bundle_of("single"), *options)
    assert not (tmp_path / "out").exists()


def _fail_half_way(out: Path) -> None:
    with new_folder(out) as folder:
        (folder / "half").write_text("x")
        raise OptionError("half way")


def test_an_empty_folder_is_filled_and_a_failure_leaves_it_empty(
    bundle_of: Callable[..., Path], tmp_path: Path
) -> None:
    from codewren.verbs.package import package

    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(OptionError, match="half"):
        _fail_half_way(out)
    assert list(tmp_path.iterdir()) == [out]
    assert _untouched(out)
    result = package(bundle_of("single"), "npm", "x", out, "0.1.0", None)
    assert set(result["files"]) >= {"package.json", "index.js", "model/model.onnx"}
    assert list(tmp_path.iterdir()) == [out]


def test_the_lock_files_name_no_host() -> None:
    templates = Path(npm.__file__).parent / "templates" / "web"
    for folder in (templates, Path(__file__).parent / "js"):
        assert '"resolved"' not in (folder / "package-lock.json").read_text()


def test_the_next_command_names_a_folder_as_npm_and_a_shell_read_it(
    bundle_of: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for out, told in (("mine", "./mine"), ("a b/c", "'./a b/c'"), (str(tmp_path / "d"), None)):
        options = ["--kind", "npm", "--name", "mine", "--out", out]
        arguments = ["compress", "package", str(bundle_of("single")), *options]
        monkeypatch.setattr("sys.argv", arguments)
        with pytest.raises(SystemExit) as done:
            main()
        assert done.value.code == 0
        assert f"next: npm pack {told or out}, or" in capsys.readouterr().out
