"""When arrays were last written in place, so that a backward pass never mixes values of before and after in silence.

A clock counts the writes. Each array that is written gets the time of its last write; each application of an operation
notes the time at which it was made. What it keeps for its backward pass is stale if it was written later. The time
belongs to the memory, so that it is the same for all views of an array.
"""

from __future__ import annotations

import functools
import threading
import types
import weakref

import numpy as np

clock = 0                                   # writes so far
_written = {}                               # id of an array that owns its memory: (weak reference to it, time)
_lock = threading.Lock()


def write(array, value):
    """``array[...] = value``, noted."""
    array[...] = value
    note(array)


def note(array):
    """Say that ``array`` is written now."""
    global clock
    array = owner(array)
    key = id(array)
    with _lock:
        clock += 1
        reference = _written[key][0] if key in _written else weakref.ref(array, lambda _: _written.pop(key, None))
        _written[key] = reference, clock


def owner(array):
    """The array whose memory ``array`` shows: itself, or what it is a view of."""
    base = array
    while (base := getattr(base, "base", None)) is not None:
        if isinstance(base, np.ndarray):
            array = base
    return array


def stale(holder, time):
    """The owners of those arrays that the function ``holder`` keeps and that were written after ``time``."""
    return [array for array in map(owner, _kept_by(holder)) if _written.get(id(array), (None, 0))[1] > time]


def _kept_by(holder):
    """The arrays that a function keeps: in its closure, in the functions and containers there, and in its defaults."""
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


def _closed_over(function):
    """What the closure of ``function`` holds; a variable that has no value yet is left out."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            pass
