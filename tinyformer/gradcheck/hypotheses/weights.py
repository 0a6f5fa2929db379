"""A gradient that is a sum of terms, one of which has the wrong weight: 0 (left out), −1 (wrong sign) or ½ (halved).

A least-squares fit over all points gives the weights. A finding is reported only if the fit explains the learner's
whole gradient and every wrong weight has a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..report import Finding
from .record import record_of
from .whole import in_addition, name_of
from .wrong_step import one_in_each_row

if TYPE_CHECKING:
    from ..evidence import Evidence

PLAIN = (0.0, -1.0, 2.0, 0.5, -2.0)


def wrong_weights(e: Evidence) -> list[Finding]:
    """Fit a weight to each term in the gradient of a softmax, a log-softmax or a normalization."""
    record = record_of(e)
    if record is None:
        return []
    for (kind, _, operand), numbers in record.groups.items():
        if kind not in TERMS:
            continue
        count = len(TERMS[kind](record.tapes[0].nodes[numbers[0]]))
        columns = []
        for point, analytic in enumerate(e.analytic):
            nodes = [record.tapes[point].nodes[n] for n in numbers]
            rest = record.gradient(point, {(n.number, operand): _nothing(n) for n in nodes})
            parts = [record.gradient(point, {(n.number, operand): TERMS[kind](n)[j][2] for n in nodes}) - rest
                     for j in range(count)]
            columns.append(np.stack([*(p.ravel() for p in parts), (analytic - rest).ravel()], axis=1))
        findings = _reported(e, record, numbers[0], np.concatenate(columns),
                             TERMS[kind](record.tapes[0].nodes[numbers[0]]))
        if findings:
            return findings
    return []


def _nothing(node):
    return lambda dz: np.zeros(node.operands[0].shape)


def _reported(e, record, number, equations, terms):
    left, right = equations[:, :-1], equations[:, -1]
    if len(right) < 4 * left.shape[1]:
        return []
    w, _, rank, _ = np.linalg.lstsq(left, right, rcond=1e-9)
    scale = max(np.max(np.abs(g)) for g in e.analytic)
    if rank < left.shape[1] or np.max(np.abs(left @ w - right)) > e.tol * scale or not abs(w[0]) > 1e-5:
        return []
    k, w = w[0], w / w[0]
    wrong = [j for j in range(1, len(w)) if abs(w[j] - 1) > 1e-5]
    if not wrong or not all(min(abs(w[j] - v) for v in PLAIN) < 1e-5 or name_of(abs(w[j]), e) for j in wrong) \
            or abs(abs(k) - 1) > 1e-5 and not name_of(abs(k), e):
        return []
    findings = {}
    for j in wrong:
        missing, other, _, words = terms[j]
        how = "is missing" if abs(w[j]) < 1e-5 else f"has the factor {w[j]:.4g}, expected 1"
        line = record.line(number)
        code = missing if abs(w[j]) < 1e-5 else other
        if code == "softmax-diagonal" and one_in_each_row(e.analytic[0]):
            return []
        findings.setdefault(code, Finding(code, f"{words} {how}" + (f" ({line})" if line else ""),
                                          {"line": line, "weight": float(w[j])}))
    return list({**findings, **in_addition(e, k)}.values())


# Each term: (code if it is missing, code if its weight is wrong, term, description).

def _softmax(node):
    p, axis = node.value, node.options["axis"]
    return [("", "", lambda dz: p * dz, ""),
            ("softmax-diagonal", "missing-term", lambda dz: -p * (p * dz).sum(axis=axis, keepdims=True),
             "the sum over the row in the gradient of the softmax")]


def _log_softmax(node):
    p, axis = np.exp(node.value), node.options["axis"]
    return [("", "", lambda dz: dz, ""),
            ("missing-term", "missing-term", lambda dz: -p * dz.sum(axis=axis, keepdims=True),
             "the term p Σ dy in the gradient of the log-softmax")]


def _normalized(node):
    v, axis, s, mean, a = node.value, *(node.options[k] for k in ("axis", "s", "mean", "a"))
    terms = [("", "", lambda dz: dz / s, "")]
    if mean:
        terms.append(("mean-term", "mean-term",
                      lambda dz: np.broadcast_to(-dz.mean(axis=axis, keepdims=True) / s, v.shape),
                      "the mean's term in the gradient of the normalization"))
    code = "variance-term" if mean or a == 1 else "missing-term"            # of a length, not of a deviation
    words = ("the term along the vector in the gradient of the unit vector" if code == "missing-term"
             else "the variance's term in the gradient of the normalization")
    return [*terms, (code, code, lambda dz: -a * v * (dz * v).mean(axis=axis, keepdims=True) / s, words)]


TERMS = {"softmax": _softmax, "log_softmax": _log_softmax, "normalized": _normalized}
