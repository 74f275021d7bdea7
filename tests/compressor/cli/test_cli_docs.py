from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from codewren.cli.app import app
from codewren_distill.settings import TrainingSettings

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "commands.md").read_text()
COMMANDS = {command.name: command.callback for command in app.registered_commands}
VERBS = {
    "calibrate", "search", "finetune", "label", "distill", "import", "export",
    "predict", "evaluate", "inspect", "package", "run", "demo", "lsp", "scan", "attack", "bench",
    "augment", "pretrain",
}  # fmt: skip


def test_the_verbs_are_there() -> None:
    assert set(COMMANDS) == VERBS


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help_and_its_options_are_documented(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    callback = COMMANDS[verb]
    assert callback is not None
    assert inspect.getdoc(callback)
    section = DOCS.split(f"## compress {verb}\n")[1].split("\n## ")[0]
    group = typer.main.get_command(app)
    command = group.commands[verb]  # type: ignore[attr-defined]
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{verb}: {parameter.name} has no help"
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                assert f"`{option}" in section, f"{verb}: {option} is not in docs/commands.md"


def test_help_tells_the_defaults_of_training() -> None:
    text = CliRunner().invoke(app, ["distill", "--help"], env={"COLUMNS": "200"}).output
    defaults = TrainingSettings()
    for value in (defaults.epochs, defaults.batch_size, defaults.learning_rate):
        assert f"[default: {value}]" in text
