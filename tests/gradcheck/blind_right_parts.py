"""Families of right functions for ``blind_right.py``: elementwise functions and reductions.

Each family is a function of a generator that returns (name, function, inputs). The operation, the shapes, the style
and the scale are drawn.
"""

from __future__ import annotations

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# name: (f, its derivative at x)
UNARY = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "exp": (np.exp, np.exp),
    "sin": (np.sin, np.cos),
    "square": (np.square, lambda x: 2 * x),
    "cube": (lambda x: x ** 3, lambda x: 3 * x ** 2),
    "softplus": (lambda x: np.logaddexp(0, x), sigmoid),
    "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "relu": (lambda x: np.maximum(x, 0), lambda x: 1.0 * (x > 0)),
    "leaky": (lambda x: np.where(x > 0, x, 0.2 * x), lambda x: np.where(x > 0, 1.0, 0.2)),
    "clip": (lambda x: np.clip(x, -0.7, 0.7), lambda x: 1.0 * (np.abs(x) < 0.7)),
    "abs": (np.abs, np.sign),
    "gaussian": (lambda x: np.exp(-x * x), lambda x: -2 * x * np.exp(-x * x)),
    "arctan": (np.arctan, lambda x: 1 / (1 + x * x)),
    "softsign": (lambda x: x / (1 + np.abs(x)), lambda x: 1 / (1 + np.abs(x)) ** 2),
    "log1p of square": (lambda x: np.log1p(x * x), lambda x: 2 * x / (1 + x * x)),
    "hypotenuse": (lambda x: np.sqrt(x * x + 1), lambda x: x / np.sqrt(x * x + 1)),
    "negative": (np.negative, lambda x: -np.ones_like(x)),
    "identity": (lambda x: x.copy(), np.ones_like),
}


class Layer:
    """The class style: forward keeps what backward needs."""

    def __init__(self, f, slope):
        self.f, self.slope, self.cache = f, slope, None

    def forward(self, x):
        self.cache = x
        return self.f(x)

    def backward(self, dy):
        return dy * self.slope(self.cache)


def in_style(style, f, slope, scale):
    """scale · f as (value, vjp), written in one of the styles of ``STYLES``."""
    def plain(x):
        return scale * f(x), lambda dy: dy * scale * slope(x)

    def loop(x):
        y = np.empty_like(x)
        for i in np.ndindex(x.shape):
            y[i] = scale * f(x[i])

        def vjp(dy):
            dx = np.zeros_like(x)
            for i in np.ndindex(x.shape):
                dx[i] += scale * dy[i] * slope(x[i])
            return (dx,)
        return y, vjp

    def vectorized(x):
        y = np.vectorize(lambda v: float(scale * f(v)), otypes=[float])(x)
        return y, lambda dy: [dy * np.vectorize(lambda v: float(scale * slope(v)), otypes=[float])(x)]

    def layer(x):
        one = Layer(lambda a: scale * f(a), lambda a: scale * slope(a))
        return one.forward(x), one.backward

    def in_place(x):
        y = f(x)
        y *= scale
        local = slope(x)

        def vjp(dy):
            dx = dy.copy()
            dx *= local
            dx *= scale
            return dx
        return y, vjp

    def early(x):
        if x.size == 0:
            return x.copy(), lambda dy: dy.copy()
        if scale == 1:
            return f(x), lambda dy: slope(x) * dy
        return plain(x)

    styles = dict(plain=plain, loop=loop, vectorized=vectorized, layer=layer, in_place=in_place, early=early)
    return styles[style]


STYLES = ("plain", "loop", "vectorized", "layer", "in_place", "early")


def shape(rng, low=0, high=4, most=5):
    return tuple(int(n) for n in rng.integers(1, most, rng.integers(low, high)))


def normal(rng, *dims, scale=1.0):
    return np.asarray(scale * rng.standard_normal(dims))


def unary(rng):
    name, style = rng.choice(list(UNARY)), rng.choice(STYLES)
    f, slope = UNARY[name]
    if style in ("loop", "vectorized"):
        slope = (lambda inner: lambda v: inner(np.float64(v)))(slope)
    scale, spread, dims = rng.choice([1.0, 1e-4, 30.0]), rng.choice([0.05, 1.0, 2.0]), shape(rng)
    if style == "in_place" and not dims:
        style = "plain"
    return f"{name}, {style}, {dims}, ×{scale}", in_style(style, f, slope, scale), [normal(rng, *dims, scale=spread)]


def chain(rng):
    """Two to four elementwise functions one after another, with a skip connection or a bias."""
    names = [str(n) for n in rng.choice(list(UNARY), rng.integers(2, 5)) if n not in ("exp", "cube")] or ["tanh"]
    skip, dims = bool(rng.random() < 0.4), shape(rng, 1, 4)

    def fn(x, b):
        values = [x + b]
        for name in names:
            values.append(UNARY[name][0](values[-1]))

        def vjp(dy):
            g = dy
            for name, v in zip(reversed(names), reversed(values[:-1])):
                g = g * UNARY[name][1](v)
            return g + (dy if skip else 0), g.reshape(-1, len(b)).sum(axis=0)
        return values[-1] + (x if skip else 0), vjp
    name = " after ".join(names[::-1]) + (" + x" if skip else "")
    return f"{name}, {dims}", fn, [normal(rng, *dims), normal(rng, dims[-1])]


BINARY = {
    "add": (lambda a, b: a + b, lambda a, b: 1.0, lambda a, b: 1.0),
    "subtract": (lambda a, b: a - b, lambda a, b: 1.0, lambda a, b: -1.0),
    "multiply": (lambda a, b: a * b, lambda a, b: b, lambda a, b: a),
    "divide": (lambda a, b: a / (2 + b * b), lambda a, b: 1 / (2 + b * b), lambda a, b: -2 * a * b / (2 + b * b) ** 2),
    "maximum": (np.maximum, lambda a, b: 1.0 * (a > b), lambda a, b: 1.0 * (a <= b)),
    "gate": (lambda a, b: a * sigmoid(b), lambda a, b: sigmoid(b), lambda a, b: a * sigmoid(b) * (1 - sigmoid(b))),
    "distance": (lambda a, b: (a - b) ** 2, lambda a, b: 2 * (a - b), lambda a, b: 2 * (b - a)),
    "logaddexp": (np.logaddexp, lambda a, b: sigmoid(a - b), lambda a, b: sigmoid(b - a)),
}


def folded(g, dims):
    """The sum of g over the axes along which an array of shape ``dims`` was broadcast."""
    g = g.sum(axis=tuple(range(g.ndim - len(dims))))
    return g.sum(axis=tuple(i for i, n in enumerate(dims) if n == 1), keepdims=True) if len(dims) else g


def binary(rng):
    name, dims = str(rng.choice(list(BINARY))), shape(rng, 1, 4)
    f, da, db = BINARY[name]
    other = tuple(1 if rng.random() < 0.3 else n for n in dims)[int(rng.integers(0, len(dims) + 1)):]
    swap = bool(rng.random() < 0.3)
    shapes = (other, dims) if swap else (dims, other)

    def fn(a, b):
        y = f(a, b)
        return y, lambda dy: (folded(np.asarray(dy * da(a, b)), a.shape), folded(np.asarray(dy * db(a, b)), b.shape))
    return f"{name} {shapes}", fn, [normal(rng, *s) for s in shapes]


def reduction(rng):
    dims = shape(rng, 1, 4)
    axis = [None, int(rng.integers(len(dims))), tuple(range(len(dims)))[:2]][rng.integers(3)]
    keep, name = bool(rng.random() < 0.5), str(rng.choice(["sum", "mean", "variance", "logsumexp", "norm", "max"]))
    count = np.prod([dims[i] for i in (range(len(dims)) if axis is None else np.atleast_1d(axis))])

    def fn(x):
        whole = dict(axis=axis, keepdims=True)
        if name == "sum":
            y, local = x.sum(**whole), np.ones_like(x)
        elif name == "mean":
            y, local = x.mean(**whole), np.full_like(x, 1 / count)
        elif name == "variance":
            y, local = x.var(**whole), 2 * (x - x.mean(**whole)) / count
        elif name == "norm":
            y = np.sqrt((x * x).sum(**whole) + 0.01)
            local = x / y
        elif name == "max":
            y = x.max(**whole)
            local = 1.0 * (x == y)
        else:
            m = x.max(**whole)
            y = m + np.log(np.exp(x - m).sum(**whole))
            local = np.exp(x - y)
        return (y if keep else y.reshape(x.sum(axis=axis).shape)), lambda dy: np.reshape(dy, y.shape) * local
    return f"{name} {dims} along {axis}", fn, [normal(rng, *dims, scale=rng.choice([0.1, 1.0, 3.0]))]
