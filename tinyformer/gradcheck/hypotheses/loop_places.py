"""A loop takes entries or windows x[i], x[n, 2 * i:2 * i + 3] of an array, and its backward pass takes other places.

Each index that varies from iteration to iteration is replaced: by its neighbors, by the index without its stride, by
the index counted from the end, by its first value, or by another index with which the loop reads or writes.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from ...graph import unbroadcast

MOST = 12                       # other indices that are tried for one index


def other_places(record):
    """Yield mistakes of ``wrong_step``: the gradient is put in other places, or a product takes its factor there."""
    nodes, series = record.tapes[0].nodes, _series(record)
    for group in record.sites:
        if len(group) < 2 or nodes[group[0]].kind != "getitem" or nodes[group[0]].parents[0] is None:
            continue
        parts = [_parts(nodes[n]) for n in group]
        if None in parts or len({len(p) for p in parts}) > 1:
            continue
        users = _users(record, group)
        state = nodes[group[0]].parents[0].kind in ("written", "constant")      # whose other places hold other steps
        for axis in range(len(parts[0])):
            own = tuple(p[axis].start if isinstance(p[axis], slice) else p[axis] for p in parts)
            ends = [p[axis].stop for p in parts if isinstance(p[axis], slice)]
            if len({type(p[axis]) for p in parts}) > 1 or None in own or None in ends:
                continue
            size = nodes[group[0]].operands[0].shape[axis]
            for other in _alternatives(own, series.get(len(group), ()), record, size):
                moved = [_moved(p, axis, start) for p, start in zip(parts, other)]
                if not state and set(group) & record.reached:
                    yield (lambda point, group=group, moved=moved: _put(record.tapes[point], group, moved),
                           ("permuted",), "the gradient of a part of an array goes to another place than the forward "
                                          "pass takes the part from", group[0])
                if users:
                    yield (lambda point, users=users, group=group, moved=moved:
                           _taken(record.tapes[point], users, group, moved),
                           ("operand",), "a product takes its other factor from another place of the array",
                           users[0][0])


def _parts(step):
    """The index as a list of integers and slices, one for each axis up to the last one indexed; None for others."""
    index = step.options.get("index")
    parts = []
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, slice):
            parts.append(part)
        elif isinstance(part, (int, np.integer)) or getattr(part, "shape", None) == ():
            parts.append(int(part))
        else:
            return None
    return parts


def _series(record):
    """{length: the sequences of places at which the lines of loops read or write}"""
    found = {}
    for group in record.sites:
        steps = [record.tapes[0].nodes[n] for n in group]
        if len(group) > 1 and steps[0].kind in ("getitem", "written"):
            parts = [_parts(step) for step in steps]
            if None not in parts and len({len(p) for p in parts}) == 1:
                for axis in range(len(parts[0])):
                    one = tuple(p[axis].start if isinstance(p[axis], slice) else p[axis] for p in parts)
                    if None not in one and len(set(one)) > 1:
                        found.setdefault(len(group), {})[one] = None
    return found


def _alternatives(own, series, record, size):
    """Other sequences of places for ``own``."""
    inner = {n for a in record.e.points[0].arrays for n in np.shape(a) if 1 < n < len(own) and len(own) % n == 0}
    steps = [abs(b - a) for a, b in zip(own, own[1:]) if a != b]
    stride = gcd(*steps) if steps else 1
    found = dict.fromkeys([tuple(i + 1 for i in own), tuple(i - 1 for i in own)] if steps else [])
    if stride > 1:
        found[tuple(own[0] + (i - own[0]) // stride for i in own)] = None
    if steps:
        found.update(dict.fromkeys([tuple(size - 1 - i for i in own), (own[0],) * len(own)]))
    for n in inner if steps else ():                        # in a loop within a loop: the first of the inner, or outer
        found.update(dict.fromkeys([tuple(own[j - j % n] for j in range(len(own))), (own[:n] * len(own))[:len(own)]]))
    found.update(dict.fromkeys(series))
    found.pop(own, None)
    return list(found)[:MOST]


def _moved(parts, axis, start):
    """The index with another place along one axis."""
    part = parts[axis]
    other = slice(start, start + (part.stop - part.start), part.step) if isinstance(part, slice) else start
    return (*parts[:axis], other, *parts[axis + 1:])


def _inside(index, shape):
    return all(0 <= (p.start or 0) and (p.stop is None or p.stop <= n) if isinstance(p, slice) else 0 <= p < n
               for p, n in zip(index, shape))


def _put(tape, group, moved):
    edits = {}
    for n, index in zip(group, moved):
        shape = tape.nodes[n].operands[0].shape

        def pull(dz, index=index, shape=shape):
            dx = np.zeros(shape)
            if _inside(index, shape):
                dx[index] += dz
            return dx
        edits[n, 0] = pull
    return edits


def _users(record, group):
    """(step, the operand that is a part, its place in the group) of the products that the parts enter."""
    users, place = [], {n: j for j, n in enumerate(group)}
    for step in record.tapes[0].nodes:
        for k, p in enumerate(step.parents if step.kind in ("multiply", "matmul") else ()):
            if p is not None and p.number in place and step.number in record.reached:
                users.append((step.number, k, place[p.number]))
    return users


def _taken(tape, users, group, moved):
    edits = {}
    for n, k, j in users:
        step, whole = tape.nodes[n], tape.nodes[group[j]].operands[0]
        part = whole[moved[j]] if _inside(moved[j], whole.shape) else np.zeros_like(step.operands[k])
        pair = (step.operands[0], part) if k == 1 else (part, step.operands[1])
        if np.shape(part) != np.shape(step.operands[k]):
            return None
        edits[n, 1 - k] = lambda dz, raw=step.node.operation.raw, pair=pair, k=k: unbroadcast(
            np.asarray(raw(*pair)[1](np.asarray(dz))[1 - k]), np.shape(pair[1 - k]))
    return edits
