"""Functions whose form is found by calling them: with arrays, and with tensors if that returns no (value, vjp)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...autograd import Tensor
from .arrays import RawFunction
from .base import CheckedFunction, arguments_of, copies, differentiable, instance_of, with_floats
from .tensors import Operation, TensorFunction
from .with_gradient import WithGradient, has_gradient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def adapt(fn: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> CheckedFunction | None:
    """An operation or a module as such; any other callable by the result of a call."""
    if not callable(fn):
        return None
    if hasattr(fn, "named_parameters"):
        fn = instance_of(fn) if isinstance(fn, type) else fn
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
    if has_gradient(returned):
        return with_floats(WithGradient(fn, *arguments))
    try:
        tensors.values(tensors.arrays)
    except Exception as error:
        if refused is not None and not isinstance(refused, AttributeError):     # an array has no attributes of a tensor
            raise refused from error
        if isinstance(error, TypeError) and "float32" in str(error):
            raise TypeError(f"{error} (check computes in float64: convert each module that fn uses with "
                            f".to(np.float64))") from error
        if refused is None and not isinstance(returned, Tensor):
            raise TypeError(f"check: {raw.name} returned {_described(returned)} for arrays, expected (value, vjp); "
                            f"{_nearest(returned)}. On tensors it fails: {error}") from error
        raise
    return tensors


def _described(returned: Any) -> str:
    return f"a tuple of {len(returned)}" if isinstance(returned, tuple) else type(returned).__name__


def _nearest(returned: Any) -> str:
    """The accepted form that is closest to what a function returned."""
    if isinstance(returned, tuple) and len(returned) == 2:
        return "if these are (out, cache), check the pair with its backward: check((forward, backward), x)"
    if isinstance(returned, tuple):
        return "a function that returns (loss, gradients) returns one scalar first"
    if returned is None:
        return "does it lack a return?"
    return "if its gradient is another function, check both: check((forward, backward), x)"
