"""What a package says of its model: all from the manifest, the limits first among it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from codewren_runtime.bundle import Bundle, Manifest
from codewren_runtime.types import TaskKind

__all__ = ["card", "licence_line", "limits", "summary"]

LONGEST = 200
DOES: Mapping[TaskKind, str] = {
    "single": "judges a piece of code",
    "pair": "compares two pieces of code",
    "embedding": "gives vectors of code and of queries, to search by",
}


def summary(bundle: Bundle) -> str:
    """One line: what the model answers, and how small it is."""
    task = bundle.manifest.task
    does = DOES[task.kind]
    labels = f" ({_listed(task.labels)})" if task.labels else ""
    size = f"{bundle.size_bytes / 1e6:.1f} MB"
    return f"{_line(task.name)}: a model of {size} that {does}{labels}"


def card(bundle: Bundle, title: str, usage: str, licence: str | None) -> str:
    """The README of a package, in Markdown; `usage` is a Markdown text of its own."""
    manifest = bundle.manifest
    figures = "\n".join(f"| {name} | {value} |" for name, value in _figures(bundle))
    lines = "\n".join(f"- {line}" for line in limits(manifest))
    return (
        f"# {title}\n\n{_capital(summary(bundle))}. It runs on the CPU of the machine that asks; "
        f"no code leaves it.\n\n{usage.strip()}\n\n"
        f"## What it cannot do\n\n{lines}\n\n"
        f"## The model\n\n| what | value |\n| --- | --- |\n{figures}\n\n"
        f"{licence_line(licence)}\n"
    )


def licence_line(licence: str | None) -> str:
    """Whose licence holds for what."""
    of_model = licence or "not stated by whoever made this package"
    return (
        f"Licence of the model: {of_model}. The code that runs it is codewren's, under the MIT "
        "licence in LICENSE-codewren."
    )


def limits(manifest: Manifest) -> list[str]:
    """What the model does not do, one sentence or two each."""
    calibration = manifest.decision.calibration
    probabilities = (
        "Probabilities were fitted on held-out rows"
        + (f" ({calibration['rows']:,} of them)" if type(calibration.get("rows")) is int else "")
        + "; on code unlike those rows they promise nothing."
        if calibration
        else "Probabilities are not calibrated: 90 % does not mean right nine times of ten."
        if manifest.task.labels
        else "A cosine is no probability: only which of two texts is nearer means something."
    )
    window = f"{manifest.architecture.max_length:,} tokens"
    reach = {
        "truncate": f"It reads the first {window} of a text, and nothing behind them.",
        "split-mean": f"A text of more than {window} is read in windows and the answers averaged.",
        "split-max": f"A text of more than {window} is read in windows; the worst one decides.",
    }[manifest.long_inputs]
    return [
        "It guesses from patterns in the code that it was trained on and proves nothing. Let a "
        "person, a test or an analyser decide.",
        "It was trained on code of certain languages and styles; it answers for any other text "
        "too, at random.",
        reach,
        probabilities,
        "The figures that it carries compare it to the same model before its weights were rounded. "
        "How often it is right on your code they do not say: measure that with `compress evaluate "
        "--bundle`.",
    ]


def _figures(bundle: Bundle) -> list[tuple[str, str]]:
    manifest = bundle.manifest
    task, decision = manifest.task, manifest.decision
    rows: list[tuple[str, object]] = [
        ("task", task.name),
        ("input", "two texts" if task.kind == "pair" else "one text"),
        ("labels", _listed(task.labels) if task.labels else f"none: {task.kind}"),
        ("bytes", f"{bundle.size_bytes:,}"),
        ("window", f"{manifest.architecture.max_length:,} tokens, {manifest.long_inputs}"),
        ("temperature", decision.temperature),
    ]
    if decision.positive is not None:
        rows.append(("threshold", f"{decision.positive} from {decision.threshold:.4g} on"))
    groups = {
        "calibration": decision.calibration,
        "metrics": manifest.metrics,
        "quantisation": manifest.quantisation,
        "provenance": manifest.provenance,
    }
    rows += _scalars(groups)
    return [(_cell(name), _cell(str(value))) for name, value in rows]


def _scalars(values: Mapping[str, object], path: str = "") -> Iterator[tuple[str, object]]:
    """What lies in nested objects, with the path to it; nothing for null."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{path}{name}: ")
        elif value is not None:
            yield f"{path}{name}", value


def _listed(labels: tuple[str, ...]) -> str:
    shown = ", ".join(map(_line, labels[:8]))
    return shown if len(labels) <= 8 else f"{shown}, … {len(labels)} in all"


def _line(text: str) -> str:
    """Whatever a manifest holds, as one line that is not too long."""
    line = " ".join(text.split())
    line = "".join(c for c in line if c.isprintable())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _cell(text: str) -> str:
    return _line(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
