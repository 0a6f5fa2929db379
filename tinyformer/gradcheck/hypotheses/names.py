"""Named arrays that a wrong factor or term may equal, such as 1 − y² or a standard deviation."""

from __future__ import annotations

import numpy as np

from .places import softmax


def quantities(e, k, shape):
    """Yield (name, array) for each candidate factor at point k, broadcast to ``shape``."""
    for name, v in e.named(k).items():
        for fitted in _fitted(v, shape):
            if not np.isfinite(fitted).all():
                continue
            yield name, fitted
            yield f"1 − {name}", 1 - fitted
            yield f"1 + {name}", 1 + fitted
            yield f"{name}²", fitted ** 2
            yield f"1 − {name}²", 1 - fitted ** 2
            yield f"1 + {name}²", 1 + fitted ** 2
            yield f"{name} (1 − {name})", fitted * (1 - fitted)
            yield f"{name}³", fitted ** 3
            yield f"√{name}", np.sqrt(np.abs(fitted))
            yield f"exp({name})", np.exp(np.minimum(fitted, 50))
            yield f"σ({name})", 1 / (1 + np.exp(-fitted))
            yield f"1 − σ({name})", 1 / (1 + np.exp(fitted))
            s = 1 / (1 + np.exp(-fitted))
            yield f"σ({name}) (1 − σ({name}))", s * (1 - s)
            yield f"tanh({name})", np.tanh(fitted)
            yield f"1 − tanh²({name})", 1 - np.tanh(fitted) ** 2
            yield f"sign({name})", np.sign(fitted)
            yield f"sin({name})", np.sin(fitted)
            yield f"cos({name})", np.cos(fitted)
    for name, v in e.named(k).items():
        for axis in range(v.ndim):
            if v.shape[axis] > 1:
                for fitted in _fitted(softmax(v, axis), shape):
                    yield f"softmax({name})", fitted
                    yield f"softmax({name}) (1 − softmax({name}))", fitted * (1 - fitted)
    for name, v in e.named(k).items():
        if v.ndim and v.size > 1:
            for axis in (*range(v.ndim), None):
                along = "" if axis is None else f" along axis {axis}"
                for word, f in (("mean", np.mean), ("standard deviation", np.std), ("variance", np.var),
                                ("sum", np.sum)):
                    for fitted in _fitted(f(v, axis=axis, keepdims=True), shape):
                        yield f"the {word} of {name}{along}", fitted
                for fitted in _fitted(np.sqrt((v * v).mean(axis=axis, keepdims=True)), shape):
                    yield f"the root mean square of {name}{along}", fitted
                for fitted in _fitted(np.exp(v).sum(axis=axis, keepdims=True), shape):
                    yield f"the sum of exp({name}){along}", fitted


def _fitted(v, shape):
    try:
        yield np.broadcast_to(v, shape)
    except ValueError:
        if v.T.shape == tuple(shape):
            yield v.T


def terms(e, k, shape):
    """Yield (name, array, code) of each term of shape ``shape`` at point k that may be added or left out."""
    p = e.points[k]
    for name, a in (*zip(e.checked.names, p.arrays), *p.names.items()):
        if isinstance(a, np.ndarray) and a.dtype.kind in "iu" and a.shape == tuple(shape[:-1]) and a.size \
                and 0 <= a.min() and a.max() < shape[-1]:
            onehot = np.eye(shape[-1])[a]
            yield f"the one-hot rows of {name}", onehot, "missing-term"
            yield f"the smoothed minus the one-hot rows of {name}", 1 / shape[-1] - onehot, "missing-term"
    x = p.arrays[e.i]
    for axis in range(x.ndim) if x.shape == tuple(shape) else ():
        if shape[axis] > 2:
            yield f"softmax({e.name})", softmax(x, axis), "missing-term"
            centered = x - x.mean(axis=axis, keepdims=True)
            yield f"the normalized {e.name}", centered / (centered.std(axis=axis, keepdims=True)
                                                          + 1e-300), "variance-term"
    for name, v in e.named(k).items():
        if v.shape == tuple(shape):
            yield name, v, "missing-term"
