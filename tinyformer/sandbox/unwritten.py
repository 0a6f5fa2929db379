"""Show which entries of an array a learner's code reads or returns before it has written them."""

from __future__ import annotations

import contextlib
import functools
import linecache
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .messages import FOREIGN

ALLOCATORS = ("empty", "empty_like")
LARGEST_INTEGER = np.iinfo(np.int64).max


@contextlib.contextmanager
def unwritten_is_nan() -> Iterator[dict[int, str]]:
    """In a ``with`` block, ``np.empty`` and ``np.empty_like`` fill their arrays: NaN for floating-point and complex
    numbers, the largest integer of the type for integers.

    Without this, an entry that the code forgets to write may be right by chance: the memory may still hold the result
    of an earlier call. Yields {line number: text of the line} of the learner's lines that made such arrays.
    """
    lines: dict[int, str] = {}
    before = {name: getattr(np, name) for name in ALLOCATORS}
    for name, allocate in before.items():
        setattr(np, name, _filling(allocate, lines))
    try:
        yield lines
    finally:
        for name, allocate in before.items():
            setattr(np, name, allocate)


def _filling(allocate: Callable[..., Any], lines: dict[int, str]) -> Callable[..., Any]:
    """``allocate`` with a filled array as its result."""
    @functools.wraps(allocate)
    def filling(*arguments: Any, **options: Any) -> Any:
        array = allocate(*arguments, **options)
        if isinstance(array, np.ndarray) and array.dtype.kind in "fciu":
            array.fill(np.nan if array.dtype.kind in "fc" else np.iinfo(array.dtype).max)
            caller = sys._getframe(1)
            file, number = caller.f_code.co_filename, caller.f_lineno
            if number not in lines and not file.startswith(FOREIGN):
                lines[number] = linecache.getline(file, number).strip()
        return array

    return filling
