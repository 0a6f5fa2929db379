"""Functions whose form is found by calling them: with arrays, and with tensors if that returns no (value, vjp)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...autograd import Tensor
from .arrays import RawFunction
from .base import CheckedFunction, arguments_of, copies, differentiable, with_floats
from .tensors import Operation, TensorFunction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def adapt(fn: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> CheckedFunction | None:
    """An operation or a module as such; any other callable by the result of a call."""
    if not callable(fn):
        return None
    if hasattr(fn, "named_parameters"):
        return with_floats(TensorFunction(fn, *arguments_of(fn, inputs, options)))
    inputs = differentiable(inputs)
    arguments = arguments_of(fn, inputs, options)
    if hasattr(fn, "raw"):
        return with_floats(Operation(fn, *arguments))
    raw, tensors = with_floats(RawFunction(fn, *arguments)), TensorFunction(fn, *arguments)
    returned, refused = None, None
    try:
        returned = fn(*copies(raw.arrays), **raw.options)
    except Exception as error:
        refused = error
    if isinstance(returned, tuple) and len(returned) == 2 and callable(returned[1]):
        return raw
    try:
        tensors.values(tensors.arrays)
    except Exception as error:
        if refused is not None and not isinstance(refused, AttributeError):     # an array has no attributes of a tensor
            raise refused from error
        if isinstance(error, TypeError) and "float32" in str(error):
            raise TypeError(f"{error} (check computes in float64: convert each module that fn uses with "
                            f".to(np.float64))") from error
        if refused is None and not isinstance(returned, Tensor):
            raise TypeError(f"check: {raw.name} returned {type(returned).__name__} for arrays, expected (value, vjp); "
                            f"on tensors it fails: {error}") from error
        raise
    return tensors
