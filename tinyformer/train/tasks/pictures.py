"""Classifiers of pictures, rows of numbers: the digits."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...autograd import no_grad
from ...data import load
from ...data.images import shifted
from ...models.linear import LogisticConfig, LogisticRegression
from ...nn import evaluating
from ...ops import log_softmax
from .. import scores
from .base import Task

SETS = ("mnist-5k",)


@dataclass
class PictureSettings:
    """What is learned from."""

    set: str = "mnist-5k"
    shift: int = 0                      # in training each picture is moved by up to so many pixels, anew each time

    def check(self):
        """ValueError for a setting that cannot be used."""
        if self.set not in SETS:
            raise ValueError(f"data.set: got {self.set!r}, expected {' or '.join(SETS)}, a set of pictures")
        if not 0 <= self.shift <= 8:
            raise ValueError(f"data.shift: got {self.shift}, expected 0…8 pixels")


class Pictures(Task):
    """Pictures with labels, split."""

    name, unit = "pictures", "nats per picture"
    Data, Sizes = PictureSettings, ("n_features", "n_classes")

    def __init__(self, data, folder=None):
        self.data, dataset = data, load(data.set)
        self.train, self.validation, self.test, self.classes = dataset.train, dataset.validation, dataset.test, dataset.classes

    def sizes(self):
        return {"n_features": self.train.x.shape[1], "n_classes": len(self.classes)}

    def batch(self, model, size, rng):
        chosen = rng.integers(0, len(self.train.y), size)
        x = self.train.x[chosen]
        return shifted(x, self.data.shift, rng) if self.data.shift else x, self.train.y[chosen]

    def _log_p(self, model, part):
        """ln p (N, K) for the pictures of a part, in evaluation mode."""
        with evaluating(model), no_grad():
            return log_softmax(model(part.x)).data

    def _figures(self, model, part):
        """(loss, which were right) on a part."""
        log_p = self._log_p(model, part)
        loss = float(-log_p[np.arange(len(part.y)), part.y].mean())
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss}; try a lower train.lr")
        return loss, log_p.argmax(axis=1) == part.y

    def measure(self, model, at_most=None):
        loss, right = self._figures(model, self.validation)
        return {"val_loss": loss, "val_accuracy": float(right.mean())}

    def evaluate(self, model):
        """On the test split, beside a straight line."""
        began = time.perf_counter()
        loss, right = self._figures(model, self.test)
        seconds, n, accuracy = time.perf_counter() - began, len(right), float(right.mean())
        test = scores.mcnemar(right, self.logistic == self.test.y)
        return {"set": self.data.set, "split": "test", "pictures": n, "accuracy": accuracy,
                "standard_error": scores.standard_error(accuracy, n),
                "logistic_regression_accuracy": float((self.logistic == self.test.y).mean()),
                "p_of_mcnemars_test": test["p_exact"], "test_loss": loss, "parameters": model.num_parameters(),
                "pictures_per_s": round(n / max(seconds, 1e-9))}

    @cached_property
    def logistic(self):
        """The classes (N,) that logistic regression, trained on the same pictures, gives the test part."""
        model = LogisticRegression(LogisticConfig(**self.sizes(), l2=0.003), dtype=np.float32)
        model.fit(*self.train, steps=200, tolerance=1e-3)
        return model.predict(self.test.x)

    def baselines(self):
        """A guess knows how many classes there are."""
        return {"uniform": math.log(len(self.classes))}

    def describe(self):
        return (f"{self.data.set}: {len(self.train.y):,} pictures to train on, {len(self.validation.y):,} to validate, "
                f"{len(self.test.y):,} to test, {len(self.classes)} classes")

    def sha256(self):
        return hashlib.sha256(b"".join(part.tobytes() for part in (*self.train, *self.validation))).hexdigest()
