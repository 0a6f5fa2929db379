"""Operations that rearrange entries without changing them. Their gradients undo the rearrangement."""

from __future__ import annotations

import builtins
import math
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import constant
from ..autograd import Tensor, differentiable
from .arithmetic import _floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..typing import Axis, Index, Shape, TensorLike, ValueAndVjp, ValuesAndVjp


@differentiable
def reshape(x: TensorLike, *, shape: Shape | int) -> ValueAndVjp:
    """x in another shape, with its entries in the same order (one length may be −1).   dx = dy in the shape of x."""
    before = x.shape
    return np.reshape(x, shape), lambda dy: dy.reshape(before)


@differentiable
def transpose(x: TensorLike, *, axes: Sequence[int] | None = None) -> ValueAndVjp:
    """Axes in the order ``axes`` (None: reversed), as ``numpy.transpose``.

    dx = dy with the axes in their former order.
    """
    back = None if axes is None else np.argsort([a % x.ndim for a in axes])
    return np.transpose(x, axes), lambda dy: np.transpose(dy, back)


@differentiable(method="__getitem__")
def getitem(x: TensorLike, index: Index) -> ValueAndVjp:
    """y = x[index], with NumPy's indices: integers, slices, None, …, boolean and integer arrays.

    dx is dy at the index and zero elsewhere. An entry that the index takes twice gets the sum of both gradients.
    """
    index = tuple(map(_plain, index if isinstance(index, tuple) else (index,)))
    y = x[index]
    repeats = any(isinstance(i, np.ndarray) and i.dtype != bool for i in index)
    shape, dtype = x.shape, x.dtype

    def vjp(dy):
        dx = np.zeros(shape, dtype)
        if repeats:
            np.add.at(dx, index, dy)
        else:
            dx[index] = dy
        return dx, None

    return y, vjp


def _plain(index):
    """``index`` with arrays in place of tensors and lists. (NumPy makes a floating-point array of an empty list.)"""
    if isinstance(index, Tensor):
        index = index.data
    index = constant("getitem", list(index) if isinstance(index, tuple) else index)
    empty = isinstance(index, np.ndarray) and index.size == 0 and index.dtype.kind == "f"
    return index.astype(np.intp) if empty else index


@differentiable
def concatenate(*arrays: TensorLike | Sequence[TensorLike], axis: int = 0) -> ValueAndVjp:
    """The arrays, joined along ``axis``.   Each input gets its part of the gradient."""
    y = np.concatenate(_floats(*arrays), axis)
    ends = np.cumsum([a.shape[axis] for a in arrays])[:-1]
    return y, lambda dy: tuple(np.split(dy, ends, axis))


@differentiable
def stack(*arrays: TensorLike | Sequence[TensorLike], axis: int = 0) -> ValueAndVjp:
    """The arrays, all of one shape, joined along a new ``axis``.   Each input gets its slice of the gradient."""
    return np.stack(_floats(*arrays), axis), lambda dy: tuple(np.moveaxis(dy, axis, 0))


@differentiable(method="split")
def split(x: TensorLike, *, sections: int | Sequence[int], axis: int = 0) -> ValuesAndVjp:
    """x split along ``axis``.

    sections: an integer for that many equal parts, or a sequence of the parts' lengths

    The outputs are views of x.   dx = the gradients of the parts, joined.
    """
    length = x.shape[axis]
    if isinstance(sections, (int, np.integer)):
        lengths = [length // sections] * sections if sections > 0 else []
    else:
        lengths = list(sections)
    if not lengths or builtins.min(lengths) < 0 or builtins.sum(lengths) != length:
        raise ValueError(f"split: axis {axis} has length {length}; it cannot be split into {sections}")
    parts = tuple(np.split(x, np.cumsum(lengths)[:-1], axis))
    if len(parts) == 1:                                     # one output: the vjp gets one gradient
        return parts, lambda dy: dy
    return parts, lambda dys: _joined(dys, axis)


def _joined(parts, axis):
    """``np.concatenate(parts, axis)``, without a copy if the parts are adjacent views of one array.

    The gradients of q, k and v are: the attention kernel writes them into one array for this purpose.
    """
    whole = parts[0].base
    shape = list(parts[0].shape)
    shape[axis] = builtins.sum(part.shape[axis] for part in parts)
    if isinstance(whole, np.ndarray) and whole.size == math.prod(shape) and whole.flags.c_contiguous:
        views = np.split(whole.reshape(shape), np.cumsum([part.shape[axis] for part in parts])[:-1], axis)
        if all(part.base is whole and part.dtype == whole.dtype and part.strides == view.strides
               and part.ctypes.data == view.ctypes.data for part, view in zip(parts, views)):
            return whole.reshape(shape)
    return np.concatenate(parts, axis)


@differentiable(method="pad")
def pad(x: TensorLike, *, widths: Sequence[tuple[int, int]], value: float = 0.0) -> ValueAndVjp:
    """x with a border of ``value``: ``widths`` is ((before, after), …), one pair for each axis.

    dx = dy without the border.
    """
    inside = tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape))
    if len(widths) != x.ndim:
        raise ValueError(f"pad: got widths for {len(widths)} axes, expected {x.ndim}")
    return np.pad(x, widths, constant_values=value), lambda dy: dy[inside]


@differentiable(method="broadcast_to")
def broadcast_to(x: TensorLike, *, shape: Shape) -> ValueAndVjp:
    """x broadcast to ``shape`` by NumPy's rules.   dx = dy, which the engine sums over the broadcast axes."""
    return np.broadcast_to(x, shape), lambda dy: dy


@differentiable(method="flip")
def flip(x: TensorLike, *, axis: Axis = None) -> ValueAndVjp:
    """x in reverse order along ``axis`` (None: all axes).   dx = dy reversed."""
    return np.flip(x, axis), lambda dy: np.flip(dy, axis)


# ------------------------------------------------------------------------------------------------ as methods

def _axes(arguments):
    return arguments[0] if len(arguments) == 1 and isinstance(arguments[0], (tuple, list)) else arguments


# x.reshape(2, 3) and x.reshape((2, 3)); x.transpose(0, 2, 1), x.transpose() and x.T, as on arrays.

def _reshape(self, *shape):
    """The entries in another shape, given as lengths or as one tuple; one length may be −1, which is worked out.

    ValueError for a shape with another number of entries.
    """
    return reshape(self, shape=_axes(shape))


Tensor.reshape = _reshape
Tensor.T = property(lambda self: transpose(self), doc="x with its axes in reverse order.")


def _transpose(self, *axes):
    """x with its axes in this order. PyTorch's transpose(a, b), which exchanges two axes, is ``swapaxes``."""
    if len(axes) == 2 and (self.ndim != 2 or axes in ((0, 1), (-2, -1))):
        order = f"got 2 axes of {self.ndim}" if self.ndim != 2 else f"the axes {axes} are in their order already"
        raise ValueError(f"transpose: {order}; x.swapaxes{axes} exchanges the two, as PyTorch's transpose")
    return transpose(self, axes=_axes(axes) or None)


Tensor.transpose = _transpose


def _swapaxes(self, a, b):
    """x with the axes a and b exchanged."""
    axes = list(range(self.ndim))
    axes[a], axes[b] = axes[b], axes[a]
    return transpose(self, axes=axes)


Tensor.swapaxes = _swapaxes
