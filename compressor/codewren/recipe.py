"""A recipe: a whole run as one TOML file, checked before any work begins."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from codewren.data import Fields
from codewren.verbs.distill import DistillSettings
from codewren.verbs.export import ExportSettings
from codewren.verbs.finetune import ModelSource
from codewren.verbs.folds import require_folds
from codewren.verbs.label import LabelSource
from codewren.verbs.pretrain import PretrainSettings
from codewren.verbs.search import SearchSettings
from codewren_distill.settings import FreshStudent, Supervision, TrainingSettings
from codewren_runtime.errors import CodewrenError, OptionError
from codewren_runtime.files import read_small
from codewren_runtime.types import MAX_SEED, Architecture, Normalisation, TaskKind

__all__ = ["DataRecipe", "PretrainRecipe", "Recipe", "TaskRecipe", "load_recipe"]

Built = TypeVar("Built")


@dataclass(frozen=True, slots=True)
class TaskRecipe:
    """What the model answers; labels default to those of the training data, sorted."""

    name: str = "task"
    kind: TaskKind = "single"
    labels: tuple[str, ...] | None = None
    normalisation: Normalisation = "raw"


@dataclass(frozen=True, slots=True)
class DataRecipe:
    """The data sets, their fields, and how many rows of each (a seeded sample).

    `validation` is labelled, and for export alone: it calibrates on it.
    """

    train: Path
    unlabelled: Path
    test: Path
    fields: Fields
    validation: Path | None = None
    train_rows: int | None = None
    unlabelled_rows: int | None = None
    test_rows: int | None = None


@dataclass(frozen=True, slots=True)
class PretrainRecipe:
    """How, and on which texts: those of the field `text` of `data`, or the unlabelled ones."""

    data: Path | None = None
    text: str = "func"
    rows: int | None = None
    settings: PretrainSettings = field(default_factory=PretrainSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a run; without a teacher to train, `label` says where answers come from."""

    data: DataRecipe
    teacher: ModelSource | None
    label: LabelSource = field(default_factory=LabelSource)
    task: TaskRecipe = field(default_factory=TaskRecipe)
    search: SearchSettings = field(default_factory=SearchSettings)
    teacher_training: TrainingSettings = field(default_factory=TrainingSettings)
    supervision: Supervision = field(default_factory=Supervision)
    folds: int = 0
    distill: DistillSettings = field(default_factory=DistillSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    pretrain: PretrainRecipe | None = None
    control: bool = True
    seed: int = 0


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; OptionError names the file, the table and the key that is wrong.

    Paths in it are relative to the recipe's folder.
    """
    try:
        data = tomllib.loads(read_small(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path}: cannot be read as TOML ({error})") from error
    try:
        return _recipe(data, path.parent)
    except CodewrenError as error:
        raise OptionError(f"{path}: {error}") from error
    except OSError as error:
        raise OptionError(
            f"{path}: names a file that cannot be there ({error.strerror})"
        ) from error


def _recipe(data: dict[str, Any], base: Path) -> Recipe:
    tables = ("task", "data", "search", "pretrain", "teacher", "label", "distill", "export")
    if unknown := sorted(set(data) - {*tables, "seed", "control"}):
        raise OptionError(
            f"unknown key {unknown[0]!r}; known: {', '.join((*tables, 'seed', 'control'))}"
        )
    pretrained = "pretrain" in data
    for name in tables:
        if not isinstance(data.setdefault(name, {}), dict):
            raise OptionError(f"[{name}] must be a table")
    seed = data.get("seed", 0)
    if type(seed) is not int or not 0 <= seed <= MAX_SEED:
        raise OptionError(f"seed must be a whole number from 0 to {MAX_SEED}, not {seed!r:.40}")
    control = data.get("control", True)
    if not isinstance(control, bool):
        raise OptionError(f"control must be true or false, not {control!r}")
    label = _label(data["label"], data["teacher"], base)
    task = _task(data["task"])
    of_labels = {f.name for f in fields(Supervision)} & data["teacher"].keys()
    supervision = {key: data["teacher"].pop(key) for key in sorted(of_labels)}
    folds = _folds(data["teacher"], task.kind)
    teacher, teacher_training = _split(data["teacher"], seed, FreshStudent(dropout=0.1))
    distill, training = _split(data["distill"], seed, FreshStudent())
    distilled = _build(DistillSettings, distill, "distill")
    data_sets = _data(data["data"], base)
    if task.kind == "embedding":
        distilled.refuse_for_embeddings()
        if data_sets.validation is not None:
            raise OptionError("[data] validation is labelled, and an embedding has no labels")
    return Recipe(
        data=data_sets,
        teacher=_teacher(teacher, base) if label.is_run else None,
        label=replace(label, states=True) if distilled.wants_states else label,
        task=task,
        search=_search(data["search"], seed, base),
        teacher_training=_build(TrainingSettings, teacher_training, "teacher"),
        supervision=_build(Supervision, supervision, "teacher"),
        folds=folds,
        distill=distilled,
        training=_build(TrainingSettings, training, "distill"),
        export=_build(ExportSettings, data["export"], "export"),
        pretrain=_pretrain(data["pretrain"], seed, base) if pretrained else None,
        control=control,
        seed=seed,
    )


def _split(
    table: dict[str, Any], seed: int, default: FreshStudent
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A table's own keys, and those of its training, which get the recipe's seed.

    Keys of a fresh student become its own `fresh`.
    """
    own, training = _split_training(table, seed)
    fresh = {f.name for f in fields(FreshStudent)} & own.keys()
    start = {key: own.pop(key) for key in sorted(fresh)}
    own["fresh"] = _build(FreshStudent, asdict(default) | start, "teacher or distill")
    return own, training


def _split_training(table: dict[str, Any], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    names = {f.name for f in fields(TrainingSettings)} - {"seed"}
    own = {key: value for key, value in table.items() if key not in names}
    return own, {key: table[key] for key in table.keys() & names} | {"seed": seed}


def _pretrain(table: dict[str, Any], seed: int, base: Path) -> PretrainRecipe:
    own, training = _split_training(table, seed)
    of_a_task = {"memory", "token_dropout", "label_smoothing", "consistency"}
    if wrong := sorted(training.keys() & of_a_task):
        raise OptionError(f"[pretrain] {wrong[0]} is for learning a task; leave it out")
    named = {f.name for f in fields(PretrainSettings)} & own.keys()
    settings = {key: own.pop(key) for key in sorted(named)}
    if "data" in own:
        own["data"] = _path(own["data"], base, "[pretrain] data")
    own["settings"] = _build(PretrainSettings, settings, "pretrain")
    own["training"] = _build(TrainingSettings, training, "pretrain")
    return _build(PretrainRecipe, own, "pretrain")


def _data(table: dict[str, Any], base: Path) -> DataRecipe:
    table = dict(table)
    named = {f.name for f in fields(Fields)} - {"id"}  # of [label]
    own = {key: table.pop(key) for key in sorted(table.keys() & named)}
    for key in ("train", "unlabelled", "test"):
        table[key] = _path(table.get(key), base, f"[data] {key}")
    if "validation" in table:
        table["validation"] = _path(table["validation"], base, "[data] validation")
    if "functions" in own:
        own["functions"] = _path(own["functions"], base, "[data] functions")
    return _build(DataRecipe, table | {"fields": _build(Fields, own, "data")}, "data")


def _teacher(table: dict[str, Any], base: Path) -> ModelSource:
    table = dict(table)
    if "architecture" in table:
        if not isinstance(table["architecture"], dict):
            raise OptionError("[teacher] architecture must be a table")
        table["architecture"] = Architecture.from_json(table["architecture"])
    if isinstance(table.get("checkpoint"), str):
        table["checkpoint"] = _local(table["checkpoint"], base)
    return _build(ModelSource, table, "teacher")


def _folds(table: dict[str, Any], kind: TaskKind) -> int:
    folds = table.pop("folds", 0)
    if type(folds) is not int:
        raise OptionError(f"[teacher] folds must be of type int, not {folds!r:.80}")
    require_folds(folds, kind)
    return folds


def _label(table: dict[str, Any], teacher: dict[str, Any], base: Path) -> LabelSource:
    table = dict(table)
    teachers = table.get("teachers", [])
    if not isinstance(teachers, list) or not all(isinstance(name, str) for name in teachers):
        raise OptionError(f"[label] teachers must be a list of folders or names, not {teachers!r}")
    table["teachers"] = tuple(_local(name, base) for name in teachers)
    if "soft_labels" in table:
        table["soft_labels"] = _path(table["soft_labels"], base, "[label] soft_labels")
    source = _build(LabelSource, {"max_length": teacher.get("max_length", 400)} | table, "label")
    if teacher and not source.is_run:
        raise OptionError(
            "give either [teacher], to be trained, or [label] teachers or soft_labels"
        )
    return source


def _local(name: str, base: Path) -> str:
    """A folder beside the recipe, or a hub name."""
    return str(base / name) if (base / name).is_dir() else name


def _search(table: dict[str, Any], seed: int, base: Path) -> SearchSettings:
    space = table.get("space")
    if isinstance(space, str) and (base / space).is_file():
        table = table | {"space": str(base / space)}
    settings = _build(SearchSettings, table | {"seed": seed}, "search")
    settings.budget()  # a size or bits that make no budget are an error before any work
    return settings


def _task(table: dict[str, Any]) -> TaskRecipe:
    if "labels" in table:
        labels = table["labels"]
        if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
            raise OptionError(f"[task] labels must be a list of strings, not {labels!r}")
        table = table | {"labels": tuple(labels)}
    task = _build(TaskRecipe, table, "task")
    if task.kind == "embedding":
        if task.labels:
            raise OptionError("[task] an embedding has no labels; leave them out")
        return replace(task, labels=())
    return task


def _path(value: object, base: Path, name: str) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise OptionError(f"{name} must be the path of a file")
    return base / value


def _build(kind: type[Built], table: Mapping[str, Any], name: str) -> Built:
    known = get_type_hints(kind, localns=_late_names())
    if unknown := sorted(set(table) - set(known)):
        raise OptionError(f"[{name}] unknown key {unknown[0]!r}; known: {', '.join(known)}")
    for key, value in table.items():
        if not _fits(known[key], value):
            raise OptionError(f"[{name}] {key} must be {_words(known[key])}, not {value!r:.80}")
        if key.endswith("rows") and isinstance(value, int) and value < 1:
            raise OptionError(f"[{name}] {key} must be at least 1, not {value}")
    try:
        return kind(**table)
    except TypeError as error:  # a key is missing
        raise OptionError(f"[{name}] {error}") from error


def _late_names() -> dict[str, Any]:
    """Types that the verbs import when they run, since what defines them is slow to import."""
    from codewren.search.result import Formula, Proxy
    from codewren_export import Quant

    return {"Formula": Formula, "Proxy": Proxy, "Quant": Quant}


def _fits(hint: Any, value: object) -> bool:
    """Whether `value` may stand for a key of this type; a whole number serves as float."""
    choices = get_args(hint)
    if get_origin(hint) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in choices)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(isinstance(item, choices[0]) for item in value)
    if choices:
        return any(_fits(choice, value) for choice in choices)
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint if hint in (int, bool) else isinstance(value, hint)


def _words(hint: Any) -> str:
    choices = get_args(hint)
    if get_origin(hint) is Literal:
        return " or ".join(map(str, choices))
    if choices:
        return " or ".join(_words(choice) for choice in choices if choice is not type(None))
    return f"of type {hint.__name__}"
