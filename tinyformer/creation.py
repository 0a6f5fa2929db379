"""New tensors, under PyTorch's names.

A shape is given as lengths or as one tuple: ``zeros(2, 3)`` and ``zeros((2, 3))``.
All take ``dtype``, float32 unless the numbers are integers, and ``requires_grad``.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import refuse_masked
from .autograd import Tensor
from .names import advising_arguments
from .rng import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike

    from .typing import RNGLike


@advising_arguments
def zeros(*shape: int | Sequence[int], dtype: DTypeLike = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of this shape with 0 in every entry."""
    return Tensor(np.zeros(_lengths("zeros", shape), dtype), requires_grad)


@advising_arguments
def ones(*shape: int | Sequence[int], dtype: DTypeLike = np.float32, requires_grad: bool = False) -> Tensor:
    """A tensor of this shape with 1 in every entry."""
    return Tensor(np.ones(_lengths("ones", shape), dtype), requires_grad)


@advising_arguments
def full(shape: Sequence[int], value: float, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """A tensor of this shape with ``value`` in every entry: float32, int64 or bool after the type of ``value``."""
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"full: the shape is {shape!r}, expected a tuple of lengths")
    refuse_masked("full", value)
    array = np.full(_lengths("full", (shape,)), value, dtype)
    return Tensor(array.astype(np.float32) if dtype is None and array.dtype.kind == "f" else array, requires_grad)


@advising_arguments
def arange(start: float, end: float | None = None, step: float = 1, dtype: DTypeLike | None = None,
           requires_grad: bool = False) -> Tensor:
    """start, start + step, … below ``end`` (above for a negative step); ``arange(n)`` begins at 0.

    int64 for integers, otherwise float32. The entry i is start + i·step, rounded once, so errors do not add up.
    """
    first, last = (0, start) if end is None else (start, end)
    if step == 0 or not all(map(math.isfinite, (first, last, step))):
        raise ValueError(f"arange: got start {first}, end {last} and step {step}; "
                         "expected finite numbers and a step other than 0")
    if (last - first) * step < 0:
        raise ValueError(f"arange: a step of {step} does not lead from {first} to {last}")
    values = first + np.arange(math.ceil((last - first) / step)) * step
    integers = all(isinstance(number, (int, np.integer)) for number in (first, last, step))
    return Tensor(values.astype(dtype or (np.int64 if integers else np.float32)), requires_grad)


@advising_arguments
def rand(*shape: int | Sequence[int], rng: RNGLike = None, dtype: DTypeLike = np.float32,
         requires_grad: bool = False) -> Tensor:
    """Independent numbers, uniform over 0 ≤ x < 1.

    rng         a ``numpy.random.Generator`` or a seed; None is the generator that ``tfm.seed`` sets
    """
    return Tensor(generator(rng).random(_lengths("rand", shape), _floating("rand", dtype)), requires_grad)


@advising_arguments
def randn(*shape: int | Sequence[int], rng: RNGLike = None, dtype: DTypeLike = np.float32,
          requires_grad: bool = False) -> Tensor:
    """Independent numbers from the standard normal distribution N(0, 1). ``rng`` as for ``rand``."""
    return Tensor(generator(rng).standard_normal(_lengths("randn", shape), _floating("randn", dtype)), requires_grad)


def _lengths(name: str, shape: tuple[Any, ...]) -> tuple[int, ...]:
    """The lengths of the axes, given one by one or together."""
    if not shape:
        raise TypeError(f"{name}: the shape is missing; expected {name}(2, 3), or {name}(()) for a single number")
    lengths = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    try:
        lengths = tuple(map(operator.index, lengths))
    except TypeError:
        raise TypeError(f"{name}: the shape is {shape}, expected integers") from None
    if min(lengths, default=0) < 0:
        raise ValueError(f"{name}: the shape is {lengths}, expected lengths of at least 0")
    return lengths


def _floating(name: str, dtype: DTypeLike) -> Any:
    """``dtype`` when it is float32 or float64."""
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"{name}: dtype is {np.dtype(dtype)}, expected float32 or float64")
    return dtype
