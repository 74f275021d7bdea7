"""The arms of the ablation: each a change of the base recipe, and what it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from codewren.data import Fields, read_examples
from codewren.progress import Silent
from codewren.recipe import PretrainRecipe, Recipe
from codewren.verbs.augment import AugmentSettings, augment

__all__ = ["AGAINST", "ARMS", "BASE", "FIELDS", "distilled", "labelled"]

JAVA = Path(__file__).resolve().parents[2] / "shared" / "data" / "unlabelled" / "java.jsonl.gz"
BASE = "base"
FIELDS = Fields(text1="text1", text2="text2", label="label")

Arm = Callable[[Recipe], Recipe]
labelled = partial(read_examples, require_label=True)


def distilled(recipe: Recipe, **changes: Any) -> Recipe:
    return replace(recipe, distill=replace(recipe.distill, **changes))


def trained(recipe: Recipe, **changes: Any) -> Recipe:
    return replace(recipe, training=replace(recipe.training, **changes))


def exported_as(recipe: Recipe, quant: Any) -> Recipe:
    return replace(recipe, export=replace(recipe.export, quant=quant))


def normalised(recipe: Recipe, name: Any) -> Recipe:
    return replace(recipe, task=replace(recipe.task, normalisation=name))


def counted_in_fp32(recipe: Recipe) -> Recipe:
    return replace(recipe, search=replace(recipe.search, bits=32))


def augmented(recipe: Recipe) -> Recipe:
    """Each row once more, under other names and in another layout; in as many steps."""
    out = recipe.data.unlabelled.with_name("augmented.jsonl")
    if not out.is_file():
        data = labelled(recipe.data.unlabelled, FIELDS, recipe.task.labels)
        augment(Silent(), data, FIELDS, out, AugmentSettings(copies=1, seed=recipe.seed))
    recipe = trained(recipe, epochs=recipe.training.epochs // 2)
    return replace(recipe, data=replace(recipe.data, unlabelled=out))


def by_pairs(recipe: Recipe, consistency: float = 0.0) -> Recipe:
    """By pairs and not by texts, some tokens hidden, and the moving average of the weights kept."""
    return trained(recipe, memory=False, token_dropout=0.1, ema=0.99, consistency=consistency)


def consistent(recipe: Recipe) -> Recipe:
    """The same, answering as that average does, of rewritings as it does of the original."""
    return by_pairs(recipe, consistency=1.0)


def pretrained(recipe: Recipe) -> Recipe:
    """On other Java functions, in about as many steps as the training has."""
    training = replace(recipe.training, epochs=3, memory=False, token_dropout=0.0)
    return replace(recipe, pretrain=PretrainRecipe(JAVA, "code", 4_000, training=training))


def shown_layers(recipe: Recipe, **weights: float) -> Recipe:
    """The teacher's layers beside its answers."""
    label = replace(recipe.label, states=True)
    return distilled(replace(recipe, label=label), **weights)


ARMS: dict[str, Arm] = {
    BASE: lambda recipe: recipe,
    "loss: logits' squared error": partial(distilled, loss="mse"),
    "loss: KL at temperature 1": partial(distilled, temperature=1.0),
    "loss: KL at temperature 10": partial(distilled, temperature=10.0),
    "loss: half plain labels": partial(distilled, hard_weight=0.5),
    "loss: plain labels alone": partial(distilled, hard_weight=1.0),
    "text: raw": partial(normalised, name="raw"),
    "text: words": partial(normalised, name="words"),
    "text: as published": partial(normalised, name="published"),
    "augmentation by rewriting": augmented,
    "by pairs": by_pairs,
    "by pairs, a mean teacher": consistent,
    "by pairs, augmented": lambda recipe: by_pairs(augmented(recipe)),
    "by pairs, augmented, a mean teacher": lambda recipe: consistent(augmented(recipe)),
    "pre-training": pretrained,
    "transfer of hidden states": partial(shown_layers, hidden_weight=1.0),
    "transfer of relations": partial(shown_layers, relation_weight=1.0),
    "int8, trained for it": partial(distilled, qat="int8"),
    "int4, rounded": partial(exported_as, quant="int4"),
    "int4, trained for it": partial(distilled, qat="int4"),
    "budget counted in fp32": counted_in_fp32,
}
AGAINST = {  # the others: the base
    "int4, trained for it": "int4, rounded",
    "by pairs, a mean teacher": "by pairs",
    "by pairs, augmented": "by pairs",
    "by pairs, augmented, a mean teacher": "by pairs, augmented",
}
