"""Wrong rules for a step that moves or repeats entries: shifted, not flipped, overwritten, in the wrong order."""

from __future__ import annotations

import itertools

import numpy as np

from .places import gathered

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


def repeated(node):
    """Repeated entries: their gradient is the sum over the copies."""
    X, source = node.operands[0], node.source
    copies = source.size // max(X.size, 1)
    if copies < 2 or source.size != copies * X.size or (np.bincount(source.reshape(-1),
                                                                    minlength=X.size) != copies).any():
        return
    firsts = np.unique(source.reshape(-1), return_index=True)[1]
    says = "the gradient of a repeated entry is the sum over all its copies, not the gradient of one copy"
    yield "first", ("overwrite",), says, lambda dz: np.ravel(dz)[firsts].reshape(X.shape)
    lasts = source.size - 1 - np.unique(source.reshape(-1)[::-1], return_index=True)[1]
    yield "last", ("overwrite",), says, lambda dz: np.ravel(dz)[lasts].reshape(X.shape)
    for axis in range(X.ndim):
        if source.ndim == X.ndim and source.shape[axis] == copies * X.shape[axis]:
            n = X.shape[axis]
            lead, rest = X.shape[:axis], X.shape[axis + 1:]
            for name, shape, summed in (("repeat", (*lead, n, copies, *rest), axis + 1),
                                        ("tile", (*lead, copies, n, *rest), axis)):
                yield name, ("reduction",), "the backward pass sums over groups that are not the copies of one entry", \
                    lambda dz, shape=shape, summed=summed: np.asarray(dz).reshape(shape).sum(axis=summed)


def windows(node):
    """Overlapping windows: the gradient of an entry is the sum over the windows that contain it."""
    X, source = node.operands[0], node.source
    for axis in range(source.ndim):
        for name, step in (("last", 1), ("first", -1)):
            order = np.moveaxis(source, axis, 0)[::step].reshape(-1)

            def written(dz, axis=axis, step=step, order=order):
                dx = np.zeros(X.size)
                dx[order] = np.moveaxis(np.asarray(dz), axis, 0)[::step].reshape(-1)
                return dx.reshape(X.shape)
            yield (f"{name} {axis}", ("overwrite",),
                   "the gradients of overlapping windows overwrite each other (= instead of +=)", written)


def taken(node):
    """Rows or entries that are taken: taken again, not added up, or spread over all entries."""
    yield from gathered(node)
    X, source = node.operands[0], node.source.reshape(-1)
    width = X.size // max(len(X), 1)
    rows = source[::max(width, 1)] // max(width, 1)
    if source.size == X.size and (source == np.repeat(rows * width, width) + np.tile(np.arange(width), len(X))).all():
        says = ("the forward pass takes rows, and the backward pass takes rows again; "
                "add each gradient to the row it came from instead (np.add.at)")
        yield "again", ("permuted",), says, lambda dz: np.reshape(dz, X.shape)[rows]
    for axis in range(X.ndim):                              # one entry along an axis was taken
        taken = node.value.shape == X.shape[:axis] + X.shape[axis + 1:]
        if X.shape[axis] > 1 and taken and len(np.unique(source)) == len(source):
            yield f"all {axis}", ("mask",), "the gradient must go only to the entries that the forward pass takes", \
                lambda dz, axis=axis: np.broadcast_to(np.expand_dims(dz, axis), X.shape)
    if len(np.unique(source)) < len(source):
        def once(dz):
            dx = np.zeros(X.size)
            dx[source] = np.ravel(dz)
            return dx.reshape(X.shape)
        yield ("once", ("duplicate-index",),
               "rows that are taken several times get their last gradient, not the sum (np.add.at)", once)

        def meaned(dz):
            counts = np.maximum(np.bincount(source, minlength=X.size), 1).reshape(X.shape)
            return node.pulls[0](dz) / counts
        says = "rows that are taken several times get the mean of their gradients, not the sum"
        yield "mean", ("duplicate-index",), says, meaned


def rearranged(node):
    """A transpose or a reshape: axes in the wrong order."""
    X, source = node.operands[0], node.source
    if np.unique(source).size != X.size or source.size != X.size or X.size < 2:
        return
    # An axis of length 1, which np.stack makes, does not count.
    code = ("head-order",) if max(sum(n > 1 for n in a.shape) for a in (X, source)) >= 3 else ("transpose",)
    says = "the backward pass splits, merges or moves axes in the wrong order"
    yield "reshape", ("permuted",) if code == ("transpose",) else code, says, lambda dz: dz.reshape(X.shape)
    for axes in itertools.permutations(range(X.ndim)):
        if X.ndim > 2 and axes != tuple(range(X.ndim)) and tuple(X.shape[a] for a in axes) == X.shape:
            yield f"own{axes}", code, says, lambda dz, axes=axes: node.pulls[0](dz).transpose(axes)
    for axes in itertools.permutations(range(source.ndim)):
        if axes != tuple(range(source.ndim)):
            yield f"transpose{axes}", code, says, lambda dz, axes=axes: dz.transpose(axes).reshape(X.shape)
    if source.ndim >= 3:
        for axis in range(source.ndim):
            yield f"flip{axis}", code, says, lambda dz, axis=axis: node.pulls[0](np.flip(dz, axis))
