"""The wheel installs without an index that has codewren, and answers as the bundle does."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable, Iterator
from email import message_from_bytes
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

from codewren.verbs.package import package
from codewren_export.packages.wheel import DEPENDENCIES
from codewren_runtime import load

ROOT = Path(__file__).resolve().parents[3]
NAME = "Tiny_model"
WHEEL = "tiny_model-1.2.3-py3-none-any.whl"


@pytest.fixture
def wheel(tmp_path: Path, bundle_of: Callable[..., Path]) -> Callable[..., Path]:
    def make(kind: str = "single", out: str = "dist") -> Path:
        package(bundle_of(kind), "wheel", NAME, tmp_path / out, "1.2.3", "Apache-2.0")
        return tmp_path / out / WHEEL

    return make


def test_the_same_bundle_gives_the_same_bytes(wheel: Callable[..., Path]) -> None:
    assert wheel(out="one").read_bytes() == wheel(out="other").read_bytes()


def test_its_metadata_is_valid_and_tells_of_the_model(wheel: Callable[..., Path]) -> None:
    with zipfile.ZipFile(wheel()) as archive:
        names = archive.namelist()
        raw = archive.read("tiny_model-1.2.3.dist-info/METADATA")
    metadata = Metadata.from_email(raw)
    assert (metadata.name, str(metadata.version)) == (NAME, "1.2.3")
    assert metadata.license_expression == "Apache-2.0"
    assert [str(need) for need in metadata.requires_dist or []] == DEPENDENCIES
    assert "compares" not in (metadata.summary or "")
    readme = message_from_bytes(raw).get_payload()
    for word in ("What it cannot do", "threshold", "no, yes", "Probabilities are not calibrated"):
        assert word in readme
    for name in ("py.typed", "model.wren", "_runtime/py.typed"):
        assert f"{NAME}/{name}" in names
    assert "tiny_model-1.2.3.dist-info/licenses/LICENSE-codewren" in names


@pytest.mark.parametrize("kind", ["single", "pair", "embedding"])
def test_its_modules_import_nothing_but_each_other_and_what_it_needs(
    kind: str, wheel: Callable[..., Path]
) -> None:
    allowed = {NAME, "numpy", "onnxruntime", "tokenizers", *sys.stdlib_module_names}
    allowed |= {"_sha2"}  # of the standard library from Python 3.12 on
    with zipfile.ZipFile(wheel(kind)) as archive:
        sources = [archive.read(name) for name in archive.namelist() if name.endswith(".py")]
    assert len(sources) > 10
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] in allowed


def test_it_needs_what_codewren_needs_to_run_a_bundle() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(DEPENDENCIES) < set(project["dependencies"])
    licence = ROOT / "export/codewren_export/packages/templates/LICENSE-codewren"
    assert licence.read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["single", "pair"])
def test_it_installs_offline_and_answers_as_the_bundle_does(
    kind: str,
    wheel: Callable[..., Path],
    bundle_of: Callable[..., Path],
    functions: list[str],
    as_rows: Callable[..., list[list[str]]],
    tmp_path: Path,
) -> None:
    python = _environment(tmp_path / "venv")
    _run(python, "-m", "pip", "install", "--quiet", "--no-index", str(wheel(kind)))
    _run(python, "-m", "pip", "check")
    rows = as_rows(functions[:60], kind)
    code = (
        f"import sys, json, {NAME}\n"
        "assert 'numpy' not in sys.modules\n"
        f"answers = [{NAME}.predict(*texts) for texts in json.load(open(sys.argv[1]))]\n"
        "print(json.dumps([[a.label, a.probability] for a in answers]))\n"
        "import importlib.util\n"
        "assert importlib.util.find_spec('codewren_runtime') is None\n"
    )
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    answers = json.loads(_run(python, "-I", "-c", code, str(tmp_path / "rows.json")))
    model = load(bundle_of(kind))
    for (label, probability), texts in zip(answers, rows, strict=True):
        wanted = model.predict(*texts) if kind == "single" else model.predict_pair(*texts)
        assert (label, probability) == (wanted.label, wanted.probability)
    assert {label for label, _ in answers} == {"no", "yes"}


def _environment(folder: Path) -> Path:
    """A new environment with what the wheel needs, and nothing else of this one's."""
    venv.create(folder, with_pip=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for found in _closure(["numpy", "onnxruntime", "tokenizers"]):
        for top in {file.parts[0] for file in found.files or [] if ".." not in file.parts}:
            link = site / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))
    return folder / "bin" / "python"


def _closure(names: list[str]) -> Iterator[Distribution]:
    seen: set[str] = set()
    while names:
        name = names.pop()
        if name not in seen:
            seen.add(name)
            found = distribution(name)
            yield found
            needs = map(Requirement, found.requires or [])
            names += [n.name for n in needs if n.marker is None or n.marker.evaluate({"extra": ""})]


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
