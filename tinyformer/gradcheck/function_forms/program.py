"""The forward pass of a function of another library as a list of NumPy steps, for the doctor's record.

A step is a function of an environment, in which it reads and writes arrays. It is called from a frame that claims the
learner's file and line, so that the record, which asks the call stack where a step comes from, names that line.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..recorded import plain as values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType

HERE = __file__.rpartition("function_forms")[0]             # this package


class Place(NamedTuple):
    """A place in the learner's code: the file, the line, and the instruction in this line, such as a column."""

    file: str
    line: int
    instruction: int


class Untranslated(Exception):
    """The forward pass has an operation that has no NumPy form here."""


def run_at(place: Place | None, step: Callable[[Any], None], env: Any) -> None:
    """``step(env)``, called from the learner's line."""
    if place is None:
        step(env)
    else:
        exec(_stub(place), {"step": step, "env": env})


@functools.lru_cache(maxsize=4096)
def _stub(place: Place) -> CodeType:
    # One code object for each place: the iterations of a loop share it, two operations of one line do not. Equal code
    # objects count as one, so the name holds the instruction.
    return compile("\n" * (place.line - 1) + "step(env)", place.file, "exec").replace(co_name=f"at{place.instruction}")


def learners_place(libraries: tuple[str, ...]) -> Place | None:
    """The outermost frame of the present call that is neither in the folders ``libraries`` nor in this package.

    The search ends at the first frame of this package that has another kind of frame inside.
    """
    frame: Any = sys._getframe(1)
    found = None
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(HERE):
            if found is not None:
                break
        elif not name.startswith(libraries) and "__tracebackhide__" not in frame.f_code.co_varnames:
            found = Place(name, frame.f_lineno, frame.f_lasti)
        frame = frame.f_back
    return found


class Translated:
    """A forward pass of another library as a function for the record, which leaves an object of this class as it is."""

    def __init__(self, outputs: Callable[..., list[Any]]) -> None:
        self.outputs = outputs

    def __call__(self, *arrays: Any, **_: Any) -> tuple[Any, None]:
        """(the outputs, no vjp)"""
        return tuple(self.outputs(arrays)), None


def plain(arrays: Iterable[Any]) -> list[Any]:
    """The values of recording arrays; anything else unchanged."""
    return values_of(list(arrays))


def recorded(x: Any) -> bool:
    """Whether x is an array that records what is done with it."""
    return not isinstance(x, (np.ndarray, np.generic, int, float, bool, type(None), str, list, tuple))


def moved(move: Callable[[np.ndarray], Any]) -> Callable[[Any], Any]:
    """A step that only moves or repeats entries, from what ``move`` does to an array of the entries' numbers."""
    def step(x: Any) -> Any:
        source = np.asarray(move(np.arange(int(np.prod(x.shape)), dtype=np.float64).reshape(x.shape)))
        return np.reshape(np.take(np.reshape(x, (-1,)), source.astype(int).reshape(-1)), source.shape)
    return step


def written(base: Any, source: np.ndarray, value: Any) -> Any:
    """``base`` with ``value`` at the flat indices ``source``, which has the shape of the value."""
    shape, size = tuple(np.shape(base)), int(np.prod(np.shape(base)))
    if tuple(np.shape(value)) != source.shape:
        value = np.broadcast_to(value, source.shape)
    if source.size == size and np.array_equal(source.reshape(-1), np.arange(size)):
        return np.reshape(value, shape)
    if not recorded(base) and not recorded(value):
        flat = np.array(base).reshape(-1)
        flat[source.reshape(-1)] = np.reshape(value, (-1,))
        return flat.reshape(shape)
    inside, origin = np.zeros(size, bool), np.zeros(size, int)
    inside[source.reshape(-1)], origin[source.reshape(-1)] = True, np.arange(source.size)
    spread = np.reshape(np.take(np.reshape(value, (-1,)), origin), shape)
    return np.where(inside.reshape(shape), spread, base)
