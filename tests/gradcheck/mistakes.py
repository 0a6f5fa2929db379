"""A table of planted mistakes: operations of every kind, each with wrong lines for its vjp and the code that names
each.

An operation is written as in a learner's file: its inputs ("x:BC" is x of shape (B, C), see ``gradcheck.sample``), the
lines of its forward pass, its value, and the expression for each gradient. A mistake puts another expression in the
place of one of them. Every third mistake is held out (``Mistake.held_out``): the doctor was tuned on the others alone.
"""

from __future__ import annotations

import math

import numpy as np

from tinyformer.gradcheck import sample


def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def onehot(i, n):
    return np.eye(n)[i]


def scatter(shape, index, values):
    out = np.zeros(shape)
    np.add.at(out, index, values)
    return out


def put(shape, index, values):
    out = np.zeros(shape)
    out[index] = values
    return out


def split_heads(x, H):
    T, C = x.shape
    return x.reshape(T, H, C // H).transpose(1, 0, 2)


def merge_heads(x):
    H, T, D = x.shape
    return x.transpose(1, 0, 2).reshape(T, H * D)


NAMES = {"np": np, "math": math, "softmax": softmax, "sigmoid": sigmoid, "onehot": onehot, "scatter": scatter,
         "put": put,
         "split_heads": split_heads, "merge_heads": merge_heads}


class Operation:
    def __init__(self, name, inputs, forward, value, gradients, backward=()):
        self.name, self.forward, self.value = name, forward, value
        self.names, self.shapes = zip(*(word.split(":") for word in inputs.split()))
        self.gradients, self.backward = gradients, backward

    def function(self, gradients=None, backward=None):
        """The operation as a function of arrays, with these gradients in place of the right ones."""
        lines = [f"def {self.name}({', '.join(self.names)}):", *(f"    {line}" for line in self.forward),
                 "    def vjp(dy):",
                 *(f"        {line}" for line in (self.backward if backward is None else backward)),
                 f"        return ({', '.join(gradients or self.gradients)},)", f"    return {self.value}, vjp"]
        scope = dict(NAMES)
        exec("\n".join(lines), scope)
        return scope[self.name]

    def draw(self, seed=0, square=False):
        return sample(*self.shapes, seed=seed, square=square)


class Mistake:
    """One wrong gradient (of the input ``which``) of an operation, and the codes that name it (the first is the
    best)."""

    def __init__(self, operation, which, wrong, codes, number, square):
        self.operation, self.wrong, self.codes, self.square = operation, wrong, codes.split("|"), square
        self.which = operation.names.index(which)
        self.held_out = number % 3 == 2

    def __repr__(self):
        return f"{self.operation.name}: d{self.operation.names[self.which]} = {self.wrong}"

    def function(self):
        if isinstance(self.wrong, str):
            gradients = list(self.operation.gradients)
            gradients[self.which] = self.wrong
            return self.operation.function(gradients)
        old, new = self.wrong                                   # an edit of the lines of the backward pass
        lines = [line.replace(old, new) for line in self.operation.backward]
        assert lines != list(self.operation.backward), self.wrong
        return self.operation.function(backward=lines)


OPERATIONS, MISTAKES = [], []


def op(name, inputs, forward, value, gradients, mistakes, backward=(), square=False):
    operation = Operation(name, inputs, forward, value, gradients, backward)
    OPERATIONS.append(operation)
    for which, wrong, codes in mistakes:
        MISTAKES.append(Mistake(operation, which, wrong, codes, len(MISTAKES), square))


# ---------------------------------------------------------------------------------------------------- elementwise

op("square", "x:BC", [], "x * x", ["2 * x * dy"], [
    ("x", "x * dy", "factor"), ("x", "2 * x", "upstream"), ("x", "2 * x * dy ** 2", "upstream"),
    ("x", "-2 * x * dy", "sign"),
    ("x", "2 * dy", "local-derivative"), ("x", "2 * x ** 2 * dy", "local-derivative"), ("x", "None", "missing"),
    ("x", "np.zeros_like(x)", "zero"), ("x", "2 * x * dy + 0.1", "upstream"), ("x", "np.nan * x", "nonfinite"),
    ("x", "-x * dy", "sign factor")])
op("tanh", "x:BC", ["y = np.tanh(x)"], "y", ["(1 - y ** 2) * dy"], [
    ("x", "dy", "local-derivative"), ("x", "(1 - y) * dy", "local-derivative"),
    ("x", "(1 - x ** 2) * dy", "local-derivative"),
    ("x", "y * (1 - y) * dy", "local-derivative"), ("x", "(1 - y ** 2)", "upstream"),
    ("x", "(y ** 2 - 1) * dy", "sign")])
op("sigmoid", "x:BC", ["y = 1 / (1 + np.exp(-x))"], "y", ["y * (1 - y) * dy"], [
    ("x", "y * dy", "local-derivative"), ("x", "(1 - y) * dy", "local-derivative"),
    ("x", "x * (1 - x) * dy", "local-derivative"),
    ("x", "dy", "local-derivative"), ("x", "y * (1 - y) * np.ones_like(dy)", "upstream")])
op("relu", "x:BC", [], "np.maximum(x, 0)", ["dy * (x > 0)"], [
    ("x", "dy", "mask"), ("x", "dy * (x < 0)", "inverted-mask"), ("x", "dy * (x > 0.3)", "dropped"),
    ("x", "dy * x * (x > 0)", "local-derivative"),
    ("x", "(x > 0).astype(float)", "upstream"), ("x", "dy * (dy > 0)", "upstream|mask")])
op("leaky_relu", "x:BC", [], "np.where(x > 0, x, 0.1 * x)", ["np.where(x > 0, dy, 0.1 * dy)"], [
    ("x", "dy * (x > 0)", "dropped"), ("x", "np.where(x > 0, dy, 0.1 * x * dy)", "local-derivative"),
    ("x", "np.where(x > 0, 0.1 * dy, dy)", "inverted-mask|local-derivative")])
op("gelu_tanh", "x:BC", ["c = math.sqrt(2 / math.pi)", "t = np.tanh(c * (x + 0.044715 * x ** 3))"], "0.5 * x * (1 + t)",
   ["(0.5 * (1 + t) + 0.5 * x * (1 - t ** 2) * c * (1 + 3 * 0.044715 * x ** 2)) * dy"], [
    ("x", "0.5 * (1 + t) * dy", "missing-term"), ("x", "(0.5 * (1 + t) + 0.5 * x * (1 - t ** 2) * c) * dy",
                                                  "local-derivative|missing-term"),
    ("x", "(0.5 * (1 + t) + 0.5 * x * c * (1 + 3 * 0.044715 * x ** 2)) * dy", "local-derivative"),
    ("x", "(1 + t + x * (1 - t ** 2) * c * (1 + 3 * 0.044715 * x ** 2)) * dy", "factor")])
op("silu", "x:BC", ["s = 1 / (1 + np.exp(-x))"], "x * s", ["(s + x * s * (1 - s)) * dy"], [
    ("x", "s * dy", "missing-term"), ("x", "x * s * (1 - s) * dy", "missing-term"),
    ("x", "(s + s * (1 - s)) * dy", "local-derivative"),
    ("x", "(s + x * s * (1 - s))", "upstream")])
op("exp", "x:BC", ["y = np.exp(x)"], "y", ["y * dy"], [
    ("x", "dy", "local-derivative"), ("x", "x * y * dy", "local-derivative"), ("x", "y * y * dy", "local-derivative"),
    ("x", "dy.T * y.T", "transpose")])
op("log", "x:BC+", [], "np.log(x)", ["dy / x"], [
    ("x", "dy * x", "local-derivative"), ("x", "dy / x ** 2", "local-derivative"), ("x", "dy", "local-derivative"),
    ("x", "-dy / x", "sign")])
op("sqrt", "x:BC+", ["y = np.sqrt(x)"], "y", ["dy / (2 * y)"], [
    ("x", "dy / y", "factor"), ("x", "dy / (2 * x)", "local-derivative"), ("x", "dy * y / 2", "local-derivative")])
op("abs", "x:BC", [], "np.abs(x)", ["dy * np.sign(x)"], [
    ("x", "dy", "local-derivative"), ("x", "dy * (x > 0)", "dropped"), ("x", "dy * x", "local-derivative")])
op("softplus", "x:BC", [], "np.log(1 + np.exp(x))", ["dy / (1 + np.exp(-x))"], [
    ("x", "dy / (1 + np.exp(x))", "local-derivative"), ("x", "dy * np.exp(x)", "local-derivative")])

# ---------------------------------------------------------------------------------------------------- arithmetic

op("multiply", "x:BC y:BC", [], "x * y", ["dy * y", "dy * x"], [
    ("x", "dy * x", "swapped|operand"), ("y", "dy * y", "swapped|operand"), ("x", "dy", "local-derivative"),
    ("y", "x", "upstream"),
    ("x", "dy * y * x", "local-derivative")])
op("divide", "x:BC y:BC+", ["z = x / y"], "z", ["dy / y", "-dy * x / y ** 2"], [
    ("y", "dy * x / y ** 2", "sign"), ("y", "-dy * x / y", "local-derivative"),
    ("y", "-dy / y ** 2", "local-derivative"),
    ("x", "dy * y", "local-derivative"), ("y", "dy / y", "swapped")])
op("subtract", "x:BC y:BC", [], "x - y", ["dy", "-dy"], [
    ("y", "dy", "sign|swapped"), ("y", "-dy[::-1]", "permuted"), ("x", "np.roll(dy, 1, axis=0)", "permuted")])
op("add_bias", "x:BC b:C", [], "x + b", ["dy", "dy.sum(axis=0)"], [
    ("b", "dy", "unbroadcast"), ("b", "dy.sum(axis=0, keepdims=True)", "keepdims"),
    ("b", "dy.mean(axis=0)", "factor|reduction"),
    ("b", "dy[0]", "unbroadcast|reduction"), ("b", "dy.sum(axis=1)", "shape|reduction"),
    ("b", "dy.max(axis=0)", "upstream|reduction"),
    ("b", "dy.sum()", "shape|reduction")])
op("add_bias_square", "x:BC b:C", [], "x + b", ["dy", "dy.sum(axis=0)"], [
    ("b", "dy.sum(axis=1)", "reduction"), ("b", "dy.mean(axis=1)", "reduction"), ("x", "dy.T", "transpose")],
    square=True)
op("scale_rows", "x:BC s:B1", [], "x * s", ["dy * s", "(dy * x).sum(axis=1, keepdims=True)"], [
    ("s", "(dy * x).sum(axis=1)", "keepdims"), ("s", "dy * x", "unbroadcast"),
    ("s", "dy.sum(axis=1, keepdims=True)", "local-derivative"),
    ("x", "dy", "local-derivative|row-scale"), ("x", "dy * s ** 2", "local-derivative|row-scale")])
op("maximum", "x:BC y:BC", [], "np.maximum(x, y)", ["dy * (x > y)", "dy * (y > x)"], [
    ("x", "dy * (x < y)", "inverted-mask|swapped"), ("y", "dy", "mask"),
    ("y", "dy * (x > y)", "swapped|inverted-mask")])
op("where", "m:BC? x:BC y:BC", [], "np.where(m, x, y)", ["None", "dy * m", "dy * ~m"], [
    ("x", "dy", "mask"), ("y", "dy * m", "swapped|inverted-mask")])
op("used_twice", "x:BC w:CO v:CO", ["a = x @ w", "b = np.tanh(x @ v)"], "a + b",
   ["dy @ w.T + (dy * (1 - b * b)) @ v.T", "x.T @ dy", "x.T @ (dy * (1 - b * b))"], [
    ("x", "dy @ w.T", "overwrite"), ("x", "(dy * (1 - b * b)) @ v.T", "overwrite"),
    ("v", "x.T @ dy", "swapped|local-derivative"),
    ("x", "dy @ w.T + dy @ v.T", "local-derivative")])

# ---------------------------------------------------------------------------------------------------- reductions

op("mean", "x:BC", [], "x.mean(axis=1)", ["np.broadcast_to(dy[:, None], x.shape) / x.shape[1]"], [
    ("x", "np.broadcast_to(dy[:, None], x.shape)", "factor|reduction"),
    ("x", "np.broadcast_to(dy[:, None], x.shape) / x.shape[0]", "factor"),
    ("x", "np.full(x.shape, dy.mean() / x.shape[1])", "reduction"), ("x", "np.ones(x.shape) / x.shape[1]", "upstream")])
op("sum_square", "x:BC", [], "(x ** 2).sum(axis=0)", ["2 * x * dy"], [
    ("x", "x * dy", "factor"), ("x", "2 * dy + 0 * x", "local-derivative"),
    ("x", "2 * x * dy / len(x)", "factor|reduction")])
op("max_rows", "x:BC", ["m = x.max(axis=1, keepdims=True)"], "m[:, 0]", ["dy[:, None] * (x == m)"], [
    ("x", "np.broadcast_to(dy[:, None], x.shape)", "mask"), ("x", "dy[:, None] * (x != m)", "inverted-mask"),
    ("x", "dy[:, None] * (x == x.min(axis=1, keepdims=True))", "inverted-mask"),
    ("x", "dy[:, None] * (x == x.max())", "dropped")])
op("cumsum", "x:TC", [], "np.cumsum(x, axis=0)", ["np.cumsum(dy[::-1], axis=0)[::-1]"], [
    ("x", "np.cumsum(dy, axis=0)", "permuted|leak"), ("x", "dy", "lost-path"),
    ("x", "np.cumsum(dy[::-1], axis=0)", "permuted")])
op("variance", "x:BC", ["c = x - x.mean(axis=1, keepdims=True)"], "(c ** 2).mean(axis=1)",
   ["2 * c * dy[:, None] / x.shape[1]"], [
    ("x", "2 * x * dy[:, None] / x.shape[1]", "mean-term"), ("x", "2 * c * dy[:, None]", "factor"),
    ("x", "2 * c * dy[:, None] / (x.shape[1] - 1)", "factor")])
op("logsumexp", "x:BC", ["e = np.exp(x)", "s = e.sum(axis=1)"], "np.log(s)", ["e / s[:, None] * dy[:, None]"], [
    ("x", "e * dy[:, None]", "local-derivative|row-scale"),
    ("x", "dy[:, None] / s[:, None] + 0 * x", "local-derivative"),
    ("x", "e / e.sum() * dy[:, None]", "row-scale|reduction|local-derivative"),
    ("x", "np.broadcast_to(dy[:, None], x.shape)", "local-derivative")])

# ---------------------------------------------------------------------------------------------------- shapes and lookup

op("transpose_axes", "x:BTC", [], "x.transpose(2, 0, 1)", ["dy.transpose(1, 2, 0)"], [
    ("x", "dy.transpose(2, 0, 1)", "permuted|transpose|shape"), ("x", "dy.reshape(x.shape)", "permuted|head-order"),
    ("x", "dy", "permuted|transpose|shape")])
op("transpose_axes_square", "x:BTC", [], "x.transpose(2, 0, 1)", ["dy.transpose(1, 2, 0)"], [
    ("x", "dy.transpose(2, 0, 1)", "permuted|transpose"), ("x", "dy", "permuted|transpose"),
    ("x", "dy.transpose(2, 1, 0)", "permuted|transpose")], square=True)
op("flip", "x:TC", [], "x[::-1] * 1.0", ["dy[::-1]"], [("x", "dy", "permuted"), ("x", "dy[:, ::-1]", "permuted")])
op("concatenate", "x:TC y:TC", [], "np.concatenate([x, y], axis=1)", ["dy[:, :x.shape[1]]", "dy[:, x.shape[1]:]"], [
    ("x", "dy[:, x.shape[1]:]", "swapped"), ("y", "dy[:, :x.shape[1]]", "swapped"), ("x", "dy", "shape"),
    ("y", "dy[:, x.shape[1]:][:, ::-1]", "permuted")])
op("shift", "x:TC", ["y = np.zeros(x.shape)", "y[1:] = x[:-1]"], "y", ["np.concatenate([dy[1:], 0 * dy[:1]])"], [
    ("x", "dy", "permuted|leak|mask"), ("x", "np.concatenate([0 * dy[:1], dy[:-1]])", "permuted|leak"),
    ("x", "np.roll(dy, -1, axis=0)", "leak|mask")])
op("embedding", "w:VC i:BT<V", [], "w[i]", ["scatter(w.shape, i, dy)", "None"], [
    ("w", "put(w.shape, i, dy)", "duplicate-index"),
    ("w", "put(w.shape, i, dy) / 2", "factor duplicate-index|unexplained"),
    ("w", "scatter(w.shape, (i + 1) % len(w), dy)", "permuted"), ("w", "scatter(w.shape, i, dy) / i.size", "factor"),
    ("w", "scatter(w.shape, i, dy * (i == 0)[..., None])", "dropped|lost-path"),
    ("w", "scatter(w.shape, i, dy) + 0.5 * w", "upstream"), ("w", "scatter(w.shape, i, np.ones_like(dy))", "upstream"),
    ("w", "scatter(w.shape, i, dy) * np.bincount(i.ravel(), minlength=len(w))[:, None]", "row-scale|local-derivative"),
    ("w", "scatter(w.shape, i, dy) / np.maximum(1, np.bincount(i.ravel(), minlength=len(w)))[:, None]",
     "row-scale|reduction|local-derivative|duplicate-index")])
op("take_rows", "x:TC", ["i = np.array([0, 2, 2, 1])"], "x[i]", ["scatter(x.shape, i, dy)"], [
    ("x", "put(x.shape, i, dy)", "duplicate-index"), ("x", "-scatter(x.shape, i, dy)", "sign")])
op("dropout", "x:BC", ["keep = np.random.default_rng(0).random(x.shape) > 0.3"], "x * keep / 0.7", ["dy * keep / 0.7"],
   [
    ("x", "dy * keep", "factor"), ("x", "dy / 0.7", "mask"), ("x", "dy * ~keep / 0.7", "inverted-mask"),
    ("x", "dy", "mask|mask factor"), ("x", "dy * keep / 0.49", "factor")])

# ---------------------------------------------------------------------------------------------------- products

op("linear", "x:BI w:OI b:O", [], "x @ w.T + b", ["dy @ w", "dy.T @ x", "dy.sum(axis=0)"], [
    ("w", "x.T @ dy", "transpose"), ("w", "dy.T @ x / len(x)", "factor"), ("b", "dy.mean(axis=0)", "factor|reduction"),
    ("x", "-dy @ w", "sign"),
    ("w", "np.ones_like(dy).T @ x", "upstream"), ("b", "dy.sum(axis=0)[None]", "keepdims"),
    ("x", "dy @ np.abs(w)", "operand|unexplained"),
    ("x", "x", "upstream"), ("w", "dy[:1].T @ x[:1]", "unbroadcast|dropped|lost-path|reduction|leak")])
op("linear_square", "x:BI w:OI b:O", [], "x @ w.T + b", ["dy @ w", "dy.T @ x", "dy.sum(axis=0)"], [
    ("x", "dy @ w.T", "operand"), ("w", "x.T @ dy", "transpose"), ("w", "dy @ x", "operand"),
    ("b", "dy.sum(axis=1)", "reduction"),
    ("x", "dy.T @ w", "operand"), ("x", "(dy @ w).T", "transpose"), ("x", "x @ w", "upstream"),
    ("w", "dy.T @ w", "operand|unexplained")], square=True)
op("matmul", "a:MK b:KN", [], "a @ b", ["dy @ b.T", "a.T @ dy"], [
    ("a", "b @ dy.T", "transpose"), ("b", "dy.T @ a", "transpose"), ("a", "dy @ b.T / a.shape[1]", "factor"),
    ("b", "a.T @ (dy * dy)", "upstream"),
    ("b", "a.T @ dy * 2", "factor")])
op("matmul_square", "a:MK b:KN", [], "a @ b", ["dy @ b.T", "a.T @ dy"], [
    ("a", "dy @ b", "operand"), ("b", "a @ dy", "operand"), ("a", "b.T @ dy", "operand"), ("b", "dy @ a.T", "operand"),
    ("a", "a.T @ dy", "swapped")], square=True)
op("batched_matmul", "a:BMK b:KN", [], "a @ b", ["dy @ b.T", "np.einsum('bmk,bmn->kn', a, dy)"], [
    ("b", "a.swapaxes(1, 2) @ dy", "unbroadcast"), ("b", "(a.swapaxes(1, 2) @ dy).mean(axis=0)", "factor|reduction"),
    ("b", "(a.swapaxes(1, 2) @ dy)[0]", "unbroadcast|lost-path|leak|reduction"),
    ("a", "np.broadcast_to((dy @ b.T).sum(axis=0), a.shape)", "leak|reduction")])
op("outer", "a:M b:N", [], "np.outer(a, b)", ["dy @ b", "a @ dy"], [
    ("a", "dy.sum(axis=1)", "local-derivative"), ("b", "dy.mean(axis=0)", "local-derivative factor|unexplained"),
    ("b", "2 * a @ dy", "factor")])

# ---------------------------------------------------------------------------------------------------- softmax and
# losses

op("softmax_rows", "x:BC", ["p = softmax(x)"], "p", ["p * (dy - (p * dy).sum(axis=1, keepdims=True))"], [
    ("x", "p * dy", "softmax-diagonal"), ("x", "p * (1 - p) * dy", "softmax-diagonal"),
    ("x", "p * (dy - (p * dy).sum(axis=0, keepdims=True))", "reduction|leak"),
    ("x", "p * (dy - (p * dy).mean(axis=1, keepdims=True))", "reduction|missing-term"),
    ("x", "p * (dy - dy.sum(axis=1, keepdims=True))", "missing-term|local-derivative"),
    ("x", "dy - (p * dy).sum(axis=1, keepdims=True)", "local-derivative"),
    ("x", "p * (dy - (p * dy).sum())", "reduction|leak"), ("x", "p * (dy + (p * dy).sum(axis=1, keepdims=True))",
                                                           "missing-term|sign"),
    ("x", "p * p * (dy - (p * dy).sum(axis=1, keepdims=True))", "local-derivative"),
    ("x", "p * ((p * dy).sum(axis=1, keepdims=True) - dy)", "sign"),
    ("x", "np.zeros_like(x)", "zero")])
op("log_softmax_rows", "x:BC", ["y = x - np.log(np.exp(x).sum(axis=1, keepdims=True))"], "y",
   ["dy - np.exp(y) * dy.sum(axis=1, keepdims=True)"], [
    ("x", "dy", "missing-term"), ("x", "dy - np.exp(y) * dy.sum(axis=0, keepdims=True)", "reduction|leak|missing-term"),
    ("x", "dy - dy.sum(axis=1, keepdims=True)", "local-derivative|mean-term|missing-term"),
    ("x", "dy - np.exp(y) * dy.mean(axis=1, keepdims=True)", "missing-term|reduction"),
    ("x", "dy - y * dy.sum(axis=1, keepdims=True)", "local-derivative|missing-term|unexplained")])
op("mse", "x:BC t:BC", ["d = x - t"], "(d ** 2).mean()", ["2 * d * dy / d.size", "-2 * d * dy / d.size"], [
    ("x", "2 * d * dy", "factor"), ("x", "2 * d * dy / len(d)", "factor"), ("x", "d * dy / d.size", "factor"),
    ("x", "2 * (t - x) * dy / d.size", "sign"),
    ("t", "2 * d * dy / d.size", "sign|swapped"), ("x", "2 * d / d.size", "upstream"),
    ("x", "2 * x * dy / d.size", "missing-term"), ("x", "d * dy", "factor")])
op("cross_entropy", "z:NV t:N<V", ["p = softmax(z)", "n = np.arange(len(z))"], "-np.log(p[n, t]).mean()",
   ["(p - onehot(t, p.shape[1])) * dy / len(z)", "None"], [
    ("z", "(p - onehot(t, p.shape[1])) * dy", "factor"), ("z", "p * dy / len(z)", "missing-term"),
    ("z", "-onehot(t, p.shape[1]) * dy / len(z)", "missing-term"),
    ("z", "(onehot(t, p.shape[1]) - p) * dy / len(z)", "sign"),
    ("z", "(p - onehot(t, p.shape[1])) / len(z)", "upstream"),
    ("z", "(p + onehot(t, p.shape[1])) * dy / len(z)", "missing-term|sign"),
    ("z", "(p - onehot(t, p.shape[1])) * dy / p.size", "factor"),
    ("z", "p * (p - onehot(t, p.shape[1])) * dy / len(z)", "local-derivative"),
    ("z", "(z - onehot(t, p.shape[1])) * dy / len(z)", "missing-term|local-derivative|unexplained"),
    ("z", "(softmax(z, 0) - onehot(t, p.shape[1])) * dy / len(z)", "reduction|unexplained")])
op("bce", "z:BC t:BC?", ["s = 1 / (1 + np.exp(-z))"], "-(t * np.log(s) + (1 - t) * np.log(1 - s)).mean()",
   ["(s - t) * dy / z.size", "None"], [
    ("z", "(s - t) * s * (1 - s) * dy / z.size", "local-derivative"), ("z", "(t - s) * dy / z.size", "sign"),
    ("z", "s * dy / z.size", "missing-term"), ("z", "(s - t) * dy", "factor"), ("z", "(s - t) * dy / len(z)", "factor"),
    ("z", "(s - t) / (s * (1 - s)) * dy / z.size", "local-derivative")])

# ---------------------------------------------------------------------------------------------------- normalization

NORM = ["g = dy * gamma"]
op("layer_norm", "x:BTC gamma:C beta:C",
   ["mu = x.mean(axis=-1, keepdims=True)", "sigma = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)",
    "xhat = (x - mu) / sigma"], "xhat * gamma + beta",
   ["(g - g.mean(axis=-1, keepdims=True) - xhat * (g * xhat).mean(axis=-1, keepdims=True)) / sigma",
    "(dy * xhat).sum(axis=(0, 1))", "dy.sum(axis=(0, 1))"], [
    ("x", "(g - xhat * (g * xhat).mean(axis=-1, keepdims=True)) / sigma", "mean-term"),
    ("x", "(g - g.mean(axis=-1, keepdims=True)) / sigma", "variance-term"),
    ("x", "g - g.mean(axis=-1, keepdims=True) - xhat * (g * xhat).mean(axis=-1, keepdims=True)",
     "local-derivative|row-scale"), ("gamma", "dy.sum(axis=(0, 1))", "local-derivative|swapped"),
    ("gamma", "(dy * xhat).mean(axis=(0, 1))", "factor|reduction"),
    ("x", "(dy - dy.mean(axis=-1, keepdims=True) - xhat * (dy * xhat).mean(axis=-1, keepdims=True)) / sigma",
     "local-derivative"), ("x", "g / sigma", "mean-term variance-term"),
    ("gamma", "(dy * x).sum(axis=(0, 1))", "local-derivative|mean-term|missing-term|operand"),
    ("x", "(g - g.mean(axis=-1, keepdims=True) + xhat * (g * xhat).mean(axis=-1, keepdims=True)) / sigma",
     "variance-term"),
    ("beta", "dy.sum(axis=0)", "unbroadcast|shape"),
    ("x", "(g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)) / sigma",
     "reduction|leak"),
    ("x", "(g - g.mean(axis=-1, keepdims=True) - xhat * (g * xhat).mean(axis=-1, keepdims=True)) / sigma ** 2",
     "local-derivative|row-scale"),
    ("x", "(g - g.sum(axis=-1, keepdims=True) - xhat * (g * xhat).sum(axis=-1, keepdims=True)) / sigma",
     "reduction|mean-term|variance-term"),
    ("x", "(g - g.mean(axis=-1, keepdims=True) - x * (g * x).mean(axis=-1, keepdims=True)) / sigma", "variance-term")],
    NORM)
op("layer_norm_unbiased", "x:BC", ["c = x - x.mean(axis=1, keepdims=True)",
                                   "sigma = np.sqrt((c * c).sum(axis=1, keepdims=True) / (x.shape[1] - 1))",
                                   "xhat = c / sigma"], "xhat",
   ["(dy - dy.mean(axis=1, keepdims=True) - xhat * (dy * xhat).sum(axis=1, keepdims=True) / (x.shape[1] - 1)) / sigma"],
   [
    ("x", "(dy - dy.mean(axis=1, keepdims=True) - xhat * (dy * xhat).mean(axis=1, keepdims=True)) / sigma",
     "variance-term"),
    ("x", "(dy - dy.mean(axis=1, keepdims=True) - xhat * (dy * xhat).sum(axis=1, keepdims=True) / (x.shape[1] - 1)) / "
          "x.std(axis=1, keepdims=True)", "factor")])
op("rms_norm", "x:BC gamma:C", ["r = np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-6)", "xhat = x / r"],
   "xhat * gamma",
   ["(g - xhat * (g * xhat).mean(axis=1, keepdims=True)) / r", "(dy * xhat).sum(axis=0)"], [
    ("x", "g / r", "variance-term"),
    ("x", "(g - x * (g * x).mean(axis=1, keepdims=True)) / r", "variance-term|local-derivative"),
    ("x", "g - xhat * (g * xhat).mean(axis=1, keepdims=True)", "local-derivative|row-scale"),
    ("gamma", "(dy * x).sum(axis=0)", "local-derivative|operand"),
    ("x", "(g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)) / r", "mean-term")],
    NORM)
op("batch_norm", "x:NC gamma:C beta:C",
   ["mu, var = x.mean(axis=0), x.var(axis=0)", "inv = 1 / np.sqrt(var + 1e-5)", "xhat = (x - mu) * inv"],
   "gamma * xhat + beta",
   ["(g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) * inv", "(dy * xhat).sum(axis=0)", "dy.sum(axis=0)"], [
    ("x", "g * inv", "mean-term variance-term|mean-term|variance-term"),
    ("x", "(g - g.mean(axis=0)) * inv", "variance-term"),
    ("x", "(g - xhat * (g * xhat).mean(axis=0)) * inv", "mean-term"),
    ("x", "(g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) * inv * gamma", "local-derivative"),
    ("gamma", "(dy * xhat).mean(axis=0)", "factor|reduction"), ("gamma", "dy.sum(axis=0)", "local-derivative|swapped"),
    ("beta", "dy.sum(axis=0) * gamma", "local-derivative"),
    ("x", "(g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True)) * inv",
     "reduction|leak")], NORM)

# ---------------------------------------------------------------------------------------------------- networks and
# recurrence

op("two_layers", "x:BI w:HI b:H v:OH", ["h = x @ w.T + b", "a = np.maximum(h, 0)"], "a @ v.T",
   ["dh @ w", "dh.T @ x", "dh.sum(axis=0)", "dy.T @ a"], [
    ("x", ("(h > 0)", "1"), "mask"), ("w", ("(h > 0)", "1"), "mask"), ("w", ("(h > 0)", "(h < 0)"), "inverted-mask"),
    ("v", "dy.T @ h", "mask|operand|local-derivative"), ("w", "dh.T @ x / len(x)", "factor"),
    ("b", "dh[0]", "unbroadcast|reduction|lost-path"), ("v", "a.T @ dy", "transpose"),
    ("x", ("(h > 0)", "a"), "local-derivative")], ["dh = (dy @ v) * (h > 0)"])
op("mlp_tanh", "x:BI w:HI v:OH", ["h = np.tanh(x @ w.T)"], "h @ v.T", ["dz @ w", "dz.T @ x", "dy.T @ h"], [
    ("x", ("* (1 - h * h)", ""), "local-derivative"), ("w", ("* (1 - h * h)", ""), "local-derivative"),
    ("w", ("(1 - h * h)", "(1 - h)"), "local-derivative"), ("x", ("(1 - h * h)", "h * (1 - h)"), "local-derivative"),
    ("x", ("(1 - h * h)", "(h * h - 1)"), "sign"), ("v", "dy.T @ (x @ w.T)", "operand|local-derivative|unexplained"),
    ("w", "x.T @ dz", "transpose")], ["dz = (dy @ v) * (1 - h * h)"])
op("residual", "x:BC w:CC", ["f = np.tanh(x @ w)"], "x + f", ["dy + dz @ w.T", "x.T @ dz"], [
    ("x", "dz @ w.T", "lost-path|missing-term|overwrite"), ("x", "dy", "lost-path|overwrite"),
    ("x", "dy + dz @ w", "operand"),
    ("x", "dy * (dz @ w.T)", "upstream|unexplained"), ("x", "2 * dy + dz @ w.T", "missing-term|overwrite|lost-path")],
    ["dz = dy * (1 - f * f)"])
op("rnn", "x:TI w:HI u:HH h0:H",
   ["hs = [h0]", "for t in range(len(x)):", "    hs.append(np.tanh(w @ x[t] + u @ hs[-1]))"],
   "np.stack(hs[1:])", ["dx", "dw", "du", "dh"], [
    ("u", ("du = du +", "du ="), "overwrite"), ("w", ("dw = dw +", "dw ="), "overwrite"),
    ("w", ("dz = (dy[t] + dh)", "dz = dy[t]"), "lost-path"), ("x", ("dz = (dy[t] + dh)", "dz = dy[t]"), "lost-path"),
    ("u", ("* (1 - hs[t + 1] ** 2)", ""), "local-derivative"), ("x", ("dh = u.T @ dz", "dh = u @ dz"), "operand"),
    ("h0", ("dz = (dy[t] + dh)", "dz = dy[t]"), "lost-path"),
    ("u", ("np.outer(dz, hs[t])", "np.outer(dz, hs[t + 1])"), "operand|permuted|leak|unexplained"),
    ("u", ("np.outer(dz, hs[t])", "np.outer(hs[t], dz)"), "transpose"),
    ("w", ("(1 - hs[t + 1] ** 2)", "(1 - hs[t] ** 2)"), "local-derivative|unexplained")],
   ["dh, dw, du, dx = 0, 0, 0, np.zeros(x.shape)", "for t in reversed(range(len(x))):",
    "    dz = (dy[t] + dh) * (1 - hs[t + 1] ** 2)", "    dw = dw + np.outer(dz, x[t])",
    "    du = du + np.outer(dz, hs[t])",
    "    dx[t] = w.T @ dz", "    dh = u.T @ dz"])
LSTM = ["z = x @ w + h @ u", "H = h.shape[1]",
        "i, f, o = sigmoid(z[:, :H]), sigmoid(z[:, H:2 * H]), sigmoid(z[:, 2 * H:3 * H])", "g = np.tanh(z[:, 3 * H:])",
        "c2 = f * c + i * g", "y = o * np.tanh(c2)"]
op("lstm_cell", "x:BI h:B2 c:B2 w:I8 u:28", LSTM, "y", ["dz @ w.T", "dz @ u.T", "dc * f", "x.T @ dz", "h.T @ dz"], [
    ("w", ("[di, df, do, dg]", "[df, di, do, dg]"), "gate-order"),
    ("u", ("[di, df, do, dg]", "[di, df, dg, do]"), "gate-order"),
    ("x", ("[di, df, do, dg]", "[di, do, df, dg]"), "gate-order"), ("c", "dc", "local-derivative"),
    ("c", "dc * i", "local-derivative"), ("w", ("* (1 - g * g)", ""), "local-derivative"),
    ("x", ("* (1 - np.tanh(c2) ** 2)", ""), "local-derivative"),
    ("h", ("df = dc * c *", "df = dc *"), "local-derivative"),
    ("w", ("do = dy * np.tanh(c2) *", "do = dy * c2 *"), "local-derivative")],
   ["dc = dy * o * (1 - np.tanh(c2) ** 2)", "di = dc * g * i * (1 - i)", "df = dc * c * f * (1 - f)",
    "do = dy * np.tanh(c2) * o * (1 - o)", "dg = dc * i * (1 - g * g)",
    "dz = np.concatenate([di, df, do, dg], axis=1)"])
op("gru_cell", "x:BI h:B3 w:I9 u:39", ["zx, zh = x @ w, h @ u",
                                       "r, z = sigmoid(zx[:, :3] + zh[:, :3]), sigmoid(zx[:, 3:6] + zh[:, 3:6])",
                                       "n = np.tanh(zx[:, 6:] + r * zh[:, 6:])"], "(1 - z) * n + z * h",
   ["np.concatenate([dr, dz, dn], axis=1) @ w.T", "dy * z + np.concatenate([dr, dz, dn * r], axis=1) @ u.T",
    "x.T @ np.concatenate([dr, dz, dn], axis=1)", "h.T @ np.concatenate([dr, dz, dn * r], axis=1)"], [
    ("h", "np.concatenate([dr, dz, dn * r], axis=1) @ u.T", "lost-path|missing-term|overwrite"),
    ("h", "dy * z", "lost-path|overwrite"), ("u", "h.T @ np.concatenate([dr, dz, dn], axis=1)", "local-derivative"),
    ("w", "x.T @ np.concatenate([dz, dr, dn], axis=1)", "gate-order"),
    ("x", ("dz = dy * (h - n)", "dz = dy * (n - h)"), "sign|missing-term|lost-path|unexplained"),
    ("h", "dy * z + np.concatenate([dr, dz, dn], axis=1) @ u.T", "local-derivative")],
   ["dn = dy * (1 - z) * (1 - n * n)", "dz = dy * (h - n) * z * (1 - z)", "dr = dn * (h @ u)[:, 6:] * r * (1 - r)"])

# ---------------------------------------------------------------------------------------------------- attention and
# positions

op("attention", "q:TD k:SD v:SE", ["s = q @ k.T / math.sqrt(q.shape[1])", "p = softmax(s)"], "p @ v",
   ["ds @ k / math.sqrt(q.shape[1])", "ds.T @ q / math.sqrt(q.shape[1])", "p.T @ dy"], [
    ("q", "ds @ k", "factor"), ("k", "ds.T @ q * math.sqrt(q.shape[1])", "factor"),
    ("q", ("p * (dp - (p * dp).sum(axis=1, keepdims=True))", "p * dp"), "softmax-diagonal"),
    ("k", ("p * (dp - (p * dp).sum(axis=1, keepdims=True))", "p * dp"), "softmax-diagonal"),
    ("q", ("ds = p * (", "ds = ("), "local-derivative"), ("q", ("axis=1", "axis=0"), "reduction"),
    ("v", "s.T @ dy", "local-derivative|operand|unexplained"),
    ("q", ("p * (dp - (p * dp).sum(axis=1, keepdims=True))", "dp"), "local-derivative"),
    ("q", ("p * (dp - (p * dp).sum(axis=1, keepdims=True))", "p * (1 - p) * dp"), "softmax-diagonal")],
   ["dp = dy @ v.T", "ds = p * (dp - (p * dp).sum(axis=1, keepdims=True))"])
op("attention_square", "q:TD k:SD v:SE", ["s = q @ k.T / math.sqrt(q.shape[1])", "p = softmax(s)"], "p @ v",
   ["ds @ k / math.sqrt(q.shape[1])", "ds.T @ q / math.sqrt(q.shape[1])", "p.T @ dy"], [
    ("v", "p @ dy", "operand"), ("k", "ds @ q / math.sqrt(q.shape[1])", "operand"),
    ("q", "ds.T @ k / math.sqrt(q.shape[1])", "operand"), ("q", "ds @ q / math.sqrt(q.shape[1])", "operand"),
    ("k", "ds @ k / math.sqrt(q.shape[1])", "swapped|operand"), ("q", "ds @ k.T / math.sqrt(q.shape[1])", "operand"),
    ("q", ("dy @ v.T", "dy @ v"), "operand")],
   ["dp = dy @ v.T", "ds = p * (dp - (p * dp).sum(axis=1, keepdims=True))"], square=True)
op("causal_attention", "q:TD k:TD v:TE",
   ["T = len(q)", "s = np.where(np.tril(np.ones((T, T), bool)), q @ k.T, -1e9) / math.sqrt(q.shape[1])",
    "p = softmax(s)"],
   "p @ v", ["ds @ k / math.sqrt(q.shape[1])", "ds.T @ q / math.sqrt(q.shape[1])", "p.T @ dy"], [
    ("v", "softmax(q @ k.T / math.sqrt(q.shape[1])).T @ dy", "leak|mask"), ("v", "p @ dy", "operand|leak"),
    ("q", ("p * (dp -", "softmax(q @ k.T / math.sqrt(q.shape[1])) * (dp -"), "mask|leak|unexplained"),
    ("k", "ds.T @ q", "factor"), ("v", "np.triu(p).T @ dy", "lost-path|inverted-mask|unexplained"),
    ("q", ("p * (dp - (p * dp).sum(axis=1, keepdims=True))", "p * dp"), "softmax-diagonal")],
   ["dp = dy @ v.T", "ds = p * (dp - (p * dp).sum(axis=1, keepdims=True))"])
op("causal_scores", "s:TT", ["m = np.tril(np.ones(s.shape, bool))"], "np.where(m, s, -1e9)", ["dy * m"],
   [("s", "dy", "mask"), ("s", "dy * m.T", "mask dropped"), ("s", "dy * ~m", "inverted-mask"),
    ("s", "dy * np.tril(m, -1)", "dropped")])
op("self_attention", "h:TC", ["p = softmax(h @ h.T)"], "h + p @ h", ["dy + p.T @ dy + ds @ h + ds.T @ h"], [
    ("h", "dy + p.T @ dy + ds @ h", "overwrite"), ("h", "p.T @ dy + ds @ h + ds.T @ h", "lost-path"),
    ("h", "dy + p @ dy + ds @ h + ds.T @ h", "operand"), ("h", "dy + p.T @ dy + 2 * ds @ h", "operand"),
    ("h", "dy + p.T @ dy", "overwrite"), ("h", ("p * (dp - (p * dp).sum(axis=1, keepdims=True))", "p * dp"),
                                          "softmax-diagonal"), ("h", "p.T @ dy", "overwrite|lost-path")],
   ["dp = dy @ h.T", "ds = p * (dp - (p * dp).sum(axis=1, keepdims=True))"])
op("heads", "x:T6", [], "split_heads(x, 2)", ["merge_heads(dy)"], [
    ("x", "dy.reshape(x.shape)", "head-order|permuted"),
    ("x", "dy.transpose(1, 2, 0).reshape(x.shape)", "head-order|permuted"),
    ("x", "merge_heads(dy[::-1])", "head-order|permuted")])
op("head_projection", "x:T6 w:65", ["a = split_heads(x, 2)", "y = merge_heads(np.tanh(a))"], "y @ w",
   ["merge_heads(split_heads(dy @ w.T, 2) * (1 - np.tanh(a) ** 2))", "y.T @ dy"], [
    ("x", "merge_heads((dy @ w.T).reshape(a.shape) * (1 - np.tanh(a) ** 2))", "head-order"),
    ("x", "(split_heads(dy @ w.T, 2) * (1 - np.tanh(a) ** 2)).reshape(x.shape)", "head-order"),
    ("w", "np.tanh(a).reshape(x.shape).T @ dy", "head-order|operand"),
    ("x", "merge_heads(split_heads(dy @ w.T, 2))", "local-derivative")])
ROPE = ["T, D = x.shape", "a = np.arange(T)[:, None] * 10000.0 ** (-np.arange(0, D, 2) / D)",
        "c, s = np.cos(a), np.sin(a)",
        "h = D // 2"]
op("rope", "x:T6", ROPE, "np.concatenate([x[:, :h] * c - x[:, h:] * s, x[:, h:] * c + x[:, :h] * s], axis=1)",
   ["np.concatenate([dy[:, :h] * c + dy[:, h:] * s, dy[:, h:] * c - dy[:, :h] * s], axis=1)"], [
    ("x", "np.concatenate([dy[:, :h] * c - dy[:, h:] * s, dy[:, h:] * c + dy[:, :h] * s], axis=1)", "rotation"),
    ("x", "dy", "rotation"), ("x", "np.stack([dy[:, ::2] * c + dy[:, 1::2] * s, dy[:, 1::2] * c - dy[:, ::2] * s], "
                                   "axis=-1).reshape(x.shape)", "rotation"),
                                   ("x", "np.concatenate([dy[:, :h] * c, dy[:, h:] * c], axis=1)",
                                    "rotation|lost-path|missing-term|leak")])
op("add_positions", "x:BTC p:TC", [], "x + p", ["dy", "dy.sum(axis=0)"],
   [("p", "dy", "unbroadcast"), ("p", "dy.mean(axis=0)", "factor|reduction"), ("p", "dy[-1]", "unbroadcast|reduction"),
    ("x", "dy + p", "upstream")])
op("tied", "e:VC i:T<V", ["h = np.tanh(e[i])"], "h @ e.T",
   ["dy.T @ h + scatter(e.shape, i, dy @ e * (1 - h * h))", "None"], [
    ("e", "dy.T @ h", "overwrite"), ("e", "scatter(e.shape, i, dy @ e * (1 - h * h))", "overwrite"),
    ("e", "dy.T @ h + put(e.shape, i, dy @ e * (1 - h * h))", "duplicate-index"),
    ("e", "dy.T @ h + scatter(e.shape, i, dy @ e)", "local-derivative")])
op("momentum", "w:C g:C v:C", ["v2 = 0.9 * v + g"], "w - 0.1 * v2", ["dy", "-0.1 * dy", "-0.09 * dy"],
   [("g", "0.1 * dy", "sign"), ("v", "-0.1 * dy", "factor|swapped"), ("g", "-dy", "factor"),
    ("v", "-0.9 * dy", "factor")])
