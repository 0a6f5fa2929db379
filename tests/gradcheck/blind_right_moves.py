"""Families of right functions for ``blind_right.py``: entries that move, products, indexing.

Each family is a function of a generator that returns (name, function, inputs).
"""

from __future__ import annotations

import numpy as np
from blind_right_parts import normal


def moved(rng):
    """Operations that move entries, each as a matrix of ones and zeros that the backward pass transposes, or written
    out."""
    A, B, C = (int(n) for n in rng.integers(1, 5, 3))
    options = {
        "transpose": (lambda x: x.transpose(2, 0, 1), lambda d: d.transpose(1, 2, 0)),
        "reshape": (lambda x: x.reshape(A * B, C), lambda d: d.reshape(A, B, C)),
        "flip": (lambda x: x[:, ::-1], lambda d: d[:, ::-1]),
        "roll": (lambda x: np.roll(x, 1, 1), lambda d: np.roll(d, -1, 1)),
        "swap and merge": (lambda x: x.swapaxes(0, 1).reshape(B, A * C), lambda d: d.reshape(B, A, C).swapaxes(0, 1)),
        "pad": (lambda x: np.pad(x, ((0, 0), (1, 2), (0, 0))), lambda d: d[:, 1:1 + B]),
        "repeat": (lambda x: np.repeat(x, 2, 2), lambda d: d.reshape(A, B, C, 2).sum(-1)),
        "tile": (lambda x: np.tile(x, (2, 1, 1)), lambda d: d.reshape(2, A, B, C).sum(0)),
        "cumsum": (lambda x: x.cumsum(1), lambda d: d[:, ::-1].cumsum(1)[:, ::-1]),
        "difference": (lambda x: np.diff(x, axis=1, prepend=0),
                       lambda d: d - np.pad(d[:, 1:], ((0, 0), (0, 1), (0, 0)))),
        "broadcast": (lambda x: np.broadcast_to(x, (3, A, B, C)), lambda d: d.sum(0)),
        "lower triangle": (lambda x: np.tril(x), lambda d: np.tril(d)),
        "join": (lambda x: np.concatenate([x, -x], 1), lambda d: d[:, :B] - d[:, B:]),
    }
    name = str(rng.choice(list(options)))
    there, back = options[name]
    return f"{name} {A, B, C}", lambda x: (there(x), lambda dy: back(dy)), [normal(rng, A, B, C)]


def product(rng):
    m, k, n, b = (int(i) for i in rng.integers(1, 6, 4))
    name = str(rng.choice(["matmul", "loop", "batched", "einsum", "solve", "bilinear", "helper"]))
    s = rng.choice([0.1, 1, 5])

    def matmul(x, w):
        return x @ w, lambda g: (g @ w.T, x.T @ g)

    def loop(x, w):
        y = np.zeros((len(x), w.shape[1]))
        for i in range(len(x)):
            for j in range(w.shape[1]):
                y[i, j] = x[i] @ w[:, j]

        def vjp(g):
            dx, dw = np.zeros_like(x), np.zeros_like(w)
            for i in range(len(x)):
                dx[i] = w @ g[i]
                dw += np.outer(x[i], g[i])
            return dx, dw
        return y, vjp

    def batched(x, w):
        return x @ w, lambda g: (g @ w.transpose(0, 2, 1), x.transpose(0, 2, 1) @ g)

    def einsum(x, w):
        return (np.einsum("bmk,kn->bmn", x, w),
                lambda g: (np.einsum("bmn,kn->bmk", g, w), np.einsum("bmk,bmn->kn", x, g)))

    def solve(a, y):
        z = np.linalg.solve(a, y)

        def vjp(g):
            dy = np.linalg.solve(a.T, g)
            return -np.outer(dy, z), dy
        return z, vjp

    def bilinear(u, w, v):
        return u @ w @ v, lambda g: (g * (w @ v), g * np.outer(u, v), g * (w.T @ u))

    def helper(x, w):
        def dense(a):
            return a @ w

        def back(a, g):
            return g @ w.T, a.T @ g
        h = np.tanh(dense(x))

        def vjp(g):
            return back(x, g * (1 - h * h))
        return h, vjp

    shapes = dict(matmul=[(m, k), (k, n)], loop=[(m, k), (k, n)], batched=[(b, m, k), (b, k, n)],
                  einsum=[(b, m, k), (k, n)], solve=[(k, k), (k,)], bilinear=[(m,), (m, k), (k,)],
                  helper=[(m, k), (k, n)])
    inputs = [normal(rng, *dims, scale=s) for dims in shapes[name]]
    if name == "solve":
        inputs[0] = normal(rng, k, k) + 4 * np.eye(k)
    return f"product, {name} {shapes[name]}", locals()[name], inputs


def indexed(rng):
    V, D, n = (int(i) for i in rng.integers(1, 6, 3))
    ids = rng.integers(0, V, n)
    name = str(rng.choice(["rows", "rows by loop", "segment sum", "pick", "column slice", "sorted"]))

    def gather(x, i):
        def vjp(dy):
            dx = np.zeros_like(x)
            if name == "rows":
                np.add.at(dx, i, dy)
            else:
                for row, target in zip(dy, i):
                    dx[target] += row
            return dx, None
        return x[i], vjp

    def segment(x, i):
        y = np.zeros((V, D))
        for row, target in zip(x, i):
            y[target] += row
        return y, lambda dy: (dy[i], None)

    def pick(x, i):
        def vjp(dy):
            dx = np.zeros_like(x)
            dx[np.arange(len(i)), i] = dy
            return dx, None
        return x[np.arange(len(i)), i], vjp

    def columns(x, i):
        keep = slice(None, None, 2)

        def vjp(dy):
            dx = np.zeros_like(x)
            dx[:, keep] = dy
            return dx, None
        return x[:, keep], vjp

    def ordered(x, i):
        order = np.argsort(x, axis=0)

        def vjp(dy):
            dx = np.zeros_like(x)
            np.put_along_axis(dx, order, dy, axis=0)
            return dx, None
        return np.take_along_axis(x, order, axis=0), vjp

    fn, dims = {"rows": (gather, (V, D)), "rows by loop": (gather, (V, D)), "segment sum": (segment, (n, D)),
                "pick": (pick, (n, V)), "column slice": (columns, (n, D)), "sorted": (ordered, (n, D))}[name]
    return f"{name} {dims} at {list(map(int, ids))}", fn, [normal(rng, *dims), ids]
