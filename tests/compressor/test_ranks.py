"""Several processes of one training, as torchrun starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from codewren.ranks import is_first, refuse_several, several, taking_part
from codewren.run_directory import Run
from codewren_runtime.errors import OptionError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "attacks"))
from kills import COMMANDS, write_inputs


def test_the_first_works_in_the_run_directory_and_others_in_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_first()
    assert not several()
    (tmp_path / "task.json").write_text("{}")
    with taking_part(tmp_path) as folder:
        assert folder == tmp_path
    monkeypatch.setenv("RANK", "1")
    with taking_part(tmp_path) as folder:
        assert folder != tmp_path
        assert [path.name for path in folder.iterdir()] == ["task.json"]
    assert not folder.exists()


def test_verbs_that_do_not_train_work_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    said = pytest.raises(OptionError, match="works in one process; start it without torchrun")
    with said, Run(tmp_path).locked():
        pass
    with pytest.raises(OptionError, match="this works in one process"):
        refuse_several("this")


def _torchrun(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*launcher, "-m", "codewren", *command],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},  # no two share a GPU
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write_inputs(folder)
    done = _torchrun(folder, *COMMANDS["finetune"])
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1  # one of them speaks
    assert "160 examples" in done.stdout
    log = (folder / "run" / "teacher" / "log.jsonl").read_text().splitlines()
    # 160 rows in batches of 8, twice: half as many steps as one process takes.
    assert [json.loads(line)["step"] for line in log] == list(range(1, 21))
    weights = load_file(folder / "run" / "teacher" / "model.safetensors")
    assert any(values.std() > 0 for name, values in weights.items() if name.endswith("bias"))


@pytest.mark.slow
def test_a_compiled_model_is_saved_as_a_plain_one(tmp_path: Path) -> None:
    """aot_eager traces as inductor does, and wants no compiler of C++."""
    weights, losses = [], []
    for name, how in {"plain": {}, "compiled": {"ACCELERATE_DYNAMO_BACKEND": "aot_eager"}}.items():
        folder = tmp_path / name
        write_inputs(folder)
        done = subprocess.run(
            [sys.executable, "-m", "codewren", *COMMANDS["finetune"]],
            cwd=folder, capture_output=True, text=True, timeout=300, check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | how,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        weights.append(load_file(folder / "run" / "teacher" / "model.safetensors"))
        log = (folder / "run" / "teacher" / "log.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in log])
    plain, compiled = weights
    assert {name: v.shape for name, v in plain.items()} == {n: v.shape for n, v in compiled.items()}
    assert losses[1] == pytest.approx(losses[0], rel=5e-2)
