"""Operators for integers and booleans: division with a remainder, and bits. They have no gradient.

Values as in PyTorch: the quotient is rounded down, and the remainder has the sign of the divisor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor, differentiable
from .arithmetic import _floats

if TYPE_CHECKING:
    from ..typing import TensorLike


def _register(name: str, sign: str, function: np.ufunc) -> None:
    """Give ``Tensor`` the operator ``sign`` for what needs no gradient; the engine broadcasts and types."""
    def compute(x: Any, y: Any) -> Any:
        values = _floats(x, y)
        kinds = {np.asarray(value).dtype.kind for value in values}
        if "f" in kinds and sign not in ("//", "%"):
            raise TypeError(f"{sign}: one operand is floating-point, expected integers or bool")
        if "f" not in kinds and sign in ("//", "%") and not np.all(y):
            raise ZeroDivisionError(f"{sign}: an integer is divided by 0")
        return function(*values), None

    compute.__name__ = sign
    lifted = differentiable(compute)

    def operator(x: TensorLike, y: TensorLike) -> Tensor:
        if any(isinstance(value, Tensor) and value.requires_grad for value in (x, y)):
            raise TypeError(f"{sign}: this operator has no gradient; use it on x.detach(), or on the array x.data")
        return lifted(x, y)

    setattr(Tensor, f"__{name}__", operator)
    setattr(Tensor, f"__r{name}__", lambda self, other: operator(other, self))


def _invert(self: Tensor) -> Tensor:
    """~x: each bit, or each boolean, turned into its opposite."""
    if self.dtype.kind not in "iub":
        raise TypeError(f"~: the tensor is {self.dtype}, expected integers or bool")
    return Tensor(np.asarray(~self.data))


def _positive(self: Tensor) -> Tensor:
    """+x: the tensor itself."""
    if self.dtype == bool:
        raise TypeError("+: the tensor is bool, expected numbers")
    return self


for _name, _sign, _function in (("floordiv", "//", np.floor_divide), ("mod", "%", np.remainder),
                                ("and", "&", np.bitwise_and), ("or", "|", np.bitwise_or), ("xor", "^", np.bitwise_xor),
                                ("lshift", "<<", np.left_shift), ("rshift", ">>", np.right_shift)):
    _register(_name, _sign, _function)

Tensor.__invert__ = _invert
Tensor.__pos__ = _positive
