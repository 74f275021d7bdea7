"""What an embedding learns: a teacher's cosines between texts, or which two texts belong together.

A student has its own dimension: it reproduces cosines, not vectors. Similarity-preserving
distillation: Tung & Mori, ICCV 2019, here with cosines and across batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from codewren_distill.classifier import Classifier
from codewren_distill.objectives import Lesson, Objective
from codewren_distill.soft_labels import SoftLabels, example_key
from codewren_distill.text_side import Batch, SiameseText
from codewren_distill.token_file import token_file
from codewren_runtime.errors import DataError
from codewren_runtime.lazy import Lazy
from codewren_runtime.types import Example

__all__ = ["AlikeAsTaught", "BelongTogether", "EachText", "contrastive_lesson", "taught_lesson"]

REMEMBERED = 1024  # texts of the last steps that a batch is compared with, too
TEMPERATURE = 0.05  # of cosines: Gao et al., "SimCSE" (EMNLP 2021), section 3


class EachText(Lazy[Example]):
    """The texts of rows one by one, as rows of their own, each with what it was rewritten from."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples
        self._sides = len(examples[0].texts)

    def __len__(self) -> int:
        return len(self._examples) * self._sides

    def at(self, place: int) -> Example:
        """One text of a row."""
        row, side = divmod(place, self._sides)
        example = self._examples[row]
        taught = None if example.original is None else (example.original[side],)
        return Example(example.texts[side], original=taught)


def taught_lesson(
    student: Classifier,
    examples: Sequence[Example],
    soft_labels: SoftLabels,
    folder: Path,
    key: str,
) -> Lesson:
    """The teacher's cosines among all texts of the rows, single texts or pairs.

    The rows' token ids go to `folder`, under `key`: see `codewren_distill.token_file`.
    """
    keys = list(map(example_key, EachText(examples)))
    distinct = list(dict.fromkeys(keys))
    objective = AlikeAsTaught(torch.from_numpy(soft_labels.of_keys(distinct)))
    return _lesson(student, examples, keys, objective, token_folder=folder, key=key)


def contrastive_lesson(
    classifier: Classifier, examples: Sequence[Example], folder: Path, key: str
) -> Lesson:
    """Rows are pairs, a query and the code that it is for; DataError for single texts.

    `folder` and `key` as in `taught_lesson`.
    """
    if any(example.text2 is None for example in examples):
        raise DataError(
            "to learn embeddings without a teacher, rows must be pairs that belong together: name "
            "two fields with --text1 and --text2"
        )
    keys = list(map(example_key, EachText(examples)))
    return _lesson(classifier, examples, keys, BelongTogether(), token_folder=folder, key=key)


def _lesson(
    classifier: Classifier,
    examples: Sequence[Example],
    keys: Sequence[bytes],
    objective: AlikeAsTaught | BelongTogether,
    *,
    token_folder: Path,
    key: str,
) -> Lesson:
    """Targets are the numbers of each row's texts among the distinct ones, (rows, 1 or 2)."""
    number: dict[bytes, int] = {}
    numbers = torch.tensor([number.setdefault(one, len(number)) for one in keys])
    text = SiameseText(classifier.text.tokenizer, pairs=examples[0].text2 is not None)
    encoded = token_file(token_folder, key, text, examples)
    return Lesson(encoded, numbers.reshape(len(examples), -1), text, objective)


class AlikeAsTaught(Objective):
    """Squared error of the cosines of a batch's texts with each other and with remembered ones.

    `teacher` (texts, D) are its vectors, of unit length. Batches hold texts of like length: what
    was embedded a few steps ago (cross-batch memory: Wang et al., CVPR 2020) is of any length.
    """

    def __init__(self, teacher: Tensor) -> None:
        self.teacher = teacher
        self.numbers = torch.zeros(0, dtype=torch.long)
        self.memory = torch.zeros(0)

    def __call__(self, model: torch.nn.Module, batch: Batch, target: Tensor) -> Tensor:
        """The mean over all pairs; `target` (b, sides) are numbers of texts."""
        embedded = model(**batch).float()
        numbers = (
            target.t().flatten().cpu()
        )  # as a batch has them: all first texts, then all second
        with torch.autocast(embedded.device.type, enabled=False):
            others = torch.cat((embedded, self.memory.to(embedded).reshape(-1, embedded.shape[1])))
            wanted = self._taught(numbers) @ self._taught(torch.cat((numbers, self.numbers))).t()
            loss = mse_loss(embedded @ others.t(), wanted.to(embedded.device))
        self.memory = others.detach()[:REMEMBERED].cpu()
        self.numbers = torch.cat((numbers, self.numbers))[:REMEMBERED]
        return loss

    def _taught(self, numbers: Tensor) -> Tensor:
        return self.teacher[numbers].float()

    def state(self) -> dict[str, Tensor]:
        """The remembered embeddings, the latest first."""
        return {"memory": self.memory, "numbers": self.numbers}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Remember what `state` gave."""
        self.memory, self.numbers = state["memory"], state["numbers"]


class BelongTogether(Objective):
    """InfoNCE both ways round: each query finds its code in the batch, each code its query.

    van den Oord et al. 2018, with the symmetric form of Radford et al., "CLIP" (ICML 2021).
    """

    def __call__(self, model: torch.nn.Module, batch: Batch, target: Tensor) -> Tensor:
        """The mean over the batch's rows; `target` (b, 2) are numbers of texts."""
        first, second = model(**batch).float().chunk(2)
        with torch.autocast(first.device.type, enabled=False):
            logits = first @ second.t() / TEMPERATURE
        same = (target[:, None] == target[None]).any(-1)  # another row's text is no negative
        same.fill_diagonal_(fill_value=False)
        logits = logits.masked_fill(same, -torch.inf)
        own = torch.arange(len(target), device=target.device)
        return (cross_entropy(logits, own) + cross_entropy(logits.t(), own)) / 2
