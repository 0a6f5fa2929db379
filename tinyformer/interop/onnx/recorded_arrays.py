"""Inputs whose NumPy arithmetic is recorded too: masks and lengths that a model computes from ids.

    mask = ids != pad;  lengths = mask.sum(axis=1)          # no tensor, no graph, and yet a part of the forward pass
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...arrays import KeptArray


class RecordedArray(KeptArray):
    """An array that passes each NumPy function applied to it, and its result, on to ``recording.observe``.

    Functions that return no array, such as ``mask.all()``, are not recorded: they decide which way a model takes.
    """

    recording: Any

    def __array_finalize__(self, other: Any) -> None:
        self.recording = getattr(other, "recording", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return self._applied(function, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return self._applied(function, args, options)

    def __getitem__(self, index: Any) -> Any:
        return self._applied(operator.getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        plain = np.asarray(self)
        plain[index] = value
        self.recording.observe(operator.setitem, [plain, index, value], {}, [plain])

    def astype(self, dtype: Any, **_: Any) -> Any:                          # type: ignore[override]
        """The array in another type."""
        return self._applied(astype, (self, np.dtype(dtype)), {})

    def reshape(self, *shape: Any, **_: Any) -> Any:                        # type: ignore[override]
        """The array in another shape."""
        return self._applied(np.reshape, (self, shape[0] if isinstance(shape[0], tuple) else shape), {})

    def _applied(self, function: Any, args: Any, options: Any) -> Any:
        plain = [_plain(value) for value in args]
        options = {name: _plain(value) for name, value in options.items() if name != "out" or value is not None}
        result = function(*plain, **options)
        if not isinstance(result, np.ndarray) or self.recording is None:
            return result
        listed = plain[0] if plain and isinstance(plain[0], (list, tuple)) else None      # as np.concatenate takes them
        self.recording.observe(function, plain if listed is None else listed, options, [result])
        return recorded(result, self.recording)


def astype(array: np.ndarray, dtype: Any) -> np.ndarray:
    """``array`` in another type, as a function; NumPy has one only since version 2.1."""
    return array.astype(dtype)


def recorded(array: np.ndarray, recording: Any) -> RecordedArray:
    """``array``, in its own memory, as a ``RecordedArray``."""
    view = array.view(RecordedArray)
    view.recording = recording
    return view


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    return np.asarray(value) if isinstance(value, RecordedArray) else value
