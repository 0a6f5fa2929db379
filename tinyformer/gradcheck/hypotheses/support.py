"""Zeros in the wrong places: masks, rows that are left out, and influence from other examples or later times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..report import Finding

if TYPE_CHECKING:
    from ..evidence import Evidence


def masks(e: Evidence) -> list[Finding]:
    """Compare the zeros of the gradient with those of the true one, where all other entries agree."""
    right = [_nonzero(t, t) for t in e.true]
    came = [_nonzero(g, t) for g, t in zip(e.analytic, e.true)]
    if any(r.size == 0 for r in right):
        return []
    extra = [c & ~r for c, r in zip(came, right)]
    lost = [r & ~c for c, r in zip(came, right)]
    both = [c & r for c, r in zip(came, right)]
    agree = all(np.max(np.abs(g - t), initial=0, where=b) <= e.tol * np.max(np.abs(t)) for g, t,
                b in zip(e.analytic, e.true, both))
    count = int(extra[0].sum()), int(lost[0].sum())
    where = {"entries": [tuple(int(n) for n in i) for i in np.argwhere(extra[0] | lost[0])[:5]]}
    if not any(map(np.any, both)) and any(map(np.any, extra)) and any(map(np.any, lost)):
        return [Finding("inverted-mask",
                        f"the gradient of {e.name} is zero where it should be nonzero, and nonzero where it "
                        f"should be zero: is the mask inverted?", where)]
    if not agree or not all(b.any() for b in both):
        return []
    if any(map(np.any, extra)) and not any(map(np.any, lost)):
        return [Finding("mask", f"the gradient of {e.name} is nonzero at {count[0]} entries "
                                "that do not affect the value: is a mask missing?", where)]
    if all(map(np.any, extra)) and all(map(np.any, lost)):
        return [Finding("mask", f"the gradient of {e.name} "
                                f"is nonzero at {count[0]} entries that do not affect the value", where),
                Finding("dropped", f"the gradient of {e.name} is also zero at {count[1]} entries that affect the "
                                   f"value: does the backward pass use the mask of the forward pass?", where)]
    if any(map(np.any, lost)) and not any(map(np.any, extra)):
        return [Finding("dropped", f"the gradient of {e.name} is zero at {count[1]} entries that affect the value; "
                                   f"the other entries are right", where)]
    return []


def _nonzero(a, scale):
    return np.abs(a) > 1e-8 * max(np.max(np.abs(scale), initial=0), 1e-300)


def one_place(e: Evidence) -> list[Finding]:
    """An input that is broadcast, whose gradient comes from only one of its copies."""
    values = e.points[0].values
    if len(values) != 1 or values[0].ndim < len(e.shape) or values[0].size <= e.analytic[0].size:
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
                    return [Finding("unbroadcast",
                                    f"{e.name} is broadcast along axis {axis} of the value, but its gradient "
                                    f"uses one position of that axis: sum over the axis",
                                    {"axis": axis})]
    return []


def reaches(e: Evidence) -> list[Finding]:
    """Compare the zeros of the two Jacobians: an influence on an entry that must not be, or that is missing."""
    if not e.small:
        return []
    learner, right = e.jacobians()
    if learner.shape != right.shape or min(right.shape) < 2:
        return []
    scale = np.max(np.abs(right))
    came, should = np.abs(learner) > 1e-7 * scale, np.abs(right) > 1e-7 * scale
    extra, lost = came & ~should, should & ~came
    agree = np.max(np.abs(learner - right), initial=0, where=came & should) <= e.tol * scale
    # without a tape, less is known
    stray = _stray(e, should, extra) if agree or e.points[0].tape is not None else None
    if stray:
        axis, how, (i, j) = stray
        place = tuple(int(n) for n in np.unravel_index(i, e.shape))
        return [Finding("leak", f"entry {list(place)} of the gradient of {e.name} depends on the gradient of an "
                                f"output that this entry does not influence ({how} along axis {axis})",
                                {"input": place, "output": j, "axis": axis})]
    if lost.any() and not extra.any() and agree and (came & should).any():
        if written_over(e, lost, should):
            return [overwrites(e)]
        return [Finding("lost-path",
                        f"the gradient of {e.name} comes from only some of the outputs "
                        f"that {e.name} influences: a path is missing")]
    return []


def overwrites(e: Evidence) -> Finding:
    """The finding where ``written_over`` holds."""
    return Finding("overwrite", f"each entry of {e.name} influences several outputs, but its gradient comes from only "
                                f"the last or the first of them (= instead of +=?)")


def written_over(e, lost, should):
    """Whether only the last, or only the first, of the outputs that an entry influences along an axis counts.

    Two cases are excluded. If each entry's own place along the axis remains, the path to the other places is lost
    instead. If only the very first place remains, no loop that overwrites explains this.
    """
    values = e.points[0].values
    if len(values) > 1 or (should & ~lost).sum(axis=1).min(initial=1, where=should.any(axis=1)) < 1:
        return False
    outputs = np.indices(values[0].shape).reshape(values[0].ndim, -1)
    inputs = np.indices(e.shape).reshape(len(e.shape), -1)
    kept = should & ~lost
    shape = values[0].shape
    for axes in [range(a, b) for a in range(len(shape))
                 for b in range(a + 2, len(shape) + 1)]:     # as one loop after another
        place = np.ravel_multi_index([outputs[a] for a in axes], [shape[a] for a in axes])
        last = np.where(should, place, -1).max(axis=1, keepdims=True)
        if lost.any() and (kept == (should & (place == last))).all():
            return True
    for axis, place in enumerate(outputs):
        own = any(n == values[0].shape[axis] and not (kept & (inputs[a][:, None] != place)).any() for a,
                  n in enumerate(e.shape))
        last = np.where(should, place, -1).max(axis=1, keepdims=True)
        first = np.where(should, place, len(place)).min(axis=1, keepdims=True)
        if not own and (kept & (place > 0)).any() and any((kept == (should & (place == end))).all()
                                                          for end in (last, first)):
            return True
    return False


def _stray(e, should, extra):
    """(axis, how, (entry, output)) where the true Jacobian keeps a rule along an axis and the learner's breaks it.

    The rules are: every place is independent of the others, or no place depends on a later (or an earlier) one.
    """
    values = e.points[0].values
    if not extra.any() or len(values) > 1:
        return None
    inputs, outputs = (np.indices(shape).reshape(len(shape), -1) for shape in (e.shape, values[0].shape))
    for a, b in [(a, b) for a in range(len(e.shape)) for b in range(values[0].ndim)
                 if e.shape[a] == values[0].shape[b] > 1]:
        before = inputs[a][:, None] - outputs[b][None, :]
        for allowed, how in ((before == 0, "at another position"), (before <= 0, "at an earlier position"),
                             (before >= 0, "at a later position")):
            broken = extra & ~allowed
            if broken.any() and not (should & ~allowed).any():
                return a, how, tuple(int(n) for n in np.argwhere(broken)[0])
    return None
