"""Encoders of pictures that learn without labels: which two views are of the same picture."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd import no_grad
from ...data import load
from ...data.augmentation import cut_out, randomly_moved
from ...data.images import shifted
from ...models import LogisticConfig, LogisticRegression
from ...nn import evaluating
from ..loop import without_graph
from ..retrieval import majority, nearest
from ..settings import check_settings, setting
from .base import Task
from .registry import register

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...models.pretrained import Pretrained

__all__ = ["Views"]

SETS = ("mnist-5k",)
GROUP = 125                                                 # pictures among which a partner is sought in validation


@dataclass
class ViewSettings:
    """The section [data] of an encoder that compares views: how much a view may differ from its picture."""

    set: str = setting("mnist-5k", "The data set; its labels are used for evaluation only.", one_of=SETS)
    shift: int = setting(3, "A view is shifted by up to this many pixels in both directions.", at_least=0, at_most=8)
    rotate: float = setting(20.0, "A view is rotated by up to this many degrees.", at_least=0, at_most=180)
    scale: float = setting(0.2, "A view is scaled by a factor between 1 − scale and 1/(1 − scale).", at_least=0,
                           below=1)
    cut_out: int = setting(8, "In a view a square of this many pixels is set to 0.", at_least=0)

    def check(self) -> None:
        """ValueError for a setting that cannot be used."""
        check_settings("data", self)


@register
class Views(Task):
    """Pictures, split; a pair is two views of one of them."""

    name, unit, input_unit, headline = "views", "nats per view", "pixels", "probe_accuracy"
    noun, example = "encoder of pictures", "simclr-mnist"
    Data, Sizes = ViewSettings, ("n_features",)

    def __init__(self, data: Any, folder: Any = None):
        self.data, dataset = data, load(data.set)
        self.train, self.validation, self.test = dataset.train, dataset.validation, dataset.test

    def sizes(self) -> dict[str, int]:
        """The number of pixels."""
        return {"n_features": self.train.x.shape[1]}

    def view(self, x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """The pictures x (N, pixels), each changed at random."""
        x = randomly_moved(x, rng, rotate=self.data.rotate, scale=self.data.scale)
        return cut_out(shifted(x, self.data.shift, rng), self.data.cut_out, rng)

    def batch(self, model: Pretrained, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Two views of random pictures, each (B, pixels)."""
        x = self.train.x[rng.choice(len(self.train.x), min(size, len(self.train.x)), replace=False)]
        return self.view(x, rng), self.view(x, rng)

    @cached_property
    def _fixed(self):
        rng = np.random.default_rng(1)
        order = rng.permutation(len(self.validation.x))     # the split is sorted by digit
        return self.view(self.validation.x[order], rng), self.view(self.validation.x[order], rng)

    def measure(self, model: Pretrained, at_most: int | None = None) -> dict[str, float]:
        """The loss among groups of 125 validation pictures, always with the same views."""
        a, b = self._fixed
        groups = [slice(first, first + GROUP) for first in range(0, len(a) - GROUP + 1, GROUP)]
        with evaluating(model):
            losses = [without_graph(model, lambda: [model.loss(a[i], b[i])])[0].item() for i in groups]
        return {"val_loss": float(np.mean(losses))}

    def features(self, model: Pretrained, x: NDArray[Any]) -> NDArray[Any]:
        """The features (N, n_embd) of pictures, in evaluation mode."""
        with evaluating(model), no_grad():
            return model(x).data

    def evaluate(self, model: Pretrained) -> dict[str, Any]:
        """Accuracy on the test split: logistic regression and three nearest neighbors, on features and on pixels."""
        began = time.perf_counter()
        known, x = self.features(model, self.train.x), self.features(model, self.test.x)
        seconds, labels = time.perf_counter() - began, self.test.y
        found = {}
        for name, (train, test) in {"": (known, x), "pixel_": (self.train.x, self.test.x)}.items():
            found[f"{name}probe_accuracy"] = float((probe(train, self.train.y, test) == labels).mean())
            found[f"{name}knn_accuracy"] = float((majority(self.train.y[nearest(test, train, 3)]) == labels).mean())
        return {"set": self.data.set, "split": "test", "pictures": len(labels), **found, **self.measure(model),
                **self.footprint(model), "pictures_per_s": round((len(known) + len(x)) / max(seconds, 1e-9))}

    def baselines(self) -> dict[str, float]:
        """The loss of a model that cannot tell the views of a group apart."""
        return {"uniform": math.log(2 * GROUP - 1)}

    def describe(self) -> str:
        """The data in words."""
        return (f"{self.data.set}: {len(self.train.x):,} pictures to train on without their labels, "
                f"{len(self.validation.x):,} to validate, {len(self.test.x):,} to test")

    def sha256(self) -> str:
        """A hash of the pictures."""
        return hashlib.sha256(self.train.x.tobytes() + self.validation.x.tobytes()).hexdigest()


def probe(x: NDArray[Any], y: NDArray[Any], asked: NDArray[Any], l2: float = 0.003) -> NDArray[np.int64]:
    """The classes that logistic regression on x (N, D), y (N,), standardized, gives to the rows ``asked``."""
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-6
    x, asked = ((a - mean) / deviation for a in (x, asked))
    model = LogisticRegression(LogisticConfig(n_features=x.shape[1], n_classes=int(y.max()) + 1, l2=l2),
                               dtype=np.float32)
    model.fit(x, y, steps=200, tolerance=1e-3)
    return model.predict(asked)
