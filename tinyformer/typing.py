"""Types for annotations: what operations take, and what ``differentiable`` makes of a function.

>>> from tinyformer.typing import TensorLike
>>> def swish(x: TensorLike, beta: float) -> tfm.Tensor: ...

The package itself imports this module for type checkers only, so it costs nothing at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import Any, ParamSpec, Protocol, SupportsIndex, TypeAlias, TypeVar, Union, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .autograd import Tensor

__all__ = ["Array", "Axis", "DTypeLike", "Differentiable", "Index", "MaybeNone", "Operation", "RNGLike", "Shape",
           "TensorLike", "Value", "ValueAndVjp", "ValuesAndVjp", "Vjp"]

Array: TypeAlias = NDArray[Any]

# An input of an operation. The engine gives the operation's function an array instead of a tensor or a list.
TensorLike: TypeAlias = Union[Tensor, Array, np.generic, float, list[Any]]

Shape: TypeAlias = Sequence[int]                                # the length of each axis
Axis: TypeAlias = Union[int, tuple[int, ...], None]             # None means all axes
Index: TypeAlias = Union[SupportsIndex, slice, EllipsisType, None, Tensor, Array, list[Any], tuple[Any, ...]]
# a generator, a seed, or None: the framework's generator
RNGLike: TypeAlias = Union[np.random.Generator, int, None]
# ``X | MaybeNone``: None is rare, so no check is required
MaybeNone: TypeAlias = Any

# What a function under @differentiable returns: (value, vjp). The vjp maps dL/d value to the gradients of the inputs.
Vjp: TypeAlias = Callable[[Any], Any]
Value: TypeAlias = Union[Array, np.generic, float]
ValueAndVjp: TypeAlias = tuple[Value, Vjp]
ValuesAndVjp: TypeAlias = tuple[tuple[Value, ...], Vjp]         # an operation of several outputs

P = ParamSpec("P")
Out = TypeVar("Out", covariant=True)


class Operation(Protocol[P, Out]):
    """What ``differentiable`` returns: a function of tensors with the parameters ``P`` that returns ``Out``.

    ``Out`` is ``Tensor``, or a tuple of tensors for an operation of several outputs.
    """

    __name__: str
    multilinear: bool                       # linear in each input: the gradient of an input does not read that input
    selective: bool                         # the vjp sees which gradients are needed

    def __call__(self, *args: P.args, **options: P.kwargs) -> Out:
        """The output for tensors, arrays and numbers, recorded in the graph."""
        ...

    @property
    def raw(self) -> Callable[P, tuple[Any, Vjp]]:
        """The function from plain arrays to ``(value, vjp)``."""
        ...

    def input_name(self, i: int) -> str:
        """The name of the ``i``-th input, for messages."""
        ...


class Differentiable(Protocol):
    """The decorator that ``differentiable(method=…)`` returns."""

    @overload
    def __call__(self, function: Callable[P, ValueAndVjp]) -> Operation[P, Tensor]: ...
    @overload
    def __call__(self, function: Callable[P, ValuesAndVjp]) -> Operation[P, tuple[Tensor, ...]]: ...
