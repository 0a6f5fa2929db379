"""Classifiers of pictures, rows of numbers: the digits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...autograd import no_grad
from ...data import load
from ...data.images import shifted
from ...models import LogisticConfig, LogisticRegression
from ...nn import evaluating
from ...ops import softmax
from ..settings import setting
from .labelled import Folds, Labelled
from .registry import register

__all__ = ["Pictures"]

SETS = ("mnist-5k",)


@dataclass
class PictureSettings(Folds):
    """The section [data] of a classifier of pictures."""

    set: str = setting("mnist-5k", "The data set.", one_of=SETS)
    shift: int = setting(0, "In training each picture is moved by up to this many pixels, at random, in both directions.",
                         at_least=0, at_most=8)


@register
class Pictures(Labelled):
    """Pictures with labels, split."""

    name, unit = "pictures", "nats per picture"
    noun, example = "classifier of pictures", "mlp-mnist"
    Data, Sizes = PictureSettings, ("n_features", "n_classes")
    examples, baseline, Baseline = "pictures", "logistic regression", LogisticRegression
    input_unit = "pixels"

    def __init__(self, data, folder=None):
        super().__init__(data, load(data.set))

    def sizes(self):
        return {"n_features": self.train.x.shape[1], "n_classes": len(self.classes)}

    def batch(self, model, size, rng):
        chosen = rng.integers(0, len(self.train.y), size)
        x = self.train.x[chosen]
        return shifted(x, self.data.shift, rng) if self.data.shift else x, self.train.y[chosen]

    def probabilities(self, model, part):
        with evaluating(model), no_grad():
            return softmax(model(getattr(self, part).x)).data.astype(np.float64)

    @cached_property
    def baseline_answers(self):
        model = LogisticRegression(LogisticConfig(**self.sizes(), l2=0.003), dtype=np.float32)
        model.fit(*self.train, steps=200, tolerance=1e-3)
        return model.predict(self.test.x)

    def sha256(self):
        return hashlib.sha256(b"".join(part.tobytes() for part in (*self.train, *self.validation))).hexdigest()
