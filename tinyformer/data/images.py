"""Pictures as rows of numbers."""

from __future__ import annotations

import math

import numpy as np


def shifted(x, pixels, rng):
    """Each square picture of ``x`` (N, side²) moved by up to ``pixels`` along either axis, drawn by ``rng``; 0 comes in.

    A digit is the same digit one pixel further: moved anew for each batch, few pictures teach like many.
    """
    side = math.isqrt(x.shape[1])
    if side * side != x.shape[1]:
        raise ValueError(f"shifted: pictures have {x.shape[1]} numbers, expected a square")
    padded = np.pad(x.reshape(-1, side, side), ((0, 0), (pixels, pixels), (pixels, pixels)))
    down, right = rng.integers(0, 2 * pixels + 1, (2, len(x), 1)) + np.arange(side)             # (N, side) each
    return padded[np.arange(len(x))[:, None, None], down[:, :, None], right[:, None, :]].reshape(x.shape)
