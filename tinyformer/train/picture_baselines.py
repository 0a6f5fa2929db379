"""Simple models of pictures whose likelihood a generative model is compared with.

Each returns −ln p(x), or a bound on it from above, as the mean over the pictures in nats. A gray pixel x in 0…1 counts
as the cross-entropy −x ln p − (1 − x) ln(1 − p), as in the loss of a VAE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Examples

LEAST = (0.001, 0.003, 0.01, 0.03, 0.1)                     # probabilities of a pixel, tried on the validation split
NOISE = (0.03, 0.1, 0.2, 0.3, 0.5)                          # standard deviations of the code, in units of the prior's


def pixel_means(train: Examples, x: NDArray[Any]) -> float:
    """Independent pixels with the means of the training pictures, smoothed as if half a lit and half a dark picture
    had been seen too."""
    return float(_losses(_smoothed_mean(train.x), x).mean())


def class_means(train: Examples, n_classes: int, x: NDArray[Any], y: NDArray[Any] | None = None) -> float:
    """A mixture of ``pixel_means`` of each class, with the class frequencies; with labels ``y``, −ln p(x | y)."""
    each = np.stack([_losses(_smoothed_mean(train.x[train.y == k]), x) for k in range(n_classes)])      # (K, N)
    if y is not None:
        return float(each[y, np.arange(len(y))].mean())
    joint = np.log(np.bincount(train.y, minlength=n_classes) / len(train.y))[:, None] - each
    most = joint.max(axis=0)
    return float(-(most + np.log(np.exp(joint - most).sum(axis=0))).mean())


def principal_components(train: Examples, validation: Examples, n_components: int, x: NDArray[Any]) -> float:
    """−ELBO of principal component analysis as a latent-variable model, a bound on −ln p(x) like that of a VAE.

        p(z) = N(0, I)    p(x | z) = Bernoulli(clip(μ + V diag(s) z, c, 1 − c))    q(z | x) = N(Vᵀ(x − μ)/s, τ² I)

    V are the first components of the training pictures and s their standard deviations. τ and c are chosen on the
    validation split.
    """
    mean = train.x.mean(axis=0, dtype=np.float64)
    _, singular, axes = np.linalg.svd(train.x - mean, full_matrices=False)
    n = min(n_components, len(axes))
    deviation = singular[:n] / np.sqrt(len(train.x) - 1)
    axes = axes[:n]

    def codes(pictures):
        return (pictures - mean) @ axes.T / deviation

    def bound(pictures, tau, least):
        code = codes(pictures)
        noise = np.random.default_rng(0).standard_normal(code.shape)
        made = (mean + ((code + tau * noise) * deviation) @ axes).clip(least, 1 - least)
        divergence = 0.5 * (code ** 2 + tau ** 2 - 1 - 2 * np.log(tau)).sum(axis=1)
        return float((_losses(made, pictures) + divergence).mean())

    best = min(((tau, least) for tau in NOISE for least in LEAST), key=lambda pair: bound(validation.x, *pair))
    return bound(x, *best)


def _smoothed_mean(x: NDArray[Any]) -> NDArray[np.float64]:
    return (x.sum(axis=0, dtype=np.float64) + 0.5) / (len(x) + 1)


def _losses(p: NDArray[np.float64], x: NDArray[Any]) -> NDArray[np.float64]:
    """The cross-entropy of each picture, summed over its pixels: (N,)."""
    return -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=1)
