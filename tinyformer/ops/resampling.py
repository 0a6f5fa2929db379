"""Pictures sampled at any places: rotations, scalings and shifts that have a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import expect_floating
from ..autograd import differentiable
from ..resampling import bilinear

if TYPE_CHECKING:
    from ..typing import TensorLike, ValueAndVjp


@differentiable
def grid_sample(x: TensorLike, grid: TensorLike, *, align_corners: bool = False) -> ValueAndVjp:
    """y = the pictures x at the places of ``grid``, between pixels by bilinear interpolation, 0 outside.

    x (N, C, H, W)    grid (N, h, w, 2): for each pixel of the output its (column, row) in x, both from −1 to 1
    y (N, C, h, w)

    −1 and 1 are the outer edges of the outermost pixels, with ``align_corners`` their centers. Both inputs have
    gradients: dx spreads dy over the four pixels with the weights of the interpolation, dgrid is dy times the slope
    between them. This is PyTorch's function with bilinear mode and padding with zeros.

    Source: Jaderberg et al. (2015); book (20.10).
    """
    expect_floating("grid_sample", x=x, grid=grid)
    if x.ndim != 4 or grid.ndim != 4 or grid.shape[3] != 2 or len(grid) != len(x):
        raise ValueError(f"grid_sample: x has shape {x.shape} and grid {grid.shape}: "
                         "expected (N, C, H, W) and (N, h, w, 2)")
    H, W = x.shape[2:]
    lengths = np.array([W, H], grid.dtype)
    slope = (lengths - 1 if align_corners else lengths) / 2                     # pixels per unit of the grid
    places = grid * slope + (lengths - 1) / 2
    y, backward = bilinear(x, places[..., 1], places[..., 0])

    def vjp(dy):
        dx, drows, dcolumns = backward(dy)
        return dx, np.stack([dcolumns, drows], axis=-1) * slope

    return y, vjp
