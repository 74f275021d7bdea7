"""What SECURITY.md says: no pickle is run, no remote code, no connection, every pin is exact."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from codewren_distill.checkpoints import load_pretrained
from codewren_distill.published import read_published
from codewren_runtime.errors import ModelError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("compressor", "distill", "export", "runtime")


class _Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.mark}'",)


@pytest.fixture
def evil(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of checkpoint files that are pickles with a trap, and the mark that it leaves."""
    mark, folder = tmp_path / "run", tmp_path / "evil"
    folder.mkdir()
    data = pickle.dumps({"weight": _Evil(mark)})
    for name in ("model.bin", "pytorch_model.bin"):
        (folder / name).write_bytes(data)
    torch.save({"weight": _Evil(mark)}, folder / "model.pt")
    (folder / "config.json").write_text(
        '{"model_type": "roberta", "architectures": ["RobertaForSequenceClassification"], '
        '"hidden_size": 8, "num_attention_heads": 1, "num_hidden_layers": 1, "vocab_size": 300, '
        '"intermediate_size": 8, "auto_map": {"AutoModel": "evil.Model", "AutoConfig": "evil.C"}}'
    )
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Model: pass\nclass C: pass\n")
    return folder, mark


def test_the_trap_works(evil: tuple[Path, Path]) -> None:
    folder, mark = evil
    pickle.loads((folder / "model.bin").read_bytes())  # noqa: S301 - the point of it
    assert mark.is_file()


def test_a_malicious_pickle_is_refused_and_not_run(evil: tuple[Path, Path]) -> None:
    folder, mark = evil
    with pytest.raises(ModelError, match="not a torch state dict that is safe to read"):
        read_published(folder, "task", 1)
    (folder / "model.bin").write_bytes((folder / "model.pt").read_bytes())
    with pytest.raises(ModelError, match="not a torch state dict that is safe to read"):
        read_published(folder, "task", 1)
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["AutoModelForSequenceClassification", "AutoModel"])
def test_a_checkpoint_runs_neither_its_pickle_nor_its_code(
    evil: tuple[Path, Path], kind: str
) -> None:
    import transformers

    folder, mark = evil
    with pytest.raises(ModelError, match="not a model that transformers can load"):
        load_pretrained(getattr(transformers, kind), str(folder))
    assert not mark.exists()


def test_torch_loads_tensors_only_and_no_one_trusts_remote_code() -> None:
    loads = []
    for folder in PACKAGES:
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            loads += re.findall(r"torch\.load\([^)]*\)", text)
            assert "trust_remote_code=True" not in text, path
            assert not re.search(
                r"^\s*(import|from) (socket|urllib.request|requests|http)\b", text, re.MULTILINE
            )
            pickles = r"^\s*(import|from) (\w*pickle|joblib|marshal|shelve|dill)\b"
            assert not re.search(pickles, text, re.MULTILINE), path
    assert loads
    assert all("weights_only=True" in load for load in loads)


def test_every_pin_is_exact() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line.strip() and not line.startswith("#")]
    assert pins
    for line in pins:
        assert re.match(r"[A-Za-z0-9_.\[\]-]+==[^*\s]+(\s*;.*)?$", line), line


OFFLINE = """
import socket
def refuse(*arguments, **named):
    raise RuntimeError("a connection was opened")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
socket.create_connection = refuse
"""


def test_predict_scan_and_inspect_open_no_connection(
    wren: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(OFFLINE)
    (tmp_path / "a.c").write_text("int f(void) { return 1; }\n")
    bundle, source = str(wren("single")), str(tmp_path / "a.c")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    for arguments in (
        ["predict", bundle, source],
        ["inspect", bundle],
        ["scan", source, "--bundle", bundle, "--no-cache", "--label", "safe", "--fail-on", "never"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "codewren", *arguments],
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    probe = "import socket; socket.create_connection(('127.0.0.1', 9))"
    shut = subprocess.run(
        [sys.executable, "-c", probe],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "a connection was opened" in shut.stderr  # the trap itself works


@pytest.mark.slow
def test_the_verbs_from_search_to_scan_run_without_a_network(tmp_path: Path) -> None:
    """All verbs of `attacks/kills.py`, in a network namespace that has no device up."""
    probe = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("NOT CHECKED: this machine allows no network namespace (unshare -rn)")
    script = ROOT / "attacks" / "kills.py"
    out = tmp_path / "kills.json"
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, str(script), "--count", "0", "--out", str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "scan: 0 kills in 0 attempts" in done.stdout
