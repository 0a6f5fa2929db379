"""Wrong rules for a step that moves entries: shifted by one, from the wrong end, not flipped, the padding not cut."""

from __future__ import annotations

import numpy as np

PERMUTED = ("permuted",)
SHIFTED = "the gradient of each entry goes to its neighbor: the index of the backward pass is off by one"
ENDS = "the backward pass takes the first or the last places instead of those that the forward pass takes"
TURNED = "the forward pass reverses or reorders an axis, and the backward pass does not undo it"


def moved(node):
    """Yield (key, codes, message, rule) for a step with a ``source``."""
    X, source = node.operands[0], node.source
    if source.size == 0 or X.ndim == 0:
        return
    if source.min() < 0:
        yield from _padded(X.shape, source)
        return
    places = np.unravel_index(source, X.shape)
    for axis, along in enumerate(places):
        n = X.shape[axis]
        if n < 2 or source.ndim == X.ndim and source.shape[axis] == n and (
                along == np.indices(source.shape)[axis]).all():
            continue                                        # every place along this axis, in order
        for by in (1, -1):
            yield f"shift{axis}{by}", PERMUTED, SHIFTED, _put(X.shape, places, axis, along + by)
        for v in range(source.ndim):
            if (along != np.take(along, [0], v)).any():     # the places depend on this axis of the value
                order = np.expand_dims(np.arange(source.shape[v]), [a for a in range(source.ndim) if a != v])
                for key, other in (("first", order), ("last", order + n - source.shape[v])):
                    other = np.broadcast_to(other, source.shape)
                    if source.shape[v] <= n and (other != along).any():
                        yield f"{key}{axis}{v}", PERMUTED, ENDS, _put(X.shape, places, axis, other)
                turned = np.flip(along, v)
                if (turned != along).any():
                    yield f"turned{axis}{v}", PERMUTED, TURNED, _put(X.shape, places, axis, turned)


def _put(shape, places, axis, along):
    """dz ↦ dx that adds dz at ``places`` with other places along one axis; those outside are left out."""
    inside = (along >= 0) & (along < shape[axis])
    index = tuple((along if a == axis else p)[inside] for a, p in enumerate(places))

    def pull(dz):
        dx = np.zeros(shape)
        np.add.at(dx, index, np.broadcast_to(dz, inside.shape)[inside])
        return dx
    return pull


def _padded(shape, source):
    if source.ndim != len(shape):
        return
    starts = [np.flatnonzero((source >= 0).any(axis=tuple(b for b in range(source.ndim) if b != a)))[0]
              for a in range(source.ndim)]
    for axis, start in enumerate(starts):
        room = source.shape[axis] - shape[axis]
        for other in {0, room, start - 1, start + 1} - {start} if room else ():
            if 0 <= other <= room:
                begin = [other if a == axis else s for a, s in enumerate(starts)]
                cut = tuple(slice(b, b + n) for b, n in zip(begin, shape))
                yield (f"cut{axis}{other - start}", PERMUTED, "the padding is cut off at the wrong place",
                       lambda dz, cut=cut: np.asarray(dz)[cut])


def written(node, operand):
    """Wrong rules for ``x[index] = value``: the value's gradient is taken at a neighbor of the index."""
    index = node.options["index"]
    if operand != 1 or not isinstance(index, (int, np.integer)):
        return
    shape = np.shape(node.operands[1])
    for by in (1, -1):
        if 0 <= index + by < len(node.value):
            yield f"shift{by}", PERMUTED, SHIFTED, lambda dz, by=by: np.broadcast_to(dz[index + by], shape)
        else:
            yield f"shift{by}", PERMUTED, SHIFTED, lambda dz: np.zeros(shape)


def joined(node, operand):
    """Wrong rules for a concatenation: a part gets the gradient of the part before or after it."""
    shapes = [np.shape(o) for o in node.operands]
    for by in (1, -1):
        other = operand + by
        if 0 <= other < len(shapes) and shapes[other] == shapes[operand]:
            yield f"part{by}", PERMUTED, SHIFTED, lambda dz, other=other: node.pulls[other](dz)
        elif not 0 <= other < len(shapes):
            yield f"part{by}", PERMUTED, SHIFTED, lambda dz: np.zeros(shapes[operand])
