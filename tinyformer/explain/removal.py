"""Occlusion: how the score changes when a window of the input is removed. It needs no gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_integer
from .scores import checked_baseline, checked_input, score_values

if TYPE_CHECKING:
    from ..typing import Array, TensorLike
    from .scores import Scores


def occlusion(f: Scores, x: TensorLike, window: int | Sequence[int], target: Any = None,
              baseline: TensorLike = 0.0) -> Array:
    """The mean fall of the score over the windows that cover each entry. Shape and type of x.

        A_i = mean over windows W that contain i of  f_c(x) − f_c(x with W at the baseline)

    f           maps a Tensor (N, …) to scores, (N,) or (N, classes); it may also return an array
    x           array or Tensor (N, …) of floating-point numbers
    window      an integer: entries of x (N, D), or time steps of x (N, T, C) with all their channels;
                or the window's size along each axis of x[0]. Windows move by 1 and stay inside
    target      None for scores (N,); a class, or classes (N,), for scores (N, classes)
    baseline    what a removed entry becomes: a number, an array like x, or one like x[0]

    A positive value means that the entry speaks for the class. Raises ValueError for a window that does not fit. As
    Captum's ``Occlusion`` with strides of 1.

    Source: Zeiler and Fergus (2014), "Visualizing and understanding convolutional networks"; book (17.6).
    """
    x = checked_input("occlusion", x)
    sizes = _window(window, x.shape[1:])
    empty = checked_baseline("occlusion", baseline, x)
    whole = score_values("occlusion", f, x, target)
    total, covered = np.zeros(x.shape), np.zeros(x.shape[1:])
    for corner in np.ndindex(*(have - size + 1 for have, size in zip(x.shape[1:], sizes))):
        inside = (slice(None), *(slice(first, first + size) for first, size in zip(corner, sizes)))
        hidden = x.copy()
        hidden[inside] = empty[inside]
        fall = whole - score_values("occlusion", f, hidden, target)
        total[inside] += fall.reshape(-1, *[1] * len(sizes))
        covered[inside[1:]] += 1
    return (total / covered).astype(x.dtype)


def _window(window: int | Sequence[int], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The size of the window along each axis of one example."""
    if isinstance(window, (list, tuple, np.ndarray)):
        if len(window) != len(shape):
            raise ValueError(f"occlusion: window is {window!r}, expected {len(shape)} sizes, one for each axis of an "
                             f"example {shape}")
        return tuple(check_integer("occlusion", "window", int(size) if isinstance(size, np.integer) else size, 1, most)
                     for size, most in zip(window, shape))
    if len(shape) not in (1, 2):
        raise ValueError(f"occlusion: window is {window!r}, expected {len(shape)} sizes, one for each axis of an "
                         f"example {shape}: an integer serves x (N, D) and (N, T, C)")
    return (check_integer("occlusion", "window", window, 1, shape[0]), *shape[1:])
