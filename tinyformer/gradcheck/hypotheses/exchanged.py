"""The right gradient of a changed function: the backward pass flipped, transposed or left out another input.

This needs no record of the forward pass. The true gradient is computed again with that input changed.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from ..evidence import Point
from ..report import Finding
from ..function_forms import copies

if TYPE_CHECKING:
    from ..evidence import Evidence


def other_input(e: Evidence) -> list[Finding]:
    """The gradient would be right if another input held a changed array of the same shape."""
    if not e.small:
        return []
    for j, wanted in enumerate(e.checked.wanted):
        if not wanted or j == e.i or not e.checked.arrays[j].shape:
            continue
        name = e.checked.names[j]
        for code, how, change in _changes(e.checked.arrays[j].shape):
            if _fits(e, j, change):
                return [Finding(code, f"the gradient of {e.name} would be right if {name} were {how}: "
                                      f"check how the backward pass uses {name}", {"array": name})]
    return []


def _changes(shape):
    for axes in (axes for n in (1, 2) for axes in itertools.combinations(range(len(shape)), n)):
        yield "operand", "flipped", lambda a, axes=axes: np.flip(a, axes)
    for axes in itertools.permutations(range(len(shape))):
        if axes != tuple(range(len(shape))) and tuple(shape[a] for a in axes) == shape:
            yield "operand", "transposed", lambda a, axes=axes: a.transpose(axes).copy()
    yield "local-derivative", "all ones, that is, left out", np.ones_like


def _fits(e, j, change):
    for k in range(e.places):
        p = e.points[k]
        arrays = copies(p.arrays)
        arrays[j] = np.ascontiguousarray(change(arrays[j]))
        candidate = Point(e.checked, arrays, p.eps, copies(p.dys)).true(e.i)
        if not np.isfinite(candidate).all() or not e.same([candidate], [e.analytic[k]]):
            return False
    return True
