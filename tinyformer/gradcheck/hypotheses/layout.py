"""The right numbers in the wrong place: transposed, flipped, swapped with another input's, not summed, or reordered."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from ...graph import unbroadcast
from ..report import Finding

if TYPE_CHECKING:
    from ..evidence import Evidence


def shape(e: Evidence) -> list[Finding]:
    """The gradient does not have the shape of the input: look for a change that makes it right."""
    came = e.analytic
    text = f"the gradient of {e.name} has shape {came[0].shape}, expected {e.shape}"
    evidence = {"came": came[0].shape, "expected": e.shape}

    def found(code, why):
        return [Finding(code, f"{text}: {why}", evidence)]

    def is_true(mended):
        return all(m is not None for m in mended) and e.same(mended, e.true)

    if came[0].size == math.prod(e.shape) and [n for n in came[0].shape if n != 1] == [n for n in e.shape if n != 1] \
            and is_true([g.reshape(e.shape) for g in came]):
        return found("keepdims", "the numbers are right, but an axis of length 1 is missing or too many (keepdims?)")
    if is_true([unbroadcast(g, e.shape) for g in came]):
        return found("unbroadcast",
                     f"the forward pass broadcasts {e.name}, so sum its gradient over the broadcast axes")
    # the sum over these is right: a bias, a batch of matrices
    for axes in _choices(range(came[0].ndim)):
        if came[0].ndim > len(e.shape) and is_true([_reshaped(g.sum(axis=axes), e.shape) for g in came]):
            return found("unbroadcast",
                         f"the forward pass uses {e.name} once for each position along axis {axes[0]}, so its "
                         f"gradient is the sum over that axis")
    for n in range(came[0].ndim):                           # the forward pass uses the first rows of a table, P[:T]
        for axes in itertools.combinations(range(came[0].ndim), n):
            if n + len(e.shape) == came[0].ndim and all(_within(g.sum(axis=axes), t) for g, t in zip(came, e.true)):
                return found("unbroadcast", f"the forward pass takes a part of {e.name}" + (
                    f" and uses it once for each position along axis {axes[0]}: sum over that axis" if n else "")
                    + f"; the rest of {e.name} has gradient zero")
    for axes in itertools.permutations(range(came[0].ndim)):
        turned = [g.transpose(axes) for g in came]
        if turned[0].shape == e.shape and is_true(turned):
            two = sum(a != i for i, a in enumerate(axes)) == 2
            return found("transpose" if two else "permuted", "its transpose is right" if two
                         else f"it is right with its axes in the order {axes}")
    if came[0].size == math.prod(e.shape) and is_true([g.reshape(e.shape) for g in came]):
        return found("shape", "the numbers are right, so reshape it")
    for name, index in zip(e.checked.names, e.checked.arrays):
        if isinstance(index, np.ndarray) and index.dtype.kind in "iu" and _again(e, index):
            return found("permuted", f"the forward pass takes rows with {name}, and the backward pass takes rows "
                                     f"again, dy[{name}]; add each gradient "
                                     "to the row it came from instead (np.add.at)")
    for j, other in _others(e, same_shape=False):
        if other[0].shape == came[0].shape and e.same(came, other):
            return found("swapped", f"this is the gradient of {e.checked.names[j]}: "
                                    "return the gradients in the order of the inputs")
    return [Finding("shape", text, evidence)]


def _within(part, whole):
    """Whether ``whole`` is ``part`` with zeros around it."""
    room = [n - k for n, k in zip(whole.shape, part.shape)]
    if min(room, default=-1) < 0 or not any(room):
        return False
    places = np.argwhere(whole)
    if not len(places):
        return False
    starts = np.minimum(places.min(axis=0), room)
    block = tuple(slice(a, a + k) for a, k in zip(starts, part.shape))
    rest = whole.copy()
    rest[block] = 0
    return not rest.any() and np.allclose(whole[block], part, rtol=1e-6, atol=1e-9 * np.max(np.abs(whole)))


def _again(e, index):
    """Whether the gradient is dy[index], of a value with one row for each entry of the index."""
    dys = [p.dys[0] for p in e.points]
    if dys[0].shape[:index.ndim] != index.shape or not index.size or index.max() >= len(dys[0]):
        return False
    return e.fits([d[index] for d in dys])


def _reshaped(array, shape):
    return array.reshape(shape) if array.size == math.prod(shape) else None


def _choices(axes):
    axes = list(axes)
    for n in range(1, len(axes) + 1):
        yield from itertools.combinations(axes, n)


def _others(e, same_shape=True):
    for j, wanted in enumerate(e.checked.wanted):
        if wanted and j != e.i and (not same_shape or e.checked.arrays[j].shape == e.shape):
            yield j, [p.true(j) for p in e.points]


def swapped(e: Evidence) -> list[Finding]:
    """The gradient is that of another input of the same shape."""
    for j, other in _others(e):
        if e.fits(other):
            inverted = []
            if all(not np.any((g != 0) & (t != 0)) and np.any(t == 0) for g, t in zip(e.analytic, e.true)):
                inverted = [Finding("inverted-mask",
                                    f"the gradient of {e.name} is zero where it should "
                                    "be nonzero: is the mask inverted?")]
            other = e.checked.names[j]
            return [*inverted, Finding("swapped", f"the gradient of {e.name} is that of {other}: are the two swapped?",
                                       {"array": f"the gradient of {other}"})]
    return []


def permuted(e: Evidence) -> list[Finding]:
    """The gradient is the true one with its axes transposed, flipped or shifted, or its blocks reordered."""
    ndim = len(e.shape)

    def found(code, why, **evidence):
        return [Finding(code, f"the gradient of {e.name} {why}", evidence)]

    def fits(move):
        return e.fits([move(t) for t in e.true])

    for axes in itertools.permutations(range(ndim)):
        if axes != tuple(range(ndim)) and tuple(e.shape[a]
                                                for a in axes) == e.shape and fits(lambda t: t.transpose(axes)):
            if sum(a != i for i, a in enumerate(axes)) == 2 and axes[-1] == ndim - 2:
                return found("transpose", "is transposed", axes=axes)
            return found("permuted", f"has its axes in the order {axes}", axes=axes)
    for axes in _choices(range(ndim)):
        if fits(lambda t: np.flip(t, axes)):
            return found("permuted", f"is reversed along axis {', '.join(map(str, axes))}", flipped=axes)
    for axis in range(ndim):
        for parts in (4, 3, 2):
            if e.shape[axis] % parts == 0 and e.shape[axis] > parts:
                for order in itertools.permutations(range(parts)):
                    if order != tuple(range(parts)) and fits(lambda t: _blocks(t, axis, order)):
                        code = _kind_of_block(e, parts)
                        ask = {"gate-order": ": are gates swapped?", "head-order": ": are heads swapped?"}.get(code, "")
                        return found(code, f"has its {parts} blocks along axis {axis} in the order {list(order)}{ask}",
                                     axis=axis, order=order)
        for by in (1, -1):
            if e.shape[axis] > 2 and fits(lambda t: np.roll(t, by, axis)):
                return found("permuted", f"is shifted by one along axis {axis}", rolled=by, axis=axis)
    return []


def _kind_of_block(e, parts):
    """What equal blocks along an axis are: gates if tanh is applied to them, heads if they become an axis."""
    tape = e.points[0].tape
    if tape is None:
        return "gate-order" if parts > 2 else "permuted"
    kinds = {node.kind for node in tape.nodes}
    if "tanh" in kinds and "getitem" in kinds:
        return "gate-order"
    return "head-order" if any(sum(n > 1 for n in node.value.shape) > len(e.shape)
                               for node in tape.nodes) and "reshape" in kinds else "permuted"


def averaged(e: Evidence) -> list[Finding]:
    """Every entry of the gradient is the sum or the mean of the true one over an axis."""
    for axes in _choices(range(len(e.shape))):
        if all(e.shape[a] > 1 for a in axes):
            for name, f in (("sum", np.sum), ("mean", np.mean)):
                if e.fits([np.broadcast_to(f(t, axis=axes, keepdims=True), t.shape) for t in e.true]):
                    return [Finding("reduction", f"the gradient of {e.name} is the {name} of the right one over axis "
                                                 f"{', '.join(map(str, axes))}: "
                                                 "one reduction too many, or along the wrong axis",
                                                 {"axes": axes})]
    return []


def _blocks(array, axis, order):
    parts = np.split(array, len(order), axis)
    return np.concatenate([parts[i] for i in order], axis)


def rearranged(e: Evidence) -> list[Finding]:
    """All numbers are right but in other places: for example, a reshape is used where a transpose is needed."""
    if not e.small:
        return []
    learner, right = e.jacobians()
    if learner.shape != right.shape or learner.shape[1] < 2:
        return []
    if learner.shape[0] == learner.shape[1] and not _close(e, right, right.T) and _close(e, learner, right.T):
        if _orthogonal(right) and not _is_permutation(right):
            return [Finding("rotation",
                            f"the gradient of {e.name} is rotated forward again: "
                            "rotate it by the opposite angle (the sign of the sine)")]
        if _is_permutation(right):
            return [Finding("permuted",
                            f"the gradient of {e.name} uses the order of the forward pass: use the inverse order")]
    if learner.shape[0] == learner.shape[1] and _orthogonal(right) and not _is_permutation(right):
        if _orthogonal(learner) or _same_pairs(e, learner, right):
            return [Finding("rotation",
                            f"the value is a rotation of {e.name}; "
                            "rotate the gradient back by the same angles in the same pairs")]
    for axis in range(len(e.shape)):                            # the gradient of a reversed output, reversed
        if all(v.shape == e.shape for v in e.points[0].values):
            if e.fits([np.flip(p.true(e.i, [np.flip(d, axis) for d in p.dys]), axis) for p in e.points]):
                return [Finding("permuted", f"the gradient of {e.name} runs in the wrong direction along axis {axis}")]
    if not all(_is_permutation(np.abs(m) > 0) or _one_to_one(m) for m in (learner, right)):
        return []
    if (np.abs(learner) > 1e-6).tolist() == (np.abs(right) > 1e-6).tolist():
        return []                                           # every number is in its place
    if sorted(np.round(np.abs(learner[learner != 0]), 6)) != sorted(np.round(np.abs(right[np.abs(right) > 1e-6]), 6)):
        return []
    values = e.points[0].values
    heads = len(e.shape) >= 2 and any(v.ndim > len(e.shape) or v.ndim >= 3 for v in values) or any(v.ndim < len(e.shape)
                                                                                                   for v in values)
    code = "head-order" if heads and any(v.shape != e.shape for v in values) and not _only_turned(e) else "permuted"
    why = ("are in another order: the backward pass splits or merges axes in the wrong order" if code == "head-order"
           else
           "are right, but in other places")
    return [Finding(code, f"the entries of the gradient of {e.name} {why}")]


def _same_pairs(e, learner, right):
    """Whether both Jacobians mix the same pairs in each row, with the same sines and cosines."""
    if not np.isin(np.abs(learner).round(6), np.append(np.abs(right).round(6), 0)).all():
        return False
    width = e.shape[-1]
    pairs = [np.abs(m).reshape(-1, width, len(m) // width, width) > 1e-9 for m in (learner, right)]
    rows = ~np.eye(len(learner) // width, dtype=bool)
    came, should = (p.any(axis=(0, 2)) for p in pairs)
    others = any(p.any(axis=(1, 3))[rows].any() for p in pairs)
    return not others and (should.sum(axis=0) <= 2).all() and not (came & ~should).any()


def _only_turned(e: Evidence) -> bool:
    """Whether the value may be the input with its axes in another order."""
    v = e.points[0].values[0]
    return v.ndim == len(e.shape) and sorted(v.shape) == sorted(e.shape)


def _close(e, a, b):
    return np.max(np.abs(a - b)) <= e.tol * np.max(np.abs(b))


def _orthogonal(m):
    return m.shape[0] == m.shape[1] and np.max(np.abs(m @ m.T - np.eye(len(m)))) < 1e-5


def _is_permutation(m):
    m = np.abs(m) > 1e-6
    return m.shape[0] == m.shape[1] and (m.sum(axis=0) == 1).all() and (m.sum(axis=1) == 1).all()


def _one_to_one(m):
    """Whether every row and every column has at most one nonzero entry, and the matrix has some."""
    m = np.abs(m) > 1e-6
    return m.any() and (m.sum(axis=0) <= 1).all() and (m.sum(axis=1) <= 1).all()
