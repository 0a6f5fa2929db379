"""A data set in memory: three splits of inputs and targets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Examples(NamedTuple):
    """Inputs ``x`` and their targets ``y``, of equal length: lists of texts or arrays.

    ``texts, labels = data.train`` unpacks them.
    """

    x: Any
    y: Any


@dataclass
class Dataset:
    """A training, a validation and a test split.

    train, validation, test     ``Examples``: the inputs ``x`` and the targets ``y`` of the split
    classes                     the names of the labels 0, 1, … in ``y``; empty if ``y`` are not classes

    >>> train_x, train_y = load("mnist-5k").train                                               # doctest: +SKIP
    """

    name: str
    train: Examples = field(repr=False)
    validation: Examples = field(repr=False)
    test: Examples = field(repr=False)
    classes: tuple[str, ...] = ()

    def __str__(self) -> str:
        sizes = ", ".join(f"{len(getattr(self, split).x):,} {split}" for split in ("train", "validation", "test"))
        return f"{self.name}: {sizes}" + (f"; {', '.join(self.classes)}" if self.classes else "")


def tenth(text: str) -> int:
    """The tenth, 0 to 9, that ``text`` belongs to: its SHA-1 modulo 10.

    It depends on the text alone. The split of a text does not change when other texts are added or removed, and equal
    texts are always in the same split.
    """
    return int(hashlib.sha1(text.encode()).hexdigest(), 16) % 10


def by_content(name: str, x: Iterable[str], y: Iterable[Any], classes: Sequence[str] = (),
               key: Callable[[str], str] = str) -> Dataset:
    """The data set of the texts ``x``: tenth 0 is for testing, tenth 1 for validation, and the rest for training.

    y           for each text a label 0, 1, …, which becomes int64; without ``classes``, any target, such as a text
    classes     the names of the labels
    key         texts with equal keys are in the same split; by default each text is its own key
    """
    parts: tuple[list[Any], ...] = [], [], []
    for text, answer in zip(x, y):
        parts[{0: 2, 1: 1}.get(tenth(key(text)), 0)].append((text, answer))
    return Dataset(name, *(_examples(part, bool(classes)) for part in parts), tuple(classes))


def _examples(rows, labeled):
    x, y = [row[0] for row in rows], [row[1] for row in rows]
    return Examples(x, np.array(y, np.int64) if labeled else y)
