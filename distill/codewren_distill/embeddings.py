"""What an embedding learns: a teacher's cosines between texts, or which two texts belong together.

A student has its own dimension: it reproduces cosines, not vectors. Similarity-preserving
distillation: Tung & Mori, ICCV 2019, here with cosines and across batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from codewren_distill.classifier import Classifier
from codewren_distill.models import Batch
from codewren_distill.objectives import Lesson
from codewren_distill.soft_labels import SoftLabels, example_key
from codewren_distill.text_side import SiameseText
from codewren_runtime.errors import DataError
from codewren_runtime.types import Example

__all__ = ["AlikeAsTaught", "BelongTogether", "contrastive_lesson", "each_text", "taught_lesson"]

REMEMBERED = 1024  # texts of the last steps that a batch is compared with, too
TEMPERATURE = 0.05  # of cosines: Gao et al., "SimCSE" (EMNLP 2021), section 3


def each_text(examples: Sequence[Example]) -> list[Example]:
    """The texts of rows one by one, as rows of their own, each with what it was rewritten from."""
    return [
        Example(text, original=None if example.original is None else (taught,))
        for example in examples
        for text, taught in zip(example.texts, example.taught, strict=True)
    ]


def taught_lesson(
    student: Classifier, examples: Sequence[Example], soft_labels: SoftLabels
) -> Lesson:
    """The teacher's cosines among all texts of the rows, single texts or pairs."""
    distinct = {example_key(text): text for text in each_text(examples)}
    teacher = torch.from_numpy(soft_labels.matrix(list(distinct.values())))
    return _lesson(student, examples, list(distinct), AlikeAsTaught(teacher))


def contrastive_lesson(classifier: Classifier, examples: Sequence[Example]) -> Lesson:
    """Rows are pairs, a query and the code that it is for; DataError for single texts."""
    if any(example.text2 is None for example in examples):
        raise DataError(
            "to learn embeddings without a teacher, rows must be pairs that belong together: name "
            "two fields with --text1 and --text2"
        )
    distinct = list(dict.fromkeys(map(example_key, each_text(examples))))
    return _lesson(classifier, examples, distinct, BelongTogether())


def _lesson(
    classifier: Classifier,
    examples: Sequence[Example],
    distinct: Sequence[bytes],
    objective: AlikeAsTaught | BelongTogether,
) -> Lesson:
    """Targets are the numbers of each row's texts among the distinct ones, (rows, 1 or 2)."""
    number = {key: at for at, key in enumerate(distinct)}
    numbers = torch.tensor([number[example_key(text)] for text in each_text(examples)])
    text = SiameseText(classifier.text.tokenizer, pairs=examples[0].text2 is not None)
    encoded = [text.encode(example) for example in examples]
    return Lesson(encoded, numbers.reshape(len(examples), -1), text, objective)


class AlikeAsTaught:
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


class BelongTogether:
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

    def state(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Nothing."""
