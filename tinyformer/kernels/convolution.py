"""Convolution and max pooling of pictures in NumPy: sums and maxima over the patches of x.

Window (p, q) reads the pixels x[stride p + dilation i − padding, stride q + dilation j − padding] for (i, j) within the
kernel. Pixels outside of the picture are 0 to a convolution, and do not exist to a maximum.

The product Σ dy ⊙ conv2d(x, W) is linear in each of dy, x and W, and the three functions below are its derivatives by
dy, by x and by W. Each is a matrix product on patches, so a convolution needs no arithmetic of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ..typing import Array

    Pair = tuple[int, int]                                  # one number for the rows, one for the columns


class Windows(NamedTuple):
    """Where the windows lie: ``padding`` counts the pixels above and to the left of the picture."""

    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int = 1

    def numbers(self) -> tuple[int, ...]:
        """Stride, padding and dilation, each of rows and of columns, as the compiled kernels take them."""
        return (*self.stride, *self.padding, *self.dilation)

    def slices(self, i: int, j: int, out: Pair) -> tuple[slice, slice]:
        """Rows and columns of the padded picture that entry (i, j) of the kernel meets in the ``out`` windows."""
        row, column = (slice(d * k, d * k + s * (n - 1) + 1, s)
                       for k, d, s, n in zip((i, j), self.dilation, self.stride, out))
        return row, column

    def extent(self, kernel: Pair, out: Pair) -> list[int]:
        """Height and width that the windows cover together."""
        return [s * (n - 1) + d * (k - 1) + 1 for s, n, d, k in zip(self.stride, out, self.dilation, kernel)]


def conv2d(x: Array, weight: Array, windows: Windows, out: Pair, bias: Array | None = None) -> Array:
    """y[n, o, p, q] = b[o] + Σ W[o, c, i, j] x[n, c, patch (p, q) at (i, j)], the sum over c, i and j.

    x (N, C, H, W)    weight (O, C/groups, kh, kw)    bias (O,) or None    out: height and width of y    y (N, O, *out)
    """
    y = np.matmul(_matrices(weight, windows.groups), im2col(x, weight.shape[2:], windows, out))
    y = y.reshape(len(x), len(weight), *out)
    if bias is not None:
        y += bias[:, None, None]
    return y


def conv2d_input_gradient(dy: Array, weight: Array, windows: Windows, shape: Pair) -> Array:
    """dx, where x has the height and width ``shape``: each pixel sums W ⊙ dy over the patches that it is in."""
    W = _matrices(weight, windows.groups)
    patches = np.matmul(W.swapaxes(-1, -2), _by_group(dy, windows.groups))
    C = windows.groups * weight.shape[1]
    return col2im(patches.reshape(len(dy), C, *weight.shape[2:], *dy.shape[2:]), windows, shape)


def conv2d_weight_gradient(dy: Array, x: Array, windows: Windows, kernel: Pair) -> Array:
    """dW: each entry of the kernel sums x ⊙ dy over the patches."""
    G = windows.groups
    patches = im2col(x, kernel, windows, dy.shape[2:])
    dW = np.matmul(_by_group(dy, G), patches.swapaxes(-1, -2)).sum(axis=0)
    return dW.reshape(dy.shape[1], x.shape[1] // G, *kernel)


def im2col(x: Array, kernel: Pair, windows: Windows, out: Pair) -> Array:
    """The patches of x as columns: (N, groups, C/groups · kh · kw, windows). A copy unless the kernel is 1 × 1."""
    (N, C), (kh, kw), extent = x.shape[:2], kernel, windows.extent(kernel, out)
    x = padded(x, windows, extent, 0)
    spans = [d * (k - 1) + 1 for d, k in zip(windows.dilation, kernel)]
    view = np.lib.stride_tricks.sliding_window_view(x[:, :, :extent[0], :extent[1]], spans, axis=(2, 3))
    (sh, sw), (dh, dw) = windows.stride, windows.dilation
    view = view[:, :, ::sh, ::sw, ::dh, ::dw].transpose(0, 1, 4, 5, 2, 3)       # (N, C, kh, kw, *out)
    return view.reshape(N, windows.groups, C // windows.groups * kh * kw, out[0] * out[1])


def col2im(patches: Array, windows: Windows, shape: Pair) -> Array:
    """The transpose of ``im2col``: every entry of the patches (N, C, kh, kw, *out) is added to its pixel."""
    N, C, kh, kw = patches.shape[:4]
    (top, left), (H, W), out = windows.padding, shape, patches.shape[4:]
    extent = windows.extent((kh, kw), out)
    x = np.zeros((N, C, max(extent[0], top + H), max(extent[1], left + W)), patches.dtype)
    for i in range(kh):
        for j in range(kw):
            x[(..., *windows.slices(i, j, out))] += patches[:, :, i, j]
    return x[:, :, top:top + H, left:left + W]


def max_pool2d(x: Array, kernel: Pair, windows: Windows, out: Pair) -> tuple[Array, Array]:
    """(y, indices): the maximum of each window, and the pixel W·row + column where it lies.

    Among equal pixels the first one counts, row by row; NaN is larger than all numbers, and the last NaN counts.
    x (N, C, H, W)    y, indices (N, C, *out)
    """
    H, W = x.shape[2:]
    whole = padded(x, windows, windows.extent(kernel, out), -np.inf)
    y, indices = np.full((*x.shape[:2], *out), -np.inf, x.dtype), np.full((*x.shape[:2], *out), -1)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows, columns = (np.arange(part.stop)[part] - before                # of the picture; some lie outside
                             for part, before in zip(windows.slices(i, j, out), windows.padding))
            inside = ((rows >= 0) & (rows < H))[:, None] & (columns >= 0) & (columns < W)
            value = whole[(..., *windows.slices(i, j, out))]
            better = ((value > y) | (value != value) | (indices < 0)) & inside
            np.copyto(y, value, where=better)
            np.copyto(indices, W * rows[:, None] + columns, where=better)
    return y, indices


def max_pool2d_gradient(dy: Array, indices: Array, shape: Pair) -> Array:
    """dx (N, C, *shape): each window sends its dy to the pixel that was its maximum."""
    planes, pixels = dy.shape[0] * dy.shape[1], shape[0] * shape[1]
    flat = indices.reshape(planes, dy.shape[2] * dy.shape[3]) + pixels * np.arange(planes)[:, None]
    seen = slice(None) if np.all(indices >= 0) else indices.ravel() >= 0        # a dilated window may miss the picture
    dx = np.bincount(flat.ravel()[seen], dy.ravel()[seen], planes * pixels)
    return dx.astype(dy.dtype).reshape(*dy.shape[:2], *shape)


def padded(x: Array, windows: Windows, extent: list[int], value: float) -> Array:
    """x with ``value`` around it, so that windows of that extent fit; x itself where they fit already."""
    (top, left), (H, W) = windows.padding, x.shape[2:]
    if not (top or left) and extent[0] <= H and extent[1] <= W:
        return x
    room = np.full((*x.shape[:2], max(extent[0], top + H), max(extent[1], left + W)), value, x.dtype)
    room[:, :, top:top + H, left:left + W] = x
    return room


def _matrices(weight, groups):
    """(groups, O/groups, C/groups · kh · kw)"""
    O, *rest = weight.shape
    return weight.reshape(groups, O // groups, rest[0] * rest[1] * rest[2])


def _by_group(y, groups):
    """(N, O, H, W) as (N, groups, O/groups, H·W)"""
    N, O, H, W = y.shape
    return y.reshape(N, groups, O // groups, H * W)
