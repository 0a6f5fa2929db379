"""Operations that move entries without changing them: the gradient moves back the same way."""

from __future__ import annotations

import builtins
import math

import numpy as np

from ..arrays import constant
from ..autograd import Tensor, differentiable


@differentiable
def reshape(x, *, shape):
    """The entries of x in their order, in another shape (one length may be −1).   dx = dy in x's shape."""
    before = x.shape
    return np.reshape(x, shape), lambda dy: dy.reshape(before)


@differentiable
def transpose(x, *, axes=None):
    """Axes in the order ``axes`` (None: reversed), as ``numpy.transpose``.   dx = dy with the axes put back."""
    back = None if axes is None else np.argsort([a % x.ndim for a in axes])
    return np.transpose(x, axes), lambda dy: np.transpose(dy, back)


@differentiable(method="__getitem__")
def getitem(x, index):
    """y = x[index], with NumPy's indices: integers, slices, None, …, boolean and integer arrays.

    dx is zero but at the index, where dy is added; an entry taken twice gets both gradients.
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
    """One index without tensors and lists. An empty list takes nothing: as an array it is floating-point until here."""
    if isinstance(index, Tensor):
        index = index.data
    index = constant("getitem", list(index) if isinstance(index, tuple) else index)
    empty = isinstance(index, np.ndarray) and index.size == 0 and index.dtype.kind == "f"
    return index.astype(np.intp) if empty else index


@differentiable
def concatenate(*arrays, axis=0):
    """The arrays one after the other along ``axis``.   Each gets its part of the gradient."""
    ends = np.cumsum([a.shape[axis] for a in arrays])[:-1]
    return np.concatenate(arrays, axis), lambda dy: tuple(np.split(dy, ends, axis))


@differentiable
def stack(*arrays, axis=0):
    """The arrays, all of one shape, along a new ``axis``.   Each gets its slice of the gradient."""
    return np.stack(arrays, axis), lambda dy: tuple(np.moveaxis(dy, axis, 0))


@differentiable(method="split")
def split(x, *, sections, axis=0):
    """x cut along ``axis``: into ``sections`` equal parts (an integer), or into parts of the given lengths (a sequence).

    Several outputs, as views.   dx = the gradients of the parts, joined.
    """
    length = x.shape[axis]
    if isinstance(sections, (int, np.integer)):
        lengths = [length // sections] * sections if sections > 0 else []
    else:
        lengths = list(sections)
    if not lengths or builtins.min(lengths) < 0 or builtins.sum(lengths) != length:
        raise ValueError(f"split: axis {axis} has length {length}; it cannot be cut into {sections}")
    parts = tuple(np.split(x, np.cumsum(lengths)[:-1], axis))
    if len(parts) == 1:                                     # one output: the vjp is given one gradient
        return parts, lambda dy: dy
    return parts, lambda dys: _joined(dys, axis)


def _joined(parts, axis):
    """``np.concatenate(parts, axis)``; where they lie side by side in one array already, that array, without a copy.

    The gradients of q, k and v do: the attention kernel writes them so, since it is from here that they go on.
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
def pad(x, *, widths, value=0.0):
    """x with a border of ``value``: ``widths`` is ((before, after), …), a pair for each axis.   dx = dy without the border."""
    inside = tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape))
    if len(widths) != x.ndim:
        raise ValueError(f"pad: got widths for {len(widths)} axes, expected {x.ndim}")
    return np.pad(x, widths, constant_values=value), lambda dy: dy[inside]


@differentiable(method="broadcast_to")
def broadcast_to(x, *, shape):
    """x repeated to ``shape`` by NumPy's rules.   dx = dy summed over what was repeated (the engine does it)."""
    return np.broadcast_to(x, shape), lambda dy: dy


@differentiable(method="flip")
def flip(x, *, axis=None):
    """x in reverse order along ``axis`` (None: all axes).   dx = dy reversed."""
    return np.flip(x, axis), lambda dy: np.flip(dy, axis)


# ------------------------------------------------------------------------------------------------ as methods

def _axes(arguments):
    return arguments[0] if len(arguments) == 1 and isinstance(arguments[0], (tuple, list)) else arguments


# x.reshape(2, 3) and x.reshape((2, 3)); x.transpose(0, 2, 1), x.transpose() and x.T, as on arrays.
Tensor.reshape = lambda self, *shape: reshape(self, shape=_axes(shape))
Tensor.transpose = lambda self, *axes: transpose(self, axes=_axes(axes) or None)
Tensor.T = property(lambda self: transpose(self))


def _swapaxes(self, a, b):
    """x with the axes a and b exchanged."""
    axes = list(range(self.ndim))
    axes[a], axes[b] = axes[b], axes[a]
    return transpose(self, axes=axes)


Tensor.swapaxes = _swapaxes
