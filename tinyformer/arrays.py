"""The arrays that tensors hold and operations take, and what is refused because it would silently lose meaning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import names

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

MASKED = "a masked array would lose its mask; expected a plain array, such as masked.filled(0)"
MATRIX = "np.matrix gives * another meaning; expected a plain array, such as np.asarray(matrix)"
LOST = "a list holds tensors that require a gradient, which would be lost; join them with ops.stack"


class KeptArray(np.ndarray):
    """The base of arrays that ``plain_array`` keeps as they are, for code that records what NumPy does to an input."""


def as_array(data: Any, dtype: Any = None) -> np.ndarray:
    """An array that a tensor can hold, for a plain array, a number, or nested lists of both.

    Python floats become float32, arrays keep their type unless ``dtype`` says otherwise. TypeError for complex numbers,
    text, objects, float16 and masked arrays.
    """
    array = np.asarray(plain_array("tensor", data, dtype))
    if dtype is None and array.dtype == np.float64 and not hasattr(data, "dtype"):
        array = array.astype(np.float32)
    if array.dtype not in FLOATS and array.dtype.kind not in "iub":
        raise unholdable("tensor", array.dtype)
    return array


def plain_array(name: str, data: Any, dtype: Any = None) -> np.ndarray:
    """``data`` as an array, as ``np.asarray``.

    TypeError where a mask would be lost, ValueError for lists of unequal lengths.
    """
    refuse_masked(name, data)
    if isinstance(data, KeptArray):
        return data if dtype is None or data.dtype == dtype else data.astype(dtype)
    try:
        return np.asarray(data, dtype)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def constant(name: str, value: Any) -> Any:
    """What the operation ``name`` works on for an input that is no tensor.

    A list or an array of another library becomes an array, a NumPy number a Python number; Python's numbers, None,
    slices and text stay. TypeError for an array that a tensor could not hold, for np.matrix, and for a list with
    tensors whose gradient would be lost.
    """
    if type(value) is not np.ndarray:                       # most are, and need no more than a look at their type
        if isinstance(value, list):
            refuse_masked(name, value, LOST)
            value = plain_array(name, value)
        elif isinstance(value, np.generic):
            value = float(value) if isinstance(value, np.floating) else value.item()
        elif isinstance(value, np.matrix):
            raise TypeError(f"{name}: {MATRIX}")
        elif isinstance(value, np.ndarray):
            refuse_masked(name, value)
            value = np.asarray(value)
        elif hasattr(value, "__array__"):                   # of another library, such as PyTorch or pandas
            value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.dtype.kind not in "fiub":
        raise unholdable(name, value.dtype)
    if isinstance(value, complex):
        raise unholdable(name, "complex")
    return value


def expect_floating(name: str, **inputs: Any) -> None:
    """TypeError when one of the ``inputs`` is an array of integers or booleans."""
    for argument, array in inputs.items():
        if array is not None and array.dtype not in FLOATS:
            raise TypeError(f"{name}: {argument} is {array.dtype}, expected float32 or float64")


def unholdable(name: str, dtype: Any) -> TypeError:
    """The error for numbers of a type that no tensor has."""
    advice = "; convert it with astype(np.float32)" if "float" in str(dtype) else ""
    return TypeError(f"{name}: {dtype} cannot be held; expected float32, float64, integers or bool{advice}")


def refuse_masked(name: str, data: Any, lost: str = "") -> None:
    """TypeError when ``data`` is a masked array or a list that holds one, at any depth.

    With ``lost``, also when a list holds a tensor that requires a gradient.
    """
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError(f"{name}: {MASKED}")
    if isinstance(data, (list, tuple)):
        for kind in set(map(type, data)) - {int, float, bool}:
            for value in data:
                if type(value) is kind:
                    if lost and getattr(value, "requires_grad", False):
                        raise TypeError(f"{name}: {lost}")
                    refuse_masked(name, value, lost)


def named(error: Exception, name: str, inputs: list[Any], input_name: Any = None, required: int = 0,
          known: Sequence[str] = ()) -> Exception:
    """``error`` with the operation's name and the shapes of its inputs, unless the operation gave its name itself.

    Where an input is no array although the operation needs one, the error names that input. None is such an input among
    the first ``required``; the others may be None. ``known`` are the names of the operation's arguments.
    """
    if str(error).startswith(f"{name}:"):
        return error
    text = str(error)
    unexpected = re.search(r"unexpected keyword argument '(\w+)'", text)
    if unexpected and known and unexpected[1] not in known:
        return names.unknown_argument(name, unexpected[1], known)
    if isinstance(error, AttributeError):                   # a number where the operation asks an array for its shape
        odd = [i for i, value in enumerate(inputs) if value is error.obj and (value is not None or i < required)]
        if not odd:
            return error
    else:
        odd = [i for i, value in enumerate(inputs)
               if (value is None and i < required or isinstance(value, (str, bytes, dict, set)))
               and isinstance(error, TypeError) and ("ufunc" in text or type(value).__name__ in text)]
    if odd and input_name:
        value = inputs[odd[0]]
        return TypeError(f"{name}: {input_name(odd[0])} is {'None' if value is None else type(value).__name__}, "
                         f"expected an array or a tensor")
    shapes = ", ".join(str(a.shape) if isinstance(a, np.ndarray) else type(a).__name__ for a in inputs)
    kind = next(k for k in (TypeError, ValueError, IndexError) if isinstance(error, k))
    return kind(f"{name}: {error} (inputs: {shapes})")
