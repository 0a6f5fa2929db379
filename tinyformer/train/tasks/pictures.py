"""Classifiers of pictures, which are rows of numbers: handwritten digits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd import no_grad
from ...data import load
from ...data.augmentation import cut_out, mixed_up, randomly_moved
from ...data.images import shifted
from ...models import LogisticConfig, LogisticRegression, load_model
from ...nn import evaluating
from ...ops import softmax
from ..classes import save_classes
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
    shift: int = setting(0, "In training each picture is shifted by up "
                            "to this many pixels, at random, in both directions.",
                         at_least=0, at_most=8)
    rotate: float = setting(0.0, "In training each picture is rotated by up to this many degrees.", at_least=0,
                            at_most=180)
    scale: float = setting(0.0, "In training each picture is scaled by a factor between 1 − scale and 1/(1 − scale).",
                           at_least=0, below=1)
    cut_out: int = setting(0, "In training a square of this many pixels is set to 0.", at_least=0)
    mix_up: float = setting(0.0, "α of mix-up: in training two pictures are averaged with a weight from Beta(α, α); "
                                 "0: none.", at_least=0)
    encoder: str = setting("", "The folder of a run, such as one of simclr-mnist, "
                               "whose encoder the training starts from.")


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

    def prepare(self, model: Pretrained) -> None:
        """Load the encoder that ``data.encoder`` names. ValueError if either model has none, or they do not fit."""
        if not self.data.encoder:
            return
        other = load_model(self.data.encoder)
        for owner, where in ((model, "the model of this recipe"), (other, self.data.encoder)):
            if not hasattr(owner, "encoder"):
                raise ValueError(f"data.encoder: {where} is a {type(owner).__name__}, which has no encoder; "
                                 "expected one such as SimCLR or PrototypeNetwork")
        try:
            model.encoder.load_state_dict(other.encoder.state_dict())
        except (ValueError, KeyError) as error:
            raise ValueError(f"data.encoder: {self.data.encoder} does not fit the model: {error}") from None

    def batch(self, model: Pretrained, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Random pictures (B, pixels) and their labels (B,)."""
        x, y = self.select(model, rng.integers(0, len(self.train.y), size), rng)
        return mixed_up(x, y, self.data.mix_up, rng) if self.data.mix_up else (x, y)

    def select(self, model: Pretrained, chosen: NDArray[np.int64], rng: np.random.Generator) -> tuple[Any, Any]:
        """The training pictures with the indices ``chosen``, each changed on its own, and their labels."""
        (x, y), data = self.examples_of(model, "train", chosen), self.data
        if data.rotate or data.scale:
            x = randomly_moved(x, rng, rotate=data.rotate, scale=data.scale)
        if data.shift:
            x = shifted(x, data.shift, rng)
        if data.cut_out:
            x = cut_out(x, data.cut_out, rng)
        return x, y

    def examples_of(self, model: Pretrained, part: str, chosen: NDArray[np.int64]) -> tuple[Any, Any]:
        """The pictures with the indices ``chosen``, and their labels."""
        examples = getattr(self, part)
        return examples.x[chosen], examples.y[chosen]

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

    def save(self, folder: Path) -> None:
        """Write the names of the classes."""
        save_classes(folder, self.classes)

    def sha256(self) -> str:
        """A hash of the pictures and labels."""
        return hashlib.sha256(b"".join(part.tobytes() for part in (*self.train, *self.validation))).hexdigest()
