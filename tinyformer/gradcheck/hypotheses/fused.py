"""Steps of a forward pass that together form one known operation: a sigmoid, a softmax, a normalization, a rotation.

They are recognized by their values, however the learner computes them, and become one node of the tape with its
textbook gradient. Each known operation has typical mistakes that no single step shows.
"""

from __future__ import annotations

import numpy as np

DEPTH = 12                      # the most steps that one operation may consist of


def fuse(tape):
    """Replace known operations by single nodes, in place. Returns the tape."""
    softmaxes = {}
    for node in tape.nodes:
        if node.kind in ("input", "constant") or node.value.size < 2 or node.value.dtype.kind != "f":
            continue
        for source in _before(node):
            if any(form(node, source) for form in (_sigmoid, _softmax, _log_softmax, _normalized, _rotated)):
                if node.kind == "softmax":
                    softmaxes[node.site] = source.site
                break
    for node in tape.nodes:                                 # in a loop of softmaxes over 1, 2, … entries, the first one
        if node.site in softmaxes and node.kind == "divide" and node.value.shape == (1,):
            for source in _before(node):
                if source.site == softmaxes[node.site] and node.kind == "divide":
                    node.becomes("softmax", source, lambda dz: 0 * dz, axis=(0,))
    return tape


def _before(node):
    """The nodes of the same shape from which this node is computed, the earliest first."""
    found, layer = {}, [node]
    for _ in range(DEPTH):
        layer = [p for n in layer for p in n.parents if p is not None and p.number not in found]
        found.update((p.number, p) for p in layer)
    return [found[n] for n in sorted(found) if found[n].value.shape == node.value.shape]


def _sigmoid(node, source):
    if node.kind not in ("divide", "reciprocal", "where"):
        return False
    v = node.value
    with np.errstate(all="ignore"):
        if not np.allclose(v, 1 / (1 + np.exp(-source.value)), rtol=1e-12, atol=1e-14):
            return False
    return node.becomes("sigmoid", source, lambda dz: dz * v * (1 - v), slopes=[v * (1 - v)])


def _axes(ndim):
    yield from ((a,) for a in (*range(ndim - 1, -1, -1),))
    if ndim > 1:
        yield tuple(range(ndim))
    if ndim == 3:
        yield from ((0, 1), (0, 2), (1, 2))


def _softmax(node, source):
    p, u = node.value, source.value
    if node.kind not in ("divide", "exp", "multiply") or (p < 0).any():
        return False
    for axis in _axes(p.ndim):
        if len(axis) == 1 and p.shape[axis[0]] > 1 and np.allclose(p.sum(axis=axis), 1, rtol=1e-12):
            e = np.exp(u - np.max(u, axis=axis, keepdims=True, initial=-np.inf,
                                  where=p > 0)) * (p > 0)      # masked places stay 0
            if np.allclose(p, e / e.sum(axis=axis, keepdims=True), rtol=1e-10, atol=1e-14):
                return node.becomes("softmax", source, lambda dz: p * (dz - (p * dz).sum(axis=axis, keepdims=True)),
                               axis=axis)
    return False


def _log_softmax(node, source):
    v, u = node.value, source.value
    if node.kind not in ("subtract", "log") or (v > 0).any():
        return False
    for (axis,) in [a for a in _axes(v.ndim) if len(a) == 1]:
        p = np.exp(v)
        if v.shape[axis] > 1 and np.allclose(p.sum(axis=axis), 1,
                                             rtol=1e-12) and np.ptp(u - v, axis=axis).max() < 1e-10:
            return node.becomes("log_softmax", source, lambda dz: dz - p * dz.sum(axis=axis, keepdims=True),
                           axis=(axis,))
    return False


def _normalized(node, source):
    v, u = node.value, source.value
    if node.kind not in ("divide", "multiply"):
        return False
    for axis in _axes(v.ndim):
        n = int(np.prod([v.shape[a] for a in axis]))
        if n < 2:
            continue
        centered = u - u.mean(axis=axis, keepdims=True)
        for mean, c in ((True, centered), (False, u)):
            if mean and n < 3:
                continue
            with np.errstate(all="ignore"):
                s = (c * c).sum(axis=axis, keepdims=True) / (c * v).sum(axis=axis, keepdims=True)
            if not np.isfinite(s).all() or (s <= 0).any() or not np.allclose(v * s, c, rtol=1e-10, atol=1e-12):
                continue
            square = (c * c).mean(axis=axis, keepdims=True)
            for a in (1, n / (n - 1)) if mean else (1, n):
                eps = s * s - a * square
                least = 1e-9 * np.max(s * s)
                if np.ptp(eps) < least and -least < np.mean(eps) < 0.2 and (s.size > 1 or abs(np.mean(eps)) < 2e-3):
                    return node.becomes("normalized", source, lambda dz: norm_rule(dz, v, s, axis, mean, a), axis=axis,
                                   s=s,
                                   mean=mean, a=a)
    return False


def norm_rule(g, v, s, axis, mean, a, m=1.0, b=1.0, scale=None, about=None):
    """(g − m mean(g) − a b v mean(g ⊙ v)) / s. ``about`` replaces v, and ``scale`` replaces 1/s."""
    def over(x):
        return x.mean(axis=axis, keepdims=True)
    w = v if about is None else about
    return (g - (m * over(g) if mean else 0) - b * a * w * over(g * w)) * (1 / s if scale is None else scale)


def _rotated(node, source):
    """A rotation of pairs along the last axis: v = R u, |v| = |u| in every row, linear, the same pairs in every row."""
    v, u = node.value, source.value
    if node.kind not in ("concatenate", "reshape", "add", "written", "stack", "moved",
                         "subtract") or v.ndim < 2 or v.shape[-1] % 2 or v.shape[-2] < 2 \
            or np.allclose(v, u) or not np.allclose((v * v).sum(-1), (u * u).sum(-1), rtol=1e-10):
        return False
    h = v.shape[-1] // 2
    for layout, first, second in (("halves", slice(0, h), slice(h, None)),
                                  ("interleaved", slice(0, None, 2), slice(1, None, 2))):
        z, w = u[..., first] + 1j * u[..., second], v[..., first] + 1j * v[..., second]
        if not np.allclose(abs(z), abs(w), rtol=1e-9):
            continue
        turn = w / z

        def pull(dz, turn=turn, first=first, second=second):
            back = (dz[..., first] + 1j * dz[..., second]) * np.conj(turn)
            dx = np.empty(dz.shape)
            dx[..., first], dx[..., second] = back.real, back.imag
            return dx
        return node.becomes("rotated", source, pull, turn=turn, layout=layout)
    return False
