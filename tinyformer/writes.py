"""When arrays were last written in place, so that a backward pass never mixes old and new values without an error.

A clock counts the writes. Each written array gets the time of its last write, and each application of an operation gets
the time at which it ran. An array that its vjp keeps is stale if it was written later. The time belongs to the memory,
so it is the same for all views of an array.
"""

from __future__ import annotations

import functools
import threading
import types
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike

clock = 0                                                           # number of writes so far
_written: dict[int, tuple[weakref.ref[np.ndarray], int]] = {}       # id of an owning array: (weak reference, time)
_lock = threading.Lock()


def write(array: np.ndarray, value: ArrayLike) -> None:
    """``array[...] = value``, and ``note`` the write."""
    array[...] = value
    note(array)


def note(array: np.ndarray) -> None:
    """Record that ``array`` is written now."""
    global clock
    array = owner(array)
    key = id(array)
    with _lock:
        clock += 1
        reference = _written[key][0] if key in _written else weakref.ref(array, lambda _: _written.pop(key, None))
        _written[key] = reference, clock


def owner(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory of ``array``: itself, or the array it is a view of."""
    base: Any = array
    while (base := getattr(base, "base", None)) is not None:
        if isinstance(base, np.ndarray):
            array = base
    return array


def stale(holder: Callable[..., Any], time: int) -> list[np.ndarray]:
    """The arrays that the function ``holder`` keeps and that were written after ``time``; for a view, its owner."""
    return [array for array in map(owner, _kept_by(holder)) if _written.get(id(array), (None, 0))[1] > time]


def _kept_by(holder: Any) -> Iterator[np.ndarray]:
    """The arrays that a function keeps: in its closure, in functions and containers there, and in its defaults."""
    todo, seen = [holder], set()
    while todo:
        kept = todo.pop()
        if id(kept) in seen:
            continue
        seen.add(id(kept))
        if isinstance(kept, np.ndarray):
            yield kept
        elif isinstance(kept, types.FunctionType):
            todo += [*_closed_over(kept), *(kept.__defaults__ or ()), *(kept.__kwdefaults__ or {}).values()]
        elif isinstance(kept, types.MethodType):
            todo += [kept.__func__, kept.__self__]
        elif isinstance(kept, functools.partial):
            todo += [kept.func, *kept.args, *kept.keywords.values()]
        elif isinstance(kept, (tuple, list)):
            todo += kept
        elif isinstance(kept, dict):
            todo += kept.values()
        elif not isinstance(kept, (type, types.ModuleType)):
            todo += getattr(kept, "__dict__", {}).values()


def _closed_over(function: types.FunctionType) -> Iterator[Any]:
    """The values in the closure of ``function``, without variables that have no value yet."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            pass
