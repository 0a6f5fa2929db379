"""Pictures between their pixels: bilinear interpolation, and its gradients. Arrays in, arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def bilinear(x: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any]) -> tuple[NDArray[Any], Callable[..., Any]]:
    """(y, vjp): the pictures x (N, C, H, W) at the places (``rows``, ``columns``), each (N, h, w), in pixels.

    With r = ⌊row⌋, f = row − r, c = ⌊column⌋, g = column − c, and 0 outside of the picture:

        y = (1−f)(1−g) x[r, c] + (1−f) g x[r, c+1] + f (1−g) x[r+1, c] + f g x[r+1, c+1]
        dx[r, c] += (1−f)(1−g) dy, …
        drow = Σ_C dy ((1−g)(x[r+1, c] − x[r, c]) + g (x[r+1, c+1] − x[r, c+1])), and dcolumn likewise

    y (N, C, h, w). ``vjp(dy)`` returns the gradients of x, rows and columns.
    """
    N, C, H, W = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))                        # a border of zeros
    r, f = _cell(rows, H)
    c, g = _cell(columns, W)
    n = np.arange(N)[:, None, None]
    corners = [(r, c), (r, c + 1), (r + 1, c), (r + 1, c + 1)]
    # a border cell next to the picture and one far from it have the same four zeros
    places: list[Any] = [(n, slice(None), np.clip(i, 0, H + 1), np.clip(j, 0, W + 1)) for i, j in corners]
    weights = [(1 - f) * (1 - g), (1 - f) * g, f * (1 - g), f * g]              # each (N, h, w)
    values = [padded[place] for place in places]                                # each (N, h, w, C)
    y: Any = sum(weight[..., None] * value for weight, value in zip(weights, values))

    def vjp(dy: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        dy = np.moveaxis(dy, 1, -1)                                             # (N, h, w, C)
        dx = np.zeros_like(padded)
        for place, weight in zip(places, weights):
            np.add.at(dx, place, weight[..., None] * dy)
        f_, g_ = f[..., None], g[..., None]
        a, b, d, e = values
        drows = (dy * ((1 - g_) * (d - a) + g_ * (e - b))).sum(axis=-1)
        dcolumns = (dy * ((1 - f_) * (b - a) + f_ * (e - d))).sum(axis=-1)
        return dx[:, :, 1:-1, 1:-1], drows, dcolumns

    return np.moveaxis(y, -1, 1), vjp


def _cell(places: NDArray[Any], length: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """(index of the pixel before each place in the padded picture, the fraction of a pixel from there)."""
    near = np.clip(places, -2, length + 1)
    before = np.floor(near)
    return np.nan_to_num(before).astype(int) + 1, near - before
