"""What models that generate pictures share: the pictures, the judge of their samples, and sheets of samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import load
from ...data.images import shifted
from ...viz import draw_pictures
from ..judge import Judge, nearest
from ..settings import check_settings, setting
from .base import Task
from .pictures import SETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...models.pretrained import Pretrained

__all__ = ["Generation"]

SAMPLES, SHOWN = 1000, 64                                   # that are judged; on a sheet


@dataclass
class GenerationSettings:
    """The section [data] of a model that generates pictures."""

    set: str = setting("mnist-5k", "The data set.", one_of=SETS)
    shift: int = setting(0, "In training each picture is shifted by up to this many pixels, at random, in both "
                            "directions.", at_least=0, at_most=8)
    kind: str = setting("", "The name of a class: learn pictures of this class only; empty: of all classes.")

    def check(self) -> None:
        """ValueError for a setting that cannot be used."""
        check_settings("data", self)


class Generation(Task):
    """Pictures, split into ``train``, ``validation`` and ``test``, as rows of pixels in 0…1."""

    noun, command, input_unit = "model that generates pictures", "sample", "pixels"
    Data, Sizes = GenerationSettings, ("n_features", "n_classes")

    def __init__(self, data: Any, folder: Path | None = None):
        dataset = load(data.set)
        self.data, self.classes = data, dataset.classes
        self.train, self.validation, self.test = dataset.train, dataset.validation, dataset.test
        for part in ("train", "validation", "test"):
            examples = getattr(self, part)
            if not len(examples.y):
                raise ValueError(f"{data.set}: its {part} part has no pictures; expected at least one")
            if data.kind:
                if data.kind not in self.classes:
                    raise ValueError(f"data.kind: got {data.kind!r}, expected one of {', '.join(self.classes)}")
                chosen = examples.y == self.classes.index(data.kind)
                setattr(self, part, type(examples)(examples.x[chosen], examples.y[chosen]))

    def sizes(self) -> dict[str, int]:
        """The number of pixels and of classes."""
        return {"n_features": self.train.x.shape[1], "n_classes": len(self.classes)}

    def batch(self, model: Pretrained, size: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Random pictures (B, pixels) and, for a conditional model, their classes (B,); else None."""
        chosen = rng.integers(0, len(self.train.y), size)
        x = self.train.x[chosen]
        x = shifted(x, self.data.shift, rng) if self.data.shift else x
        return x, self.train.y[chosen] if model.config.conditional else None

    def labels(self, model: Pretrained, part: str) -> NDArray[np.int64] | None:
        """The classes of a split for a conditional model, else None."""
        return getattr(self, part).y if model.config.conditional else None

    @cached_property
    def judge(self) -> Judge:
        """The classifier that judges samples, trained on the training pictures of all classes."""
        return Judge(load(self.data.set).train, len(self.classes))

    def samples(self, model: Pretrained, n: int | None = None) -> NDArray[Any]:
        """n samples as rows, 1,000 by default; the same for the same model."""
        n = n or SAMPLES
        return model.sample(n, np.random.default_rng(0)).reshape(n, -1)

    def judged(self, model: Pretrained) -> dict[str, Any]:
        """The judge's figures of samples beside the test pictures, and the distances that would reveal copies.

            training_frechet_distance   of as many training pictures, as a baseline
            nearest_distance            median distance of a sample to the nearest training picture; copies have 0
            real_nearest_distance       the same of the test pictures
        """
        samples = self.samples(model)
        real = np.random.default_rng(0).permutation(len(self.train.x))[:len(samples)]
        return {**self.judge.verdict(samples, self.test),
                "training_frechet_distance": self.judge.distance(self.train.x[real], self.test.x),
                "nearest_distance": float(np.median(nearest(samples, self.train.x)[1])),
                "real_nearest_distance": float(np.median(nearest(self.test.x, self.train.x)[1]))}

    def show(self, model: Pretrained, folder: Path, step: int) -> None:
        """Write a sheet of samples into folder/samples."""
        (folder / "samples").mkdir(exist_ok=True)
        draw_pictures(model.sample(SHOWN, np.random.default_rng(0)), folder / "samples" / f"step-{step:08d}.png")

    def draw(self, model: Pretrained, path: Path) -> None:
        """Write samples into the PNG file ``path``, each above the training picture that is nearest to it."""
        n, side = 20, model.shape[-2:]
        samples = self.samples(model, n)
        beside = self.train.x[nearest(samples, self.train.x)[0]]
        rows = [part[i:i + 10] for i in range(0, n, 10) for part in (samples, beside)]
        draw_pictures(np.concatenate(rows).reshape(-1, *side), path, columns=10)

    def describe(self) -> str:
        """The data in words."""
        one = f" of the class {self.data.kind}" if self.data.kind else f", {len(self.classes)} classes"
        return (f"{self.data.set}: {len(self.train.y):,} pictures to train on, {len(self.validation.y):,} to validate, "
                f"{len(self.test.y):,} to test{one}")

    def sha256(self) -> str:
        """A hash of the pictures and labels."""
        return hashlib.sha256(b"".join(part.tobytes() for part in (*self.train, *self.validation))).hexdigest()
