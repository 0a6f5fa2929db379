"""How good are generated pictures? A classifier judges them, in its own features, beside real pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import rng as randomness
from ..autograd import no_grad
from ..models import MLP, LeNet, LeNetConfig, MLPConfig
from ..nn import evaluating
from ..ops import softmax
from ..optim import Adam
from .loop import training_steps
from .scores import accuracy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Examples

STEPS, BATCH = 600, 64
SMALLEST = 144                                              # pixels of a picture that LeNet can read
LEAST_SHARE = 0.01                                          # of the samples, for a class that counts as covered


class Judge:
    """A classifier of rows of pixels, trained on ``train`` from a fixed seed: the same data give the same judge.

    It is a LeNet, or an MLP for pictures that are too small for one. Its features are its last hidden layer.
    """

    def __init__(self, train: Examples, n_classes: int) -> None:
        outer = randomness.generator().bit_generator.state
        randomness.seed(0)
        try:
            n = train.x.shape[1]
            self.model = (LeNet(LeNetConfig(n, n_classes, dropout=0.2)) if SMALLEST <= n == math.isqrt(n) ** 2 else
                          MLP(MLPConfig(n, n_classes, n_hidden=64, dropout=0.2)))
            chosen = np.random.default_rng(0)

            def batch():
                rows = chosen.integers(0, len(train.y), BATCH)
                return train.x[rows], train.y[rows]

            for _ in training_steps(self.model, Adam(self.model.parameters(), lr=2e-3), None, batch, max_steps=STEPS):
                pass
        finally:
            randomness.generator().bit_generator.state = outer

    def features(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """The last hidden layer, (N, F)."""
        with evaluating(self.model), no_grad():
            return self.model.features(x).data.astype(np.float64)

    def probabilities(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """The probabilities of the classes, (N, K)."""
        with evaluating(self.model), no_grad():
            return softmax(self.model(x)).data.astype(np.float64)

    def distance(self, x: NDArray[Any], other: NDArray[Any]) -> float:
        """``frechet_distance`` of two sets of pictures in the judge's features."""
        return frechet_distance(self.features(x), self.features(other))

    def verdict(self, samples: NDArray[Any], real: Examples) -> dict[str, Any]:
        """{name: figure} of ``samples`` (n, pixels), beside the ``real`` pictures.

            judge_accuracy      of the judge on the real pictures
            classes_covered     classes that at least 1 % of the samples are assigned to; class_shares has the shares
            confidence          mean probability of the assigned class; real_confidence: of the real pictures
            frechet_distance    between samples and real pictures, in the judge's features
        """
        p = self.probabilities(samples)
        shares = np.bincount(p.argmax(axis=1), minlength=p.shape[1]) / len(p)
        of_real = self.probabilities(real.x)
        return {"samples": len(samples), "judge_accuracy": accuracy(real.y, of_real.argmax(axis=1)),
                "classes_covered": int((shares >= LEAST_SHARE).sum()),
                "class_shares": shares.tolist(),
                "confidence": float(p.max(axis=1).mean()),
                "real_confidence": float(of_real.max(axis=1).mean()),
                "frechet_distance": self.distance(samples, real.x)}


def frechet_distance(x: NDArray[Any], other: NDArray[Any]) -> float:
    """The squared Fréchet distance of two sets of vectors, (N, F) and (M, F), as if both were normally distributed.

        d² = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½)

    It is 0 for equal means and covariances. Few vectors make it larger, so compare sets of equal sizes.

    Source: Heusel et al. (2017), whose features are those of an Inception network.
    """
    covariances = [np.atleast_2d(np.cov(each, rowvar=False)) for each in (x, other)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    difference = x.mean(axis=0) - other.mean(axis=0)
    return float(max(0.0, difference @ difference + sum(map(np.trace, covariances)) - 2 * cross))


def nearest(x: NDArray[Any], among: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(index, Euclidean distance) of the row of ``among`` (M, n) that is nearest to each row of ``x`` (N, n)."""
    square = (x ** 2).sum(axis=1)[:, None] - 2 * x @ among.T + (among ** 2).sum(axis=1)
    index = square.argmin(axis=1)
    return index, np.sqrt(square[np.arange(len(x)), index].clip(0)).astype(np.float64)
