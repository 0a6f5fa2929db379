"""Classifiers of pictures, which are rows of numbers: handwritten digits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd import no_grad
from ...data import load
from ...data.images import shifted
from ...models import LogisticConfig, LogisticRegression
from ...nn import evaluating
from ...ops import softmax
from ..settings import setting
from .labeled import Folds, Labeled
from .registry import register

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ...models.pretrained import Pretrained

__all__ = ["Pictures"]

SETS = ("mnist-5k",)


@dataclass
class PictureSettings(Folds):
    """The section [data] of a classifier of pictures."""

    set: str = setting("mnist-5k", "The data set.", one_of=SETS)
    shift: int = setting(0, "In training each picture is moved by up "
                            "to this many pixels, at random, in both directions.",
                         at_least=0, at_most=8)


@register
class Pictures(Labeled):
    """Labeled pictures, split."""

    name, unit = "pictures", "nats per picture"
    noun, example = "classifier of pictures", "mlp-mnist"
    Data, Sizes = PictureSettings, ("n_features", "n_classes")
    examples, baseline, Baseline = "pictures", "logistic regression", LogisticRegression
    input_unit = "pixels"

    def __init__(self, data: Any, folder: Path | None = None):
        super().__init__(data, load(data.set))

    def sizes(self) -> dict[str, int]:
        """The number of pixels and of classes."""
        return {"n_features": self.train.x.shape[1], "n_classes": len(self.classes)}

    def batch(self, model: Pretrained, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Random pictures (B, pixels) and their labels (B,)."""
        chosen = rng.integers(0, len(self.train.y), size)
        x = self.train.x[chosen]
        return shifted(x, self.data.shift, rng) if self.data.shift else x, self.train.y[chosen]

    def probabilities(self, model: Pretrained, part: str) -> NDArray[np.float64]:
        """(N, K) for the pictures of "train", "validation" or "test", in evaluation mode."""
        with evaluating(model), no_grad():
            return softmax(model(getattr(self, part).x)).data.astype(np.float64)

    @cached_property
    def baseline_answers(self) -> NDArray[np.int64]:
        """The classes (N,) that logistic regression gives the test pictures."""
        model = LogisticRegression(LogisticConfig(**self.sizes(), l2=0.003), dtype=np.float32)
        model.fit(*self.train, steps=200, tolerance=1e-3)
        return model.predict(self.test.x)

    def sha256(self) -> str:
        """A hash of the pictures and labels."""
        return hashlib.sha256(b"".join(part.tobytes() for part in (*self.train, *self.validation))).hexdigest()
