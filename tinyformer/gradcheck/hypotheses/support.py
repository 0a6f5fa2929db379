"""Zero where it must not be, or not zero where it must: masks, rows, other examples and later times."""

from __future__ import annotations

import numpy as np

from ..report import Finding


def masks(e):
    """Whole entries of the gradient: which are zero, which should be, and are the others right?"""
    right = [_nonzero(t, t) for t in e.true]
    came = [_nonzero(g, t) for g, t in zip(e.got, e.true)]
    if any(r.size == 0 for r in right):
        return []
    extra = [c & ~r for c, r in zip(came, right)]
    lost = [r & ~c for c, r in zip(came, right)]
    both = [c & r for c, r in zip(came, right)]
    agree = all(np.max(np.abs(g - t), initial=0, where=b) <= e.tol * np.max(np.abs(t)) for g, t, b in zip(e.got, e.true, both))
    count = int(extra[0].sum()), int(lost[0].sum())
    where = {"entries": [tuple(int(n) for n in i) for i in np.argwhere(extra[0] | lost[0])[:5]]}
    if not any(map(np.any, both)) and any(map(np.any, extra)) and any(map(np.any, lost)):
        return [Finding("inverted-mask", f"the gradient of {e.name} is zero just where it should not be, and the other way "
                                         f"round: is the mask inverted?", where)]
    if not agree or not all(b.any() for b in both):
        return []
    if any(map(np.any, extra)) and not any(map(np.any, lost)):
        return [Finding("mask", f"the gradient of {e.name} is not zero at {count[0]} entries where it must be: is a mask "
                                f"missing?", where)]
    if all(map(np.any, extra)) and all(map(np.any, lost)):
        return [Finding("mask", f"the gradient of {e.name} is not zero at {count[0]} entries where it must be", where),
                Finding("dropped", f"the gradient of {e.name} is also zero at {count[1]} entries where it must not be: another mask "
                                   f"than the forward pass's?", where)]
    if any(map(np.any, lost)) and not any(map(np.any, extra)):
        return [Finding("dropped", f"the gradient of {e.name} is zero at {count[1]} entries where it must not be; the others "
                                   f"are right", where)]
    return []


def _nonzero(a, scale):
    return np.abs(a) > 1e-8 * max(np.max(np.abs(scale), initial=0), 1e-300)


def one_place(e):
    """An input that was broadcast: the gradient from one of the places alone."""
    values = e.points[0].values
    if len(values) != 1 or values[0].ndim < len(e.shape) or values[0].size <= e.got[0].size:
        return []
    lead = values[0].ndim - len(e.shape)
    for axis in range(values[0].ndim):
        if axis < lead or e.shape[axis - lead] == 1 != values[0].shape[axis]:
            for place in (0, -1):
                def only(dy, axis=axis, place=place):
                    kept = np.zeros(dy.shape)
                    index = (slice(None),) * axis + (place,)
                    kept[index] = dy[index]
                    return kept
                if e.fits([p.true(e.i, [only(p.dys[0])]) for p in e.points]):
                    return [Finding("unbroadcast", f"{e.name} is used at every place along axis {axis} of the value, but "
                                                   f"its gradient is that of one place: sum over them", {"axis": axis})]
    return []


def diagonal(e):
    """A Jacobian of which the diagonal alone is used, and it is p or p (1 − p) with p the value: a softmax."""
    if not e.small or len(e.points[0].values) != 1 or e.points[0].values[0].shape != e.shape:
        return []
    learner, right = e.jacobians()
    p, off = e.points[0].values[0].ravel(), ~np.eye(len(right), dtype=bool)
    scale = np.max(np.abs(right))
    if np.max(np.abs(learner[off])) > 1e-8 * scale or np.max(np.abs(right[off])) < 1e-3 * scale \
            or np.max(np.abs(right.sum(axis=0))) > 1e-6 * scale:
        return []
    k = np.vdot(p * (1 - p), np.diag(right)) / max(np.vdot(p * (1 - p), p * (1 - p)), 1e-300)       # a temperature
    if np.max(np.abs(np.diag(right) - k * p * (1 - p))) <= 1e-6 * scale and any(
            np.max(np.abs(np.diag(learner) - k * d)) <= 1e-6 * scale for d in (p, p * (1 - p))):
        return [Finding("softmax-diagonal", f"the value is a softmax, whose Jacobian is diag(p) − p pᵀ; the gradient of "
                                            f"{e.name} uses its diagonal alone")]
    return []


def reaches(e):
    """The Jacobians: which outputs reach which entries of the input that they must not, and which no longer do."""
    if not e.small:
        return []
    learner, right = e.jacobians()
    if learner.shape != right.shape or min(right.shape) < 2:
        return []
    scale = np.max(np.abs(right))
    came, should = np.abs(learner) > 1e-7 * scale, np.abs(right) > 1e-7 * scale
    extra, lost = came & ~should, should & ~came
    agree = np.max(np.abs(learner - right), initial=0, where=came & should) <= e.tol * scale
    stray = _stray(e, should, extra) if agree or e.points[0].tape is not None else None     # without a record less is known
    if stray:
        axis, how, (i, j) = stray
        place = tuple(int(n) for n in np.unravel_index(i, e.shape))
        return [Finding("leak", f"the gradient of {e.name} depends on what it must not: entry {list(place)} gets a gradient "
                                f"from an output that it has no influence on, {how} along axis {axis}",
                                {"input": place, "output": j, "axis": axis})]
    if lost.any() and not extra.any() and agree and (came & should).any():
        if written_over(e, lost, should):
            return [Finding("overwrite", f"each entry of {e.name} reaches several outputs, and its gradient comes from the last "
                                         f"or the first of them alone (= instead of +=?)")]
        return [Finding("lost-path", f"the gradient of {e.name} comes from some of the outputs that it reaches only: a path "
                                     f"is missing")]
    return []


def written_over(e, lost, should):
    """Whether of the outputs that an entry reaches, along some axis, one alone counts: the last everywhere, or the first.

    Where an entry's own place along an axis is what is left, that is not it: then the way to the other places is lost. Nor is
    it where only the first place of all is left: a loop that overwrites comes there first.
    """
    values = e.points[0].values
    if len(values) > 1 or (should & ~lost).sum(axis=1).min(initial=1, where=should.any(axis=1)) < 1:
        return False
    outputs = np.indices(values[0].shape).reshape(values[0].ndim, -1)
    inputs = np.indices(e.shape).reshape(len(e.shape), -1)
    kept = should & ~lost
    shape = values[0].shape
    for axes in [range(a, b) for a in range(len(shape)) for b in range(a + 2, len(shape) + 1)]:     # as one loop after another
        place = np.ravel_multi_index([outputs[a] for a in axes], [shape[a] for a in axes])
        last = np.where(should, place, -1).max(axis=1, keepdims=True)
        if lost.any() and (kept == (should & (place == last))).all():
            return True
    for axis, place in enumerate(outputs):
        own = any(n == values[0].shape[axis] and not (kept & (inputs[a][:, None] != place)).any() for a, n in enumerate(e.shape))
        last = np.where(should, place, -1).max(axis=1, keepdims=True)
        first = np.where(should, place, len(place)).min(axis=1, keepdims=True)
        if not own and (kept & (place > 0)).any() and any((kept == (should & (place == end))).all() for end in (last, first)):
            return True
    return False


def _stray(e, should, extra):
    """(axis, how, (entry, output)): a broken rule of the truth along an axis: each place for itself, or none from the future."""
    values = e.points[0].values
    if not extra.any() or len(values) > 1:
        return None
    inputs, outputs = np.indices(e.shape).reshape(len(e.shape), -1), np.indices(values[0].shape).reshape(values[0].ndim, -1)
    for a, b in [(a, b) for a in range(len(e.shape)) for b in range(values[0].ndim) if e.shape[a] == values[0].shape[b] > 1]:
        before = inputs[a][:, None] - outputs[b][None, :]
        for allowed, how in ((before == 0, "in another place"), (before <= 0, "an earlier one"), (before >= 0, "a later one")):
            broken = extra & ~allowed
            if broken.any() and not (should & ~allowed).any():
                return a, how, tuple(int(n) for n in np.argwhere(broken)[0])
    return None
