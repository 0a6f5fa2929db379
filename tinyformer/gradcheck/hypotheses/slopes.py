"""An elementwise step with any wrong derivative: solve for the local derivatives that the learner must have used.

    analytic = rest + L (s ⊙ a)        a: upstream gradient of the step, L: linear map from the step to the input, s:
    unknown

L is known, so there are more equations than unknowns. If they have a solution, everything else is right and s is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..report import Finding
from .record import record_of

if TYPE_CHECKING:
    from ..evidence import Evidence

MOST = 128                              # entries of a step


def solved_slopes(e: Evidence) -> list[Finding]:
    """The local derivatives of one elementwise step alone explain the gradient."""
    record = record_of(e)
    if record is None or record.maps is None:
        return []
    tape = record.tapes[0]
    for node in tape.nodes:
        if node.number in record.reached and node.kind != "input" and 1 <= node.value.size <= MOST:
            for source in _entry_by_entry(node):
                solved = _solve(e, record, node, source) if source.number in record.reached else None
                if solved is not None:
                    line = record.line(node.number)
                    right = _slope(tape, node, source)
                    off = np.abs(solved - right) > 1e-5 * np.max(np.abs(solved))
                    if off.any() and not right[off].any():
                        return [Finding("mask", "the gradient passes a step where its derivative is 0: "
                                                f"is a mask missing? ({line})",
                                        {"line": line})]
                    if np.max(np.abs(solved)) < 1e-9 * max(1, np.max(np.abs(right))):
                        return [Finding("lost-path", f"the path through one step is left out ({line})", {"line": line})]
                    if off.any() and right[off].all() and np.max(np.abs(solved[off])) < 1e-9:
                        return [Finding("dropped", f"the gradient of a step is 0 where its derivative is not ({line})",
                                        {"line": line})]
                    return [Finding("local-derivative",
                                    "the derivative of one elementwise step is wrong, "
                                    f"and everything else is right ({line})", {"line": line})]
    return []


def _entry_by_entry(node):
    """The nodes of which this one is an elementwise function, the farthest first."""
    found, layer = {}, [node]
    while layer:
        above = []
        for n in layer:
            if n.slopes is None or n.kind in ("sum", "mean", "max", "min") or n.value.shape != node.value.shape:
                continue
            for p in n.parents:
                if p is not None and p.value.shape == node.value.shape and p.number not in found:
                    found[p.number] = p
                    above.append(p)
        layer = above
    return [found[n] for n in sorted(found)]


def _solve(e, record, node, source):
    """The local derivatives s of the step with respect to ``source`` that explain the learner's gradient, or None.

    A is the map from the gradient of ``source`` to that of the input, a the gradient that arrives at the step:
    learner's − true = A (s ⊙ a) − (the map of the step) a.
    """
    m, ways = node.value.size, record.maps[source.number]
    drawn = record.drawn(2 + 2 * m // ways.shape[0])
    if any(node.number not in arrived for arrived, _ in drawn):
        return None
    equations, scale = [], 0.0
    for arrived, off in drawn:
        a = np.ravel(np.broadcast_to(arrived[node.number], node.value.shape))
        equations.append((ways * a, off + record.maps[node.number] @ a))
        scale = max(scale, np.max(np.abs(off)))
    left, right = np.concatenate([a for a, _ in equations]), np.concatenate([b for _, b in equations])
    s, _, rank, _ = np.linalg.lstsq(left, right, rcond=1e-9)
    fits = rank == m and len(right) >= 1.5 * m and np.max(np.abs(left @ s - right)) <= e.tol * scale
    outputs = sum(v.size for v in e.points[0].values)
    return s.reshape(node.value.shape) if fits and _elsewhere(left, outputs) else None


def _slope(tape, node, source):
    """The true derivative of a node with respect to one of which it is an elementwise function."""
    outputs, tape.outputs = tape.outputs, [node]
    try:
        return np.broadcast_to(tape.gradients([np.ones(node.value.shape)]).get(source.number, 0.0), node.value.shape)
    finally:
        tape.outputs = outputs


def _elsewhere(left, outputs):
    """Whether the equations constrain the unknowns enough; otherwise any gradient would have a solution."""
    used = np.abs(left) > 1e-12
    return (used.sum(axis=1) > 1).mean() > 0.5 or min(used.sum(axis=0).min(), outputs) >= 4
