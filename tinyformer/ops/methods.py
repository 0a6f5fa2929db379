"""Methods of ``Tensor`` that PyTorch has, made of the operations. What PyTorch alone has takes PyTorch's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import names
from ..arrays import FLOATS
from ..autograd import Tensor
from .arithmetic import astype
from .shapes import _axes, broadcast_to, reshape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike


def _axis(name: str, dim: int, ndim: int) -> int:
    """``dim`` counted from the front, out of ``ndim`` axes."""
    if not -ndim <= dim < ndim:
        raise IndexError(f"{name}: dim is {dim}, expected {-ndim} to {ndim - 1}")
    return dim % ndim


def view(self: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """The entries in another shape, as ``reshape``: memory that is not contiguous is copied instead of refused."""
    if not all(isinstance(n, (int, np.integer)) for n in _axes(shape)):
        raise TypeError(f"view: the shape is {shape}, expected integers; x.astype(dtype) converts the type")
    return reshape(self, shape=_axes(shape))


def flatten(self: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from ``start_dim`` to ``end_dim`` as one."""
    shape = self.shape or (1,)
    start, end = _axis("flatten", start_dim, len(shape)), _axis("flatten", end_dim, len(shape))
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}; the shape is {self.shape}")
    length = int(np.prod(shape[start:end + 1]))             # −1 would not do for axes of length 0
    return reshape(self, shape=(*shape[:start], length, *shape[end + 1:]))


def unsqueeze(self: Tensor, dim: int) -> Tensor:
    """A new axis of length 1 at ``dim``."""
    axis = _axis("unsqueeze", dim, self.ndim + 1)
    return reshape(self, shape=(*self.shape[:axis], 1, *self.shape[axis:]))


def squeeze(self: Tensor, dim: int | tuple[int, ...] | None = None) -> Tensor:
    """Without the axes of length 1: all, or those among ``dim``. Axes of other lengths stay."""
    chosen = range(self.ndim) if dim is None else [_axis("squeeze", d, max(self.ndim, 1))
                                                   for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]
    return reshape(self, shape=tuple(n for axis, n in enumerate(self.shape) if n != 1 or axis not in chosen))


def expand(self: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """Axes of length 1 repeated to ``shape``, without a copy; −1 keeps the length of an axis. New axes come first."""
    lengths = list(_axes(shape))
    new = len(lengths) - self.ndim
    for i, n in enumerate(lengths):
        if n == -1 and i < new:
            raise ValueError(f"expand: axis {i} of {tuple(lengths)} is new, expected its length instead of -1")
        lengths[i] = self.shape[i - new] if n == -1 else n
    return broadcast_to(self, shape=tuple(lengths))


def clone(self: Tensor) -> Tensor:
    """A copy with an array of its own; gradients flow back through it."""
    return astype(self, dtype=self.dtype)


def to(self: Tensor, dtype: DTypeLike | Tensor) -> Tensor:
    """The tensor in the type ``dtype``, or of another tensor; itself if it has that type. The only device is "cpu"."""
    if isinstance(dtype, str) and dtype.partition(":")[0] in ("cpu", "cuda", "mps"):
        if dtype == "cpu":
            return self
        raise ValueError(f"to: tensors are in main memory, {dtype!r} is not available; "
                         "tfm.backend.use(…) selects the kernels")
    wanted = dtype.dtype if isinstance(dtype, Tensor) else np.dtype(dtype)
    return self if self.dtype == wanted else astype(self, dtype=wanted)


def argmax(self: Tensor, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the largest entry, the first of equals, along ``axis`` (None: in the flattened tensor).

    It has no gradient. ValueError for a tensor without entries.
    """
    if not self.size:
        raise ValueError(f"argmax: a tensor of shape {self.shape} has no largest entry")
    return Tensor(np.asarray(np.argmax(self.data, axis=axis, keepdims=keepdims)))


def dim(self: Tensor) -> int:
    """The number of axes, as ``ndim``."""
    return self.ndim


def zero_(self: Tensor) -> Tensor:
    """Set every entry to 0 in place; a tensor that requires a gradient only within ``no_grad``."""
    self[...] = 0
    return self


def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Set whether a leaf requires a gradient, and return it.

    RuntimeError for what was computed, TypeError for integers.
    """
    if self.node is not None and not requires_grad:
        raise RuntimeError(f"requires_grad_: this tensor was computed by {self.node.operation.__name__}, expected a "
                           f"leaf; x.detach() is the value without the graph")
    if requires_grad and self.dtype not in FLOATS:
        raise TypeError(f"requires_grad_: only float32 and float64 can require a gradient, not {self.dtype}")
    self.requires_grad = requires_grad
    return self


for _method in (view, flatten, unsqueeze, squeeze, expand, clone, to, argmax, dim, zero_, requires_grad_):
    setattr(Tensor, _method.__name__, names.advising_arguments(_method))
