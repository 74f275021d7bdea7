"""pretrain: the student's encoder learns code by itself, before it learns the task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren.verbs.search import read_architecture
from codewren.verbs.training import PRETRAINED, Watch, finish_training, finished_training
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Architecture, Normalisation, Task

if TYPE_CHECKING:
    from codewren_distill.masked import Masked
    from codewren_distill.settings import TrainingSettings

__all__ = ["PretrainSettings", "pretrain"]


@dataclass(frozen=True, slots=True)
class PretrainSettings:
    """How an encoder is pre-trained.

    `mask_share` of the tokens are hidden; `valid_share` of the texts are held out to measure
    on. With `token_types` the kind of every token is learnt too, as tree-sitter tells it:
    in `language`, or in the one that fits a text best. `dropout` and `embeddings` as in
    `codewren_distill.settings.FreshStudent`.
    """

    mask_share: float = 0.15
    valid_share: float = 0.05
    token_types: bool = False
    language: str | None = None
    dropout: float = 0.0
    embeddings: Literal["random", "cooccurrence"] = "random"

    def __post_init__(self) -> None:
        from codewren.source import Language
        from codewren_distill.settings import FreshStudent

        for name in ("mask_share", "valid_share"):
            if not 0 < getattr(self, name) < 1:
                raise OptionError(f"{name} must be between 0 and 1, not {getattr(self, name)}")
        if self.language is not None and not self.token_types:
            raise OptionError("language is for token_types; leave it out, or ask for them")
        if self.language is not None and self.language not in set(Language):
            raise OptionError(f"language is one of {', '.join(Language)}, not {self.language!r}")
        FreshStudent(self.dropout, embeddings=self.embeddings)  # refuses what it would


def pretrain(
    run: Run,
    data: Dataset,
    normalisation: Normalisation,
    settings: PretrainSettings,
    training: TrainingSettings,
) -> dict[str, Any]:
    """Train the encoder of `run/architecture.json` on the texts of `data` into `run/pretrained/`.

    The run's task, once there is one, must have the same `normalisation`.
    """
    from codewren.data.holding_out import hold_out
    from codewren_distill.memory import texts_of
    from codewren_distill.pretraining import pretrain as train
    from codewren_runtime.types import Example

    architecture = read_architecture(run)
    _check_normalisation(run, normalisation)
    inputs = {
        "architecture": architecture.to_json(),
        "normalisation": normalisation,
        "data": data.sha256,
        "settings": asdict(settings),
        "training": training.to_json(),
    }
    folder = run.path(PRETRAINED)
    step = Step("pretrain", folder / "metrics.json", inputs)
    if done := finished_training(run, step):
        return done
    texts = texts_of(data.examples)
    masked = _masked(architecture, normalisation, texts, settings, training.seed)
    kept, held = hold_out([Example(text) for text in texts], settings.valid_share, training.seed)
    kinds = _kinds(run, masked, texts, settings) if settings.token_types else None
    with Watch(run.reporter, step.title) as watch:
        measured = train(
            masked,
            texts_of(kept),
            texts_of(held),
            training,
            folder,
            share=settings.mask_share,
            identity=step.identity,
            kinds=kinds,
            report=watch.report,
        )
    return finish_training(
        step,
        {
            "parameters": sum(p.numel() for p in masked.model.parameters()),
            "texts": len(kept),
            "held_out": len(held),
            **asdict(measured),
            "seconds": round(measured.seconds, 1),
        },
    )


def _check_normalisation(run: Run, normalisation: Normalisation) -> None:
    task = run.task()
    if task is not None and task.normalisation != normalisation:
        raise OptionError(
            f"{run.path('task.json')}: the run's task reads {task.normalisation} text, not "
            f"{normalisation}; pretrain with --normalisation {task.normalisation}"
        )


def _masked(
    architecture: Architecture,
    normalisation: Normalisation,
    texts: list[str],
    settings: PretrainSettings,
    seed: int,
) -> Masked:
    from codewren.token_types import KINDS
    from codewren_distill.masked import build_masked
    from codewren_distill.vocabulary import train_tokenizer

    # What it answers is decided later; an encoder is the same for all tasks.
    task = Task("pretraining", "single", ("no", "yes"), normalisation)
    tokenizer = train_tokenizer(texts, architecture.vocab_size, normalisation)
    kinds = len(KINDS) if settings.token_types else 0
    masked = build_masked(
        architecture, task, tokenizer, seed, dropout=settings.dropout, kinds=kinds
    )
    if settings.embeddings == "cooccurrence":
        from codewren_distill.cooccurrence import initialise_embeddings

        initialise_embeddings(masked.core, masked.text.tokenizer, texts, seed)
    return masked


def _kinds(
    run: Run, masked: Masked, texts: list[str], settings: PretrainSettings
) -> Callable[[str], list[int]]:
    """The kinds of the tokens of every text, by the text."""
    from codewren.source import Language
    from codewren.token_types import kinds_of_characters
    from codewren_distill.masked import NO_KIND
    from codewren_distill.token_kinds import kinds_of_tokens
    from codewren_runtime.tokenizer import CodeTokenizer

    language = None if settings.language is None else Language(settings.language)
    tokenizer = masked.text.tokenizer
    assert isinstance(tokenizer, CodeTokenizer)
    of_text = kinds_of_tokens(
        tokenizer, partial(kinds_of_characters, language=language, none=NO_KIND)
    )
    found: dict[str, list[int]] = {}
    with run.reporter.step("token types", len(texts)) as bar:
        for text in texts:
            found[text] = of_text(text)
            bar.advance(1)
    return found.__getitem__
