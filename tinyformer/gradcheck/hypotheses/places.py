"""The forward pass takes one entry of each row, such as the target's; the backward pass changes others."""

from __future__ import annotations

import numpy as np

LEAK = ("leak",)


def chosen(node):
    """The column t (N,) that a step takes from each row of a matrix, x[arange(N), t]; None for any other step."""
    X, source = node.operands[0], node.source
    if source is None or X.ndim != 2 or source.size != len(X) or min(X.shape) < 2:
        return None
    rows, columns = np.divmod(source.reshape(-1), X.shape[1])
    return columns if (rows == np.arange(len(X))).all() else None


def misplaced(shape, t):
    """Yield (description, index): indices that people write for [arange(N), t], but that select other entries."""
    each = np.arange(shape[0])
    yield "whole columns d[:, t]", (slice(None), t)
    if t.max() < shape[0]:
        yield "whole rows d[t]", (t, slice(None))
        if shape[0] <= shape[1]:
            yield "the entries d[t, np.arange(N)]", (t, each)


def gathered(node):
    """Wrong rules for x[arange(N), t]: the gradients (N,) are written to, or added at, other entries."""
    t, shape = chosen(node), node.operands[0].shape
    if t is None:
        return
    for key, how, put in _ways(shape, t):
        yield key, LEAK, _says(how), lambda dz, put=put: put(1.0) * np.reshape(dz, (-1, 1))
        column = (-1, 1) if how.startswith("whole rows") else -1
        yield f"{key} each", LEAK, _says(how), lambda dz, put=put, column=column: put(np.reshape(dz, column))


def cross_entropies(record):
    """For each softmax whose target entries are taken: its gradient p − onehot with one part exchanged.

    The ones are missing, in other places or those of another array of indices. In place of p stand the logits, a
    softmax along another axis, or a softmax of the softmax. A loop over examples takes one entry of a vector each time.
    """
    nodes = record.tapes[0].nodes
    found = [([node], chosen(node)) for node in nodes if node.number in record.reached and node.parents]
    found += [([nodes[n] for n in group], _entries([nodes[n] for n in group])) for group in record.sites
              if len(group) > 1 and set(group) <= record.reached]
    for takes, t in found:
        softs = [_softmax_before(node) for node in takes] if t is not None else [None]
        if None in softs:
            continue
        shape = takes[0].operands[0].shape if len(takes) == 1 else (len(t), softs[0].value.size)
        right = np.eye(shape[1])[t]
        changes = [(("missing-term",), "the gradient of a cross-entropy is p − onehot, "
                                       "but the ones at [np.arange(N), t] are missing", np.zeros(shape), _itself)]
        if len(takes) == 1:
            changes += [(LEAK, _says(how), put(1.0), _itself) for _, how, put in _ways(shape, t)]
        changes += [(("operand",), f"the gradient of a cross-entropy is p − onehot, but the ones are those of {name}",
                     np.eye(shape[1])[ids], _itself) for name, ids in _other_ids(record.e, t, shape)]
        changes += [(codes, f"the gradient of a cross-entropy is p − onehot, but {what} is in the place of p", right, q)
                    for codes, what, q in IN_PLACE_OF_P if len(takes) == 1 or codes != ("reduction",)]
        for codes, says, ones, q in changes:
            def edits_at(k, softs=softs, ones=ones, q=q):
                rows = [ones] if len(softs) == 1 else ones
                return {(soft.number, 0): _row(record.tapes[k].nodes[soft.number], one, q)
                        for soft, one in zip(softs, rows)}
            yield edits_at, codes, says, takes[0].number


def _entries(takes):
    """The places t (N,) that the steps of a loop take from a vector each, p[t]; None for other steps."""
    if any(n.source is None or n.source.size != 1 or n.operands[0].ndim != 1 for n in takes) or len(
            {n.operands[0].size for n in takes}) > 1:
        return None
    return np.array([int(n.source.reshape(-1)[0]) for n in takes])


def _row(soft, ones, q):
    p = soft.value if soft.kind == "softmax" else np.exp(soft.value)
    factor = soft.value if soft.kind == "softmax" else 1.0
    other = q(p, soft.operands[0])
    return lambda dz: (ones - other) * (factor * dz).sum(axis=-1, keepdims=True)


def _itself(p, logits):
    return p


def softmax(x, axis):
    """exp x / Σ exp x along the axis, in the shape of x."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


IN_PLACE_OF_P = [(("local-derivative",), "the array of logits", lambda p, u: u),
                 (("reduction",), "a softmax along the other axis", lambda p, u: softmax(u, 0)),
                 (("local-derivative",), "a softmax of the softmax", lambda p, u: softmax(p, -1)),
                 (("local-derivative",), "exp(logits), without its sum,", lambda p, u: np.exp(u))]


def _other_ids(e, t, shape):
    """(name, indices) of the other arrays of indices that fit: other inputs, the most likely class, shifted targets."""
    for name, array in zip(e.checked.names, e.points[0].arrays):
        if isinstance(array, np.ndarray) and array.dtype.kind in "iu" and array.size == len(t) and (
                array.ravel() != t).any() and 0 <= array.min() and array.max() < shape[1]:
            yield name, array.ravel()
    for name, other in (("the next example", np.roll(t, -1)), ("the example before", np.roll(t, 1)),
                        ("the first example", np.full_like(t, t[0])),
                        ("the class after", (t + 1) % shape[1]), ("the class before", (t - 1) % shape[1])):
        if (other != t).any():
            yield name, other


def _softmax_before(node):
    """The softmax or log-softmax whose entries the step takes, possibly after a logarithm."""
    parent = node.parents[0]
    while parent is not None and parent.kind == "log":
        parent = parent.parents[0]
    return parent if parent is not None and parent.kind in ("softmax", "log_softmax") else None


def _ways(shape, t):
    """Yield (key, description, values → array).

    The values are either written at once, where repeated places count once, or added up.
    """
    for how, index in misplaced(shape, t):
        def written(values, index=index):
            d = np.zeros(shape)
            d[index] = values
            return d

        def added(values, index=index):
            d = np.zeros(shape)
            np.add.at(d, index, values)
            return d
        yield how, how, written
        if len(np.unique(t)) < len(t):
            yield f"{how} added", how, added


def _says(how):
    return (f"the forward pass takes one entry of each row, [np.arange(N), t], but the backward pass changes {how}, "
            f"so a row's gradient depends on the targets of other rows")
