"""What the report says of models: their quality, their training, and attacks on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tables import table

__all__ = ["MODELS"]

Data = Mapping[str, Any]


def quality(data: Data) -> list[str]:
    """A table for each task; spread is the standard deviation over seeds."""
    lines: list[str] = []
    for task, found in data["tasks"].items():
        rows = [
            (row["model"], *(_with_spread(row, figure) for figure in ("accuracy", "f1", "auc")),
             f"{row['bytes']:,}")
            for row in found["models"]
        ]  # fmt: skip
        head = (f"{task}, {found['seeds']} seeds", "accuracy, %", "F1", "AUC", "bytes")
        lines += [*table(head, rows), ""]
    return [*lines, "![quality](results/quality.png)"]


def _with_spread(row: Data, figure: str) -> str:
    if row[figure] is None:
        return "–"
    spread = f" ± {100 * row[f'{figure}_sd']:.2f}" if row[f"{figure}_sd"] else ""
    return f"{100 * row[figure]:.2f}{spread}"


def ablation(data: Data) -> list[str]:
    """One change at a time: accuracy, and the difference from the base, paired by seed."""
    rows = [
        (name if row["against"] == "base" else f"{name} (against: {row['against']})",
         _points(row["accuracy"]), _points(row["auc"]),
         "" if name == "base" else _difference(row["difference"]["accuracy"]),
         "" if name == "base" else _difference(row["difference"]["auc"]),
         f"{100 * row['lost_at_export']['mean']:+.2f}",
         f"{row['passed']} of {data['seeds']}", f"{row['bytes']:,}")
        for name, row in data["arms"].items()
    ]  # fmt: skip
    head = ("", "accuracy, %", "AUC", "accuracy: more than the base", "AUC: more than the base",
            "lost by rounding", "passes its gates", "bytes")  # fmt: skip
    return [
        f"Pairs of BigCloneBench, {data['rows']['students']:,} to distil on, "
        f"{data['seeds']} seeds, each with rows, a teacher and a start of its own; bundles on the "
        "validation pairs. Mean ± standard deviation over seeds; differences are taken seed by "
        "seed, and bold where all seeds agree on the sign and the mean is more than twice its "
        "standard error.",
        "",
        *table(head, rows),
        "",
        "![ablation](results/ablation.png)",
    ]


def _points(found: Data) -> str:
    return f"{100 * found['mean']:.2f} ± {100 * found['sd']:.2f}"


def _difference(found: Data) -> str:
    values, error = found["all"], found["sd"] / len(found["all"]) ** 0.5
    text = f"{100 * found['mean']:+.2f} ± {100 * found['sd']:.2f}"
    alike = all(value > 0 for value in values) or all(value < 0 for value in values)
    return f"**{text}**" if alike and len(values) > 1 and abs(found["mean"]) > 2 * error else text


def attack(data: Data) -> list[str]:
    rows = [
        (row["model"], f"{100 * row['accuracy']:.1f} %",
         f"{100 * row['accuracy_under_attack']:.1f} %",
         f"{row['flipped']} of {row['right']}: {100 * row['success']:.1f} %",
         f"{row['queries_mean']:.1f}", f"{row['cpu_seconds']:.0f} s")
        for row in data["rows"]
    ]  # fmt: skip
    head = ("model", "accuracy", "under attack", "right answers that fall", "queries", "CPU")
    return [
        f"{data['rows'][0]['functions']} functions, at most {data['queries']} queries each.",
        "",
        *table(head, rows),
    ]


def hardening(data: Data) -> list[str]:
    """Attacks on students that learnt from attacks, and what that cost."""
    rows = [
        (name, f"{row['flipped']} of {row['right']}", _points(row["success"]),
         *(_points(row[figure]) for figure in ("accuracy", "f1", "auc")), _points(row["cost"]))
        for name, row in data["arms"].items()
    ]  # fmt: skip
    head = ("taught", "right answers that fall", "%", "accuracy, %", "F1", "AUC", "points lost")
    return [
        f"{data['rows']:,} training rows of Devign, {data['attacked']:,} of them attacked for "
        f"adversarial ones, {data['seeds']} seeds; {data['functions']} test functions, at most "
        f"{data['queries']} queries each; scores of all test rows, without an adversary.",
        "",
        *table(head, rows),
    ]


def teachers(data: Data) -> list[str]:
    """Teachers without a hub, and students of each of them."""
    return [line for name, found in data["tasks"].items() for line in _taught(name, found)]


def _taught(task: str, found: Data) -> list[str]:
    """One task's teachers, and its students by kind."""
    parts, figures = ("valid", "test_public"), ("accuracy", "auc")
    rows = [
        (name, *(f"{100 * row[part][figure]:.2f}" for part in parts for figure in figures),
         *(f"{row['parameters']:,}" if "parameters" in row else "–",
           f"{100 * row['folds']:.2f}" if "folds" in row else "–"))
        for name, row in found["teachers"].items()
    ]  # fmt: skip
    head = ("valid, %", "AUC", "test_public, %", "AUC")
    lines = [
        f"{task.capitalize()}, {found['rows']:,} labelled rows, teachers with one seed; *unseen* "
        "are the labelled rows, each by a teacher that did not see it.",
        "",
        *table(("teacher", *head, "parameters", "unseen, %"), rows),
        "",
    ]
    for kind, students in found["students"].items():
        first = next(iter(students.values()))["valid"]["accuracy"]["all"]
        rows = [
            (name, *(_points(row[part][figure]) for part in parts for figure in figures))
            for name, row in students.items()
        ]
        lines += [f"Students, {kind}, {len(first)} seed{'s' * (len(first) > 1)}:", ""]
        lines += [*table(("taught by", *head), rows), ""]
    return lines


def normalisation(data: Data) -> list[str]:
    """Accuracy by the form of the text."""
    forms = list(dict.fromkeys(form for found in data["tasks"].values() for form in found))
    rows = [
        (task, *(_points(found[form]) if form in found else "–" for form in forms))
        for task, found in data["tasks"].items()
    ]
    return [
        f"Accuracy of the int8 bundle, %, on rows that are no test rows; at most {data['rows']:,} "
        "training rows.",
        "",
        *table(("task", *forms), rows),
    ]


def published(data: Data) -> list[str]:
    rows = [
        (task, f"{100 * row['reported']:.2f} %", f"{100 * row['original']:.2f} %",
         f"{100 * row['int8']:.2f} %", f"{row['bytes']:,}",
         f"{row['same_label']:,} of {row['rows']:,}: {100 * row['same_label'] / row['rows']:.2f} %")
        for task, row in data["students"].items()
    ]  # fmt: skip
    head = ("published student", "reported", "imported, torch", "int8 bundle", "bytes of it",
            "same label")  # fmt: skip
    return table(head, rows)


def long_inputs(data: Data) -> list[str]:
    rows = [
        (name, row["policy"], f"{row['of']} ({row['rows']:,})", f"{100 * row['accuracy']:.2f} %",
         "–" if row["auc"] is None else f"{100 * row['auc']:.2f}", f"{row['p50_ms']:.2f}")
        for name, found in data["models"].items()
        for row in found
    ]  # fmt: skip
    return table(("model", "policy", "validation rows", "accuracy", "AUC", "p50 ms"), rows)


def search(data: Data) -> list[str]:
    rows = [
        (f"{row['budget_bytes'] / 1e6:g} MB",
         *(f"{row[who][key]} of {row[who]['seeds']}" for who in ("codewren", "paper")
           for key in ("at_optimum", "over_budget")))
        for row in data["budgets"]
    ]  # fmt: skip
    head = ("budget", "at the optimum", "over budget", "the paper's: at the optimum", "over budget")
    return [*table(head, rows), "", "![search](results/search.png)"]


def proxies(data: Data) -> list[str]:
    rows = [
        (row["name"], f"{100 * row['accuracy']:.1f} ± {100 * row['spread']:.1f} %",
         f"{row['gflops']:.2f}", f"{row['measured_ms']:g}", f"{row['size_bytes']:,}")
        for row in sorted(data["architectures"], key=lambda row: -row["accuracy"])
    ]  # fmt: skip
    beside = ", ".join(f"{name} {100 * score:.1f} %" for name, score in data["baselines"].items())
    head = ("architecture", "accuracy", "GFLOPs", "ms", "bytes")
    return [*table(head, rows), "", f"Beside them: {beside}."]


def distill_speed(data: Data) -> list[str]:
    """Two training loops, and what their students are worth after equal steps."""
    head = ("loop", "steps/s", "functions/s", "of the peak", "KL to the teacher")
    rows = [
        (name, *(f"{data[name][key]:g}"
                 for key in ("steps_per_cpu_second", "functions_per_cpu_second")),
         f"{data[name]['utilisation']:.1%}", f"{data['held_out_kl'][name]:.4f}")
        for name in ("published", "codewren")
    ]  # fmt: skip
    ratio, functions = data["ratio"], data["functions"]
    return [
        f"{data['data']}, {functions['median_tokens']:g} tokens in the median; {data['rounds']} "
        f"rounds of {data['steps_a_round']} steps each, in turn, by the second of CPU time: "
        f"{ratio['median']:g} times as fast ({ratio['least']:g} to {ratio['most']:g}). KL on "
        f"{functions['held_out']} held-out functions; before training "
        f"{data['held_out_kl']['untrained']:g}.",
        "",
        *table(head, rows),
    ]


def gpu_speed(data: Data) -> list[str]:
    """Every arm of training on a GPU, and how it compares with the published loop beside it."""
    arms, device = data["arms"], data["device"]
    rows = [
        (f"{name}: {loop}", *_gpu_figures(row[loop]),
         f"{row['ratio']['median']:g} ({row['ratio']['least']:g} to {row['ratio']['most']:g})"
         if loop == "codewren" and "ratio" in row else "",
         f"{row['seconds_to_warm_up']:.0f} s")
        for name, row in arms.items()
        for loop in ("published", "codewren")
        if loop in row
    ]  # fmt: skip
    head = ("training, batch, compiled", "steps/s", "functions/s", "of the peak", "device busy",
            "MB", "times the published", "warm-up")  # fmt: skip
    peaks = device.get("peak_gflops_per_second", {})
    products = ", ".join(f"{value / 1e3:,.1f} in {name}" for name, value in peaks.items())
    failed = [f"- {name}: {row['failed']}" for name, row in arms.items() if "failed" in row]
    return [
        *([data["note"], ""] if data["note"] else []),
        f"{device.get('gpu') or 'CPU'}, whose best matrix products reach {products or 'unknown'} "
        f"TFLOPS (fp32 products: {device.get('fp32_products')}); {data['data']}; median over "
        "rounds, with the range where rounds alternate.",
        "",
        *table(head, rows),
        *(["", "Not measured:", "", *failed] if failed else []),
    ]


def _gpu_figures(loop: Data) -> tuple[str, ...]:
    busy, share = loop["device_busy"], loop.get("utilisation")
    return (
        *(f"{loop[key]['median']:,.4g}" for key in ("steps_per_second", "functions_per_second")),
        "–" if share is None else f"{share:.1%}",
        "–" if busy is None else f"{busy:.0%}",
        f"{loop['peak_bytes'] / 1e6:,.0f}",
    )


def pretraining(data: Data) -> list[str]:
    """Each training of a small student; spread is the standard deviation over seeds."""
    rows = [
        (name, *(f"{row[figure]['mean']:.2f} ± {row[figure]['sd']:.2f}"
                 for figure in ("valid accuracy", "test_public accuracy", "test_public auc")),
         f"{sum(row['cpu_seconds']) / len(row['cpu_seconds']):.0f} s")
        for name, row in data["variants"].items()
    ]  # fmt: skip
    teacher = ", ".join(
        f"{name} {100 * found['accuracy']:.2f} %" for name, found in data["teacher"].items()
    )
    head = ("training", "valid, %", "test, %", "test AUC", "CPU")
    return [
        f"{data['pairs']:,} pairs of BigCloneBench, {data['seeds']} seeds; pre-trained on "
        f"{data['texts']:,} other Java functions; weights of states and relations "
        f"{data['weight']:g}. The teacher of the soft labels: {teacher}.",
        "",
        *table(head, rows),
        "",
        "![pretraining](results/pretraining.png)",
    ]


ACCURACY_AUC = ("accuracy", "auc")
MODELS: dict[str, tuple[str, str, Callable[[Data], list[str]]]] = {
    "quality": ("Quality beside the sceptics", "quality.py", quality),
    "published": ("The published students, imported", "published.py", published),
    "ablation": ("What each part of a recipe is worth", "ablation.py", ablation),
    "attack": ("Attacks by renaming", "attack.py BUNDLE…", attack),
    "pretraining": ("Pre-training, and a teacher's states", "pretraining.py", pretraining),
    "hardening": ("Attacks fed back into distillation", "hardening.py", hardening),
    "teachers": ("Teachers without a model hub", "teachers.py --large --minilm DIR", teachers),
    "normalisation": ("In which form a text is read", "normalisation.py", normalisation),
    "long_inputs": ("Code beyond the window", "long_inputs.py", long_inputs),
    "search": ("Search against the certified optimum", "search.py", search),
    "proxies": ("Does a proxy predict quality?", "proxies.py", proxies),
    "distill_speed": ("Distillation beside the published loop", "distill_speed.py", distill_speed),
    "gpu_speed": ("Training on a GPU", "gpu_speed.py", gpu_speed),
}
