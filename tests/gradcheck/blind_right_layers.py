"""Families of right functions for ``blind_right.py``: normalizations, losses, recurrences, attention, windows, blocks.

Each family is a function of a generator that returns (name, function, inputs).
"""

from __future__ import annotations

import numpy as np
from blind_right_parts import normal, shape, sigmoid


def softmax(z, axis=-1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def softmax_back(p, dp, axis=-1):
    return p * (dp - (p * dp).sum(axis=axis, keepdims=True))


def normalization(rng, dims=None):
    dims = dims or shape(rng, 2, 4)
    axis = int(rng.integers(len(dims)))
    name = str(rng.choice(["layer", "rms", "unit", "softmax", "log-softmax", "loop"]))
    spread, D, eps = rng.choice([0.3, 1.0, 3.0]), dims[-1], 1e-2

    def fn(x, gamma, beta):
        if name == "loop":                                  # a layer norm over the last axis, row by row
            rows, saved = x.reshape(-1, D), []
            for row in rows:
                sd = np.sqrt(row.var() + eps)
                saved.append(((row - row.mean()) / sd, sd))
            y = np.array([h for h, _ in saved]).reshape(x.shape)

            def back(g):
                out = []
                for (h, sd), one in zip(saved, g.reshape(-1, D)):
                    out.append((one - one.mean() - h * np.mean(one * h)) / sd)
                return np.reshape(out, x.shape)
        elif name in ("layer", "rms"):
            centered = x - x.mean(axis=axis, keepdims=True) if name == "layer" else x
            sd = np.sqrt((centered ** 2).mean(axis=axis, keepdims=True) + eps)
            y = centered / sd

            def back(g):
                d = g - y * (g * y).mean(axis=axis, keepdims=True)
                return (d - (g.mean(axis=axis, keepdims=True) if name == "layer" else 0)) / sd
        elif name == "unit":
            length = np.sqrt((x * x).sum(axis=axis, keepdims=True) + eps)
            y = x / length
            back = lambda g: (g - y * (g * y).sum(axis=axis, keepdims=True)) / length
        elif name == "softmax":
            y = softmax(x, axis)
            back = lambda g: softmax_back(y, g, axis)
        else:
            p = softmax(x, axis)
            y = np.log(p)
            back = lambda g: g - p * g.sum(axis=axis, keepdims=True)

        def vjp(dy):
            return back(dy * gamma), (dy * y).reshape(-1, D).sum(0), dy.reshape(-1, D).sum(0)
        return gamma * y + beta, vjp
    return f"{name} {dims} along {axis}", fn, [normal(rng, *dims, scale=spread), normal(rng, D), normal(rng, D)]


def loss(rng, dims=None):
    N, C = dims or (int(n) for n in rng.integers(1, 7, 2))
    name = str(rng.choice(["cross-entropy", "cross-entropy by loop", "mse", "bce", "huber", "kl", "hinge"]))
    how, factor = str(rng.choice(["sum", "mean", "none"])), rng.choice([1.0, 1e-3, 100.0])
    target = rng.integers(0, C, N)

    def fn(x, t):
        rows = np.arange(N)
        if name == "cross-entropy":
            p = softmax(x)
            each, local = -np.log(p[rows, target]), p - np.eye(C)[target]
        elif name == "cross-entropy by loop":
            each, local = np.zeros(N), np.zeros_like(x)
            for n in range(N):
                p = np.exp(x[n] - x[n].max())
                p /= p.sum()
                each[n] = -np.log(p[target[n]])
                local[n] = p
                local[n, target[n]] -= 1
        elif name == "mse":
            each, local = ((x - t) ** 2).sum(1), 2 * (x - t)
        elif name == "bce":
            q = 1.0 * (t > 0)
            each, local = (np.logaddexp(0, x) - q * x).sum(1), sigmoid(x) - q
        elif name == "huber":
            r = x - t
            each = np.where(np.abs(r) < 1, 0.5 * r * r, np.abs(r) - 0.5).sum(1)
            local = np.clip(r, -1, 1)
        elif name == "kl":
            q, p = softmax(t), softmax(x)
            each, local = (q * (np.log(q) - np.log(p))).sum(1), p - q
        else:
            margins = np.maximum(0, x - x[rows, target][:, None] + 0.5)
            margins[rows, target] = 0
            local = 1.0 * (margins > 0)
            local[rows, target] = -local.sum(1)
            each = margins.sum(1)
        value = {"sum": each.sum(), "mean": each.mean() if N else 0.0, "none": each}[how] * factor

        def vjp(dy):
            d = (np.reshape(dy, (-1, 1)) if how == "none" else dy) * factor * local
            d = d / N if how == "mean" else d
            if name == "mse" or name == "huber":
                return d, -d
            q = softmax(t)
            return d, (_kl_target(q, x, dy, how, N) * factor if name == "kl" else np.zeros_like(t))
        return np.asarray(value), vjp
    return f"{name}, {how} {N, C}, ×{factor}", fn, [normal(rng, N, C), normal(rng, N, C)]


def _kl_target(q, x, dy, how, N):
    scale = np.reshape(dy, (-1, 1)) if how == "none" else dy / (N if how == "mean" else 1)
    return softmax_back(q, scale * (np.log(q) + 1 - np.log(softmax(x))))


def recurrence(rng, dims=None):
    T, B, D, H = dims or (int(n) for n in rng.integers(1, 5, 4))
    name = str(rng.choice(["tanh", "linear", "gated", "last"]))

    def fn(x, W, U):
        h, saved, out = np.zeros((B, H)), [], []
        for t in range(T):
            z = x[t] @ W + h @ U
            a = z if name == "linear" else np.tanh(z)
            gate = sigmoid(z) if name == "gated" else None
            saved.append((h, z, a, gate))
            h = a if gate is None else gate * h + (1 - gate) * a
            out.append(h)

        def vjp(dy):
            dx, dW, dU, carry = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U), np.zeros((B, H))
            for t in reversed(range(T)):
                before, z, a, gate = saved[t]
                dh = carry + (dy[t] if name != "last" else dy if t == T - 1 else 0)
                da = dh if gate is None else dh * (1 - gate)
                dz = da if name == "linear" else da * (1 - a * a)
                if gate is not None:
                    dz = dz + dh * (before - a) * gate * (1 - gate)
                dx[t] = dz @ W.T
                dW += x[t].T @ dz
                dU += before.T @ dz
                carry = dz @ U.T + (0 if gate is None else dh * gate)
            return dx, dW, dU
        return (h if name == "last" else np.array(out)), vjp
    inputs = [normal(rng, T, B, D), normal(rng, D, H), normal(rng, H, H, scale=0.7)]
    return f"recurrence, {name} {T, B, D, H}", fn, inputs


def attention(rng, dims=None):
    H, T, D = dims or (int(n) for n in rng.integers(1, 5, 3))
    mask = str(rng.choice(["none", "causal", "padding"]))
    allowed = {"none": np.ones((T, T), bool), "causal": np.tril(np.ones((T, T), bool)),
               "padding": np.arange(T)[None] < max(1, T - 1)}[mask]

    def fn(q, k, v):
        s = np.where(allowed, np.einsum("htd,hsd->hts", q, k) / np.sqrt(D), -np.inf)
        p = softmax(s)
        y = np.einsum("hts,hsd->htd", p, v).transpose(1, 0, 2).reshape(T, H * D)

        def vjp(dy):
            do = dy.reshape(T, H, D).transpose(1, 0, 2)
            ds = softmax_back(p, do @ v.transpose(0, 2, 1)) / np.sqrt(D)
            return ds @ k, ds.transpose(0, 2, 1) @ q, p.transpose(0, 2, 1) @ do
        return y, vjp
    return f"attention, {mask} {H, T, D}", fn, [normal(rng, H, T, D) for _ in range(3)]


def window(rng):
    B, C, O, K, stride, pad = (int(rng.integers(a, b)) for a, b in ((1, 3), (1, 3), (1, 3), (1, 4), (1, 3), (0, 2)))
    T = int(rng.integers(K, K + 4))
    name = str(rng.choice(["convolution", "average pool", "max pool"]))

    def fn(x, w):
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad))) if name == "convolution" else x
        starts = range(0, padded.shape[2] - K + 1, stride)
        patches = np.stack([padded[:, :, s:s + K] for s in starts], axis=2)            # (B, C, S, K)
        if name == "convolution":
            y = np.einsum("bcsk,ock->bos", patches, w)
        else:
            y = (patches.mean(-1) if name == "average pool" else patches.max(-1)) * w[0, 0, 0]

        def vjp(dy):
            dw, dx = np.zeros_like(w), np.zeros_like(padded)
            for n, s in enumerate(starts):
                if name == "convolution":
                    dw += np.einsum("bo,bck->ock", dy[:, :, n], patches[:, :, n])
                    dx[:, :, s:s + K] += np.einsum("bo,ock->bck", dy[:, :, n], w)
                elif name == "average pool":
                    dw[0, 0, 0] += np.sum(dy[:, :, n] * patches[:, :, n].mean(-1))
                    dx[:, :, s:s + K] += dy[:, :, n, None] * w[0, 0, 0] / K
                else:
                    top = patches[:, :, n].max(-1, keepdims=True)
                    dw[0, 0, 0] += np.sum(dy[:, :, n] * top[..., 0])
                    dx[:, :, s:s + K] += (patches[:, :, n] == top) * dy[:, :, n, None] * w[0, 0, 0]
            return dx[:, :, pad:pad + T] if name == "convolution" else dx, dw
        return y, vjp
    return f"{name} {B, C, T}, {O} of {K}, stride {stride}", fn, [normal(rng, B, C, T), normal(rng, O, C, K)]


def network(rng, dims=None):
    N, D, H, C = dims or (int(n) for n in rng.integers(1, 6, 4))
    act, skip = str(rng.choice(["relu", "tanh", "silu"])), bool(rng.random() < 0.5)

    class Dense:
        def __init__(self, W, b):
            self.W, self.b = W, b

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, g):
            self.dW, self.db = self.x.T @ g, g.sum(0)
            return g @ self.W.T

    def fn(x, W1, b1, W2, b2, W3):
        first, second = Dense(W1, b1), Dense(W2, b2)
        z = first.forward(x)
        a = np.maximum(z, 0) if act == "relu" else np.tanh(z) if act == "tanh" else z * sigmoid(z)
        y = second.forward(a) + (x @ W3 if skip else 0)

        def vjp(dy):
            da = second.backward(dy)
            s = sigmoid(z)
            slope = z > 0 if act == "relu" else 1 - a * a if act == "tanh" else s * (1 + z * (1 - s))
            dx = first.backward(da * slope)
            if skip:
                dx = dx + dy @ W3.T
            return dx, first.dW, first.db, second.dW, second.db, (x.T @ dy if skip else np.zeros_like(W3))
        return y, vjp
    shapes = (N, D), (D, H), (H,), (H, C), (C,), (D, C)
    return f"network, {act}{', skip' if skip else ''} {N, D, H, C}", fn, [normal(rng, *s) for s in shapes]
