"""Augmentation of pictures that are rows of numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def shifted(x: NDArray[Any], pixels: int, rng: np.random.Generator) -> NDArray[Any]:
    """Each square picture of ``x`` (N, side²), shifted by up to ``pixels`` along each axis, drawn by ``rng``.

    New pixels are 0.

    A digit is the same digit when it is shifted. Random shifts for each batch therefore act like a larger training set.
    Raises ValueError for pictures that are not square.
    """
    side = side_of("shifted", x)
    padded = np.pad(x.reshape(-1, side, side), ((0, 0), (pixels, pixels), (pixels, pixels)))
    down, right = rng.integers(0, 2 * pixels + 1, (2, len(x), 1)) + np.arange(side)             # (N, side) each
    return padded[np.arange(len(x))[:, None, None], down[:, :, None], right[:, None, :]].reshape(x.shape)


def side_of(function: str, x: NDArray[Any]) -> int:
    """The side of the square pictures ``x`` (N, side²). ValueError, which names the ``function``, for others."""
    side = math.isqrt(x.shape[1]) if x.ndim == 2 else -1
    if x.ndim != 2 or side * side != x.shape[1]:
        raise ValueError(f"{function}: pictures have shape {x.shape}, expected (N, side²), square pictures as rows")
    return side
