"""Ways through the latent space of a model of pictures: straight lines, and a plane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..names import module_attributes
from ..number_checks import check_integer
from ..rng import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..typing import RNGLike

__all__ = ["interpolations", "latent_plane"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)

STEPS = 8                               # pictures of an interpolation
REACH = 2.0                             # of the plane along each axis, in standard deviations of the prior


def interpolations(model: Any, n: int = 64, rng: RNGLike = None, y: int | None = None) -> tuple[NDArray[Any], int]:
    """(pictures, columns): rows of pictures that lead from one random latent vector to another.

    A row has 8 pictures, so there are n / 8 rows, at least one. The vectors lie on the arc between the two: points on
    the straight line would be nearer to 0 than nearly all that the prior N(0, I) draws.

    model       a ``VAE`` or ``GAN`` of pictures        y       the class, for a conditional model

    Source: White (2016), "Sampling generative networks", for the arc.
    """
    rows = max(1, check_integer("interpolations", "n", n, at_least=1) // STEPS)
    rng = generator(rng)
    ends = rng.standard_normal((2, rows, 1, model.config.n_latent))
    share = np.linspace(0, 1, STEPS)[:, None]
    cosine = (ends[0] * ends[1]).sum(axis=-1) / np.prod(np.linalg.norm(ends, axis=-1), axis=0)
    angle = np.arccos(cosine.clip(-1, 1))[..., None].clip(1e-6)
    z = (np.sin((1 - share) * angle) * ends[0] + np.sin(share * angle) * ends[1]) / np.sin(angle)
    return _pictures(model, z.reshape(rows * STEPS, -1), y, rng), STEPS


def latent_plane(model: Any, n: int = 64, rng: RNGLike = None, y: int | None = None) -> tuple[NDArray[Any], int]:
    """(pictures, columns): a square grid of about n latent vectors, decoded, from −2 to 2 along two of their numbers.

    They are the two that change the picture most around 0; the others are 0. With two latent numbers it is the whole
    space. The arguments are those of ``interpolations``.
    """
    side = max(2, math.isqrt(check_integer("latent_plane", "n", n, at_least=1)))
    rng, size = generator(rng), model.config.n_latent
    if size < 2:
        raise ValueError(f"latent_plane: the model has {size} latent number, expected at least 2")
    steps = np.concatenate([np.eye(size), -np.eye(size)])
    up, down = np.split(_pictures(model, steps, y if y is not None else 0, rng).reshape(2 * size, -1), 2)
    first, second = np.sort(np.argsort(-((up - down) ** 2).sum(axis=1), kind="stable")[:2])
    z, along = np.zeros((side, side, size)), np.linspace(-REACH, REACH, side)
    z[:, :, first], z[:, :, second] = along, -along[:, None]                    # to the right and upward
    return _pictures(model, z.reshape(side * side, size), y, rng), side


def _pictures(model: Any, z: NDArray[Any], y: int | None, rng: np.random.Generator) -> NDArray[Any]:
    """The pictures of latent vectors z, all of class y; without y a conditional model gets one random class."""
    classes = None
    if model.config.conditional:
        classes = np.full(len(z), rng.integers(0, model.config.n_classes) if y is None else y)
    return model.pictures(z.astype(np.float32), classes)
