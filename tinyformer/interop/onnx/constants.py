"""Arrays that a forward pass makes from the sizes of its inputs alone: positions, masks, tables, zeros.

Each is recognized by its values in all recorded forward passes. What is not recognized is refused: a file that is right
only at the recorded sizes would be worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .graph import Graph, Value, stored
from .sizes import Size


def varying_constant(graph: Graph, arrays: Sequence[np.ndarray], longest: Callable[[], np.ndarray]) -> Value:
    """The value of arrays that differ between the forward passes but depend on no input's entries.

    longest     returns the array of a forward pass at the greatest length

    ValueError if no rule gives all of them.
    """
    for rule in (_filled, _positions, _causal):
        if (found := rule(graph, arrays)) is not None:
            return found
    return _table(graph, arrays, longest())


def _filled(graph, arrays):
    """One number in every entry, or no entries at all."""
    values = {array.reshape(-1)[0].item() for array in arrays if array.size} or {0}
    if len(values) != 1 or any((array != next(iter(values))).any() for array in arrays):
        return None
    sizes = [graph.size_of(lengths) for lengths in zip(*(array.shape for array in arrays))]
    return graph.Expand(stored(np.full((), next(iter(values)), arrays[0].dtype)), graph.shape(sizes))


def _positions(graph, arrays):
    """start, start + 1, …"""
    if arrays[0].ndim != 1 or arrays[0].dtype.kind not in "iu":
        return None
    starts = [int(array[0]) for array in arrays]
    if any((array != np.arange(start, start + len(array))).any() for array, start in zip(arrays, starts)):
        return None
    return positions(graph, graph.size_of(starts), graph.size_of([s + len(a) for s, a in zip(starts, arrays)]))


def positions(graph: Graph, start: int | Size, end: int | Size) -> Value:
    """start, start + 1, …, end − 1 as int64."""
    return graph.once(("positions", start, end),
                      lambda: graph.Range(graph.scalar(start), graph.scalar(end), np.int64(1)))


def _causal(graph, arrays):
    """True where key s ≤ query t + (S − T): each of the last T queries sees the keys up to itself."""
    if arrays[0].ndim != 2 or arrays[0].dtype != bool:
        return None
    if any((a != np.tri(len(a), len(a.T), len(a.T) - len(a), dtype=bool)).any() for a in arrays):
        return None
    queries, keys = (graph.size_of(lengths) for lengths in zip(*(array.shape for array in arrays)))
    before = graph.size_of([array.shape[1] - array.shape[0] for array in arrays])
    return causal_mask(graph, queries, keys, before)


def causal_mask(graph: Graph, queries: int | Size, keys: int | Size, before: int | Size = 0) -> Value:
    """(queries, keys), True where key s ≤ query t + before."""
    def make():
        last = graph.Unsqueeze(positions(graph, 0, queries), [1])
        last = last if before == 0 else graph.Add(last, graph.scalar(before))
        return graph.LessOrEqual(graph.Unsqueeze(positions(graph, 0, keys), [0]), last)
    return graph.once(("causal", queries, keys, before), make)


def _table(graph, arrays, full):
    """The rows of a table from the beginning, or from the first position that is not cached."""
    moving = [axis for axis in range(full.ndim) if len({array.shape[axis] for array in arrays}) > 1]
    pasts = graph.symbols.get("past_sequence", [0] * len(arrays))
    for axis in moving[:1]:
        for starts in (pasts, [0] * len(arrays)):
            cuts = [np.take(full, range(start, start + array.shape[axis]), axis) if start + array.shape[axis]
                    <= full.shape[axis] else None for start, array in zip(starts, arrays)]
            if all(cut is not None and np.array_equal(cut, array) for cut, array in zip(cuts, arrays)):
                ends = [start + array.shape[axis] for start, array in zip(starts, arrays)]
                return graph.Slice(stored(full), graph.size(graph.size_of(starts)), graph.size(graph.size_of(ends)),
                                   [axis])
    raise ValueError(f"an array of shape {arrays[0].shape} and type {arrays[0].dtype} changes with the inputs by no "
                     f"rule that is known")
