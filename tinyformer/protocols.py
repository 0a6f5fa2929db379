"""The methods of a tensor that Python and NumPy call: number, sequence and array protocols.

Nothing here is recorded in a graph, with one exception: for ``array + tensor`` NumPy calls the tensor's own operator.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import names
from .arrays import constant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from .autograd import Tensor
    from .tensor_methods import TensorMethods               # what operations register on Tensor, declared
    from .typing import Array, TensorLike
else:
    TensorMethods = object

# NumPy's functions behind Python's operators, which an array on the left of a tensor calls.
BINARY = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "true_divide": "truediv",
          "power": "pow", "matmul": "matmul", "floor_divide": "floordiv", "remainder": "mod",
          "bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor", "left_shift": "lshift",
          "right_shift": "rshift"}
UNARY = {"negative": "__neg__", "positive": "__pos__", "absolute": "__abs__", "invert": "__invert__"}


class _OnTheClass:
    """A method that the class has, while its objects have None.

    NumPy looks for ``__array_ufunc__`` on the class. Masked arrays look on the object: None there makes them leave
    their operators to the tensor, which refuses them, where they would drop the tensor's graph.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method

    def __get__(self, found: object, cls: type) -> Callable[..., Any] | None:
        return self.method if found is None else None


class Count(int):
    """A number of entries, as NumPy's ``size``. ``x.size()``, as in PyTorch, returns the shape or one length."""

    shape: tuple[int, ...]

    def __new__(cls, shape: tuple[int, ...]) -> Count:
        """The number of entries in an array of this shape."""
        count = super().__new__(cls, math.prod(shape))
        count.shape = shape
        return count

    def __call__(self, dim: int | None = None) -> Any:
        """The shape, or the length of the axis ``dim``."""
        if dim is not None and not -len(self.shape) <= dim < len(self.shape):
            raise IndexError(f"size: dim is {dim}, but the shape is {self.shape}")
        return self.shape if dim is None else self.shape[dim]


class ArrayProtocols(TensorMethods, metaclass=names.Advising):
    """Python's and NumPy's protocols for a class with ``data``, ``shape``, ``ndim``, ``size`` and ``dtype``."""

    __slots__ = ()

    if TYPE_CHECKING:
        requires_grad: bool

    if not TYPE_CHECKING:                                   # to a type checker an unknown attribute is an error
        def __getattr__(self, name):
            return getattr(type(self), name)                # raises UnknownName, with advice

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.startswith("_") or name.startswith("__")]

    # -- one number

    def item(self) -> Any:
        """The only entry as a Python number. ValueError for several entries or none."""
        return self._number("item")

    def _number(self, operation: str) -> Any:
        if self.size != 1:
            raise ValueError(f"{operation}: a tensor of shape {self.shape} is not a single number")
        return self.data.item()

    def __bool__(self) -> bool:
        return bool(self._number("bool"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def __float__(self) -> float:
        return float(self._number("float"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iub":
            raise TypeError(f"index: a tensor of {self.dtype} cannot be an index, expected integers")
        return int(self._number("index"))

    def __format__(self, spec: str) -> str:
        if self.ndim and spec:
            raise TypeError(f"format: a tensor of shape {self.shape} has no format {spec!r}; "
                            f"format one number, x.item(), or str(x)")
        return format(str(self) if self.ndim else self.item(), spec)

    def __round__(self, digits: int | None = None) -> Any:
        raise TypeError("round: not for tensors, as in PyTorch; expected round(x.item(), digits) or np.round(x.data)")

    def __divmod__(self, other: Any) -> Any:
        raise TypeError("divmod: not for tensors, as in PyTorch; expected x // y and x % y")

    __rdivmod__ = __divmod__

    # -- a sequence

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers; one number if the tensor has no axes."""
        return self.data.tolist()

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len: a tensor without axes has no length")
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("iter: a tensor without axes cannot be iterated over; expected x.item() for its number")
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        found = self._compared("in", np.equal, value)
        if found is NotImplemented:
            raise TypeError(f"in: {value!r} cannot be in a tensor, expected a number")
        return bool(np.any(found))

    # -- comparisons give plain boolean arrays: they have no gradient

    def __lt__(self, other: TensorLike) -> NDArray[np.bool_]: return self._compared("<", np.less, other)
    def __le__(self, other: TensorLike) -> NDArray[np.bool_]: return self._compared("<=", np.less_equal, other)
    def __gt__(self, other: TensorLike) -> NDArray[np.bool_]: return self._compared(">", np.greater, other)
    def __ge__(self, other: TensorLike) -> NDArray[np.bool_]: return self._compared(">=", np.greater_equal, other)
    def __eq__(self, other: object) -> NDArray[np.bool_]:     # type: ignore[override]
        return self._compared("==", np.equal, other)
    def __ne__(self, other: object) -> NDArray[np.bool_]:     # type: ignore[override]
        return self._compared("!=", np.not_equal, other)
    __hash__ = object.__hash__              # type: ignore[assignment]

    def _compared(self, sign: str, compare: Any, other: Any) -> Any:
        """Entry by entry; NotImplemented for None and text, so that ``==`` is False as in PyTorch."""
        if other is None or isinstance(other, (str, bytes)):
            return NotImplemented
        return compare(self.data, operand(sign, other, self.dtype))

    # -- NumPy

    def numpy(self) -> Array:
        """The tensor's array, not a copy."""
        return self.data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.generic]:
        return np.array(self.data, dtype=dtype) if copy else np.asarray(self.data, dtype=dtype)

    @_OnTheClass
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Operators are the tensor's own. ``np.isnan`` and the like give arrays. The rest is refused."""
        name = ufunc.__name__
        if method == "__call__" and not options:
            if name in BINARY:
                x, y = inputs
                return (getattr(x, f"__{BINARY[name]}__")(y) if isinstance(x, ArrayProtocols) else
                        getattr(y, f"__r{BINARY[name]}__")(x))
            if name in UNARY:
                return getattr(self, UNARY[name])()
            if all(signature.endswith("?") for signature in ufunc.types if "O" not in signature):
                return ufunc(*(operand(name, x) for x in inputs))
        if "out" in options:
            raise TypeError(f"np.{name}: an array cannot take a tensor in place; expected array = array + tensor for a "
                            f"tensor, array += tensor.data for an array")
        raise names.use_instead(name if method == "__call__" else f"{name}.{method}")

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        """NumPy's functions of the values, such as ``np.allclose``; refused where a gradient would be lost.

        It is lost where the result holds floating-point numbers that depend on a tensor that requires a gradient.
        """
        package, _, rest = f"{function.__module__}.{function.__name__}".partition(".")
        wanted: list[Any] = []
        arrays = _values((args, options), wanted)
        differentiable = wanted and package == "numpy" and function.__name__ not in _WITHOUT_GRADIENT
        if differentiable and function.__name__ in names.NUMPY:
            raise names.use_instead(rest)
        result = function(*arrays[0], **arrays[1])
        if differentiable and _has_fractions(result):
            raise names.use_instead(rest)
        return result


def operand(sign: str, value: Any, dtype: Any = None) -> Any:
    """``value`` as the array or number that ``sign`` works on; floating-point lists in the type ``dtype``."""
    if isinstance(value, ArrayProtocols):
        return value.data
    array = constant(sign, value)
    if isinstance(value, list) and dtype is not None and array.dtype.kind == dtype.kind == "f":
        return array.astype(dtype)
    return array


# Functions of NumPy with floating-point results that do not depend on the values or have the derivative 0, and those
# by which matplotlib draws a tensor.
_WITHOUT_GRADIENT = {"zeros_like", "ones_like", "full_like", "empty_like", "round", "around", "trunc", "fix", "copy",
                     "histogram", "histogram2d", "histogram_bin_edges", "broadcast_arrays"}


def _has_fractions(result: Any) -> bool:
    """Whether a result of NumPy's holds floating-point or complex numbers."""
    if isinstance(result, (tuple, list)):
        return any(_has_fractions(part) for part in result)
    return isinstance(result, (float, complex)) or getattr(getattr(result, "dtype", None), "kind", "") in ("f", "c")


def _values(nested: Any, wanted: list[Any]) -> Any:
    """Nested tuples, lists and dicts with arrays in place of tensors. ``wanted`` gets those that require a gradient."""
    if isinstance(nested, ArrayProtocols):
        wanted += [nested] * nested.requires_grad
        return nested.data
    if type(nested) in (list, tuple):
        return type(nested)(_values(value, wanted) for value in nested)
    if type(nested) is dict:
        return {key: _values(value, wanted) for key, value in nested.items()}
    return nested
