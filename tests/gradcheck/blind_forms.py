"""Mistakes in what a function returns, changes or keeps, and helpers of a learner's own; see ``blind_mistakes.py``."""

import numpy as np

CASES = [
    ("4,3", """
def relu(x):
    y = np.maximum(x, 0)
    def vjp(dy):
        dx = dy.copy()
        dx[x <= 0] = 0
        return dx
    return y, vjp
""", ("x", "dx = dy.copy()", "dx = dy", "mutates"),
     ("x", "dx[x <= 0] = 0", "dx[x >= 0] = 0", "inverted-mask"),
     ("x", "return dx", "return dx.astype(np.float32)", "dtype"),
     ("x", "return dx", "return dx[0]", "shape|unbroadcast", "returns|reduction"),
     ("x", "return dx", "return None", "missing|returns"),
     ("x", "y = np.maximum(x, 0)", "x[x < 0] = 0\n    y = x", "mutates", "mask")),
    ("3,4 3,4", """
SEEN = []
def difference(a, b):
    d = a - b
    def vjp(g):
        return g * d, -g * d
    return 0.5 * d * d, vjp
""", ("a", "    def vjp(g):", "    SEEN.append(d)\n    def vjp(g):\n        d = sum(SEEN)", "stale|mutates"),
     ("b", "-g * d", "g * d", "sign|swapped"),
     ("a", "return g * d, -g * d", "return g * d", "returns"),
     ("b", "return g * d, -g * d", "return g * d, None", "missing"),
     ("a", "return g * d, -g * d", "return g * d * g, -g * d", "upstream"),
     ("a", "return g * d, -g * d", "return 0 * d, -g * d", "zero")),
    ("5,3 3,2", """
class Total:
    def __init__(self, shape):
        self.value = np.zeros(shape)
    def add(self, g):
        self.value += g
KEPT = {}
def keep_sum(W):
    return Total(W.shape)
def layer(x, W):
    y = x @ W
    def vjp(dy):
        total = keep_sum(W)
        for n in range(len(x)):
            total.add(np.outer(x[n], dy[n]))
        return dy @ W.T, total.value
    return y, vjp
""", ("W", "    return Total(W.shape)", '    return KEPT.setdefault("W", Total(W.shape))', "stale|mutates"),
     ("W", "self.value += g", "self.value = g", "overwrite|lost-path"),
     ("W", "np.outer(x[n], dy[n])", "np.outer(x[0], dy[n])", "operand|local-derivative"),
     ("x", "dy @ W.T", "np.dot(dy, W.T) / np.sqrt(len(W))", "factor")),
    ("4,3", """
def center(x):
    c = x - x.mean(axis=0)
    y = c * c
    def vjp(dy):
        g = 2 * c * dy
        return g - g.mean(axis=0)
    return y, vjp
""", ("x", "c = x - x.mean(axis=0)", "x -= x.mean(axis=0)\n    c = x", "mutates", "mean-term|lost-path"),
     ("x", "    g = 2 * c * dy", "    dy *= 2 * c\n        g = dy", "mutates"),
     ("x", "return g - g.mean(axis=0)", "return g", "mean-term|lost-path", "missing-term|overwrite"),
     ("x", "g - g.mean(axis=0)", "g - g.mean(axis=1, keepdims=True)", "mean-term|reduction|leak"),
     ("x", "g - g.mean(axis=0)", "g + g.mean(axis=0)", "mean-term", "sign|missing-term")),
    ("6,2", """
def noisy(x):
    rng = np.random.default_rng(4)
    noise = rng.normal(size=x.shape)
    return x * noise, lambda dy: dy * noise
""", ("x", "np.random.default_rng(4)", "np.random.default_rng()", "nondeterministic"),
     ("x", "dy * noise", "dy * np.random.default_rng(5).normal(size=x.shape)", "local-derivative"),
     ("x", "dy * noise", "dy", "local-derivative", "upstream"),
     ("x", "dy * noise", "noise", "upstream")),
    (lambda r: (np.abs(r.standard_normal((4, 3))) * np.array([[1], [1], [0], [1]]),), """
def norm_rows(x):
    n = np.sqrt((x ** 2).sum(axis=1) + 1e-4)
    return n, lambda dy: dy[:, None] * x / n[:, None]
""", ("x", "x / n[:, None]", "x / np.sqrt((x ** 2).sum(1))[:, None]", "nonfinite"),
     ("x", "x / n[:, None]", "x", "row-scale|local-derivative"),
     ("x", "x / n[:, None]", "x / n[:, None] ** 2", "row-scale|local-derivative")),
    ("5 5", """
def horner(c, x):
    powers = [np.ones_like(x)]
    def next_power():
        powers.append(powers[-1] * x)
        return powers[-1]
    y = c[0] * powers[0]
    for k in range(1, len(c)):
        y = y + c[k] * next_power()
    def vjp(dy):
        dc = np.array([np.sum(dy * p) for p in powers])
        dx = sum(k * c[k] * powers[k - 1] * dy for k in range(1, len(c)))
        return dc, dx
    return y, vjp
""", ("x", "sum(k * c[k]", "sum(c[k]", "local-derivative", "lost-path"),
     ("c", "np.array([np.sum(dy * p) for p in powers])", "np.array([np.sum(dy) for p in powers])",
      "local-derivative|operand", "unbroadcast|reduction"),
     ("c", "np.sum(dy * p)", "np.mean(dy * p)", "reduction|factor"),
     ("x", "powers[k - 1] * dy", "powers[k] * dy", "local-derivative"),
     ("x", "range(1, len(c)))", "range(2, len(c)))", "lost-path|overwrite|missing-term")),
    ("5,3", """
def smooth_max_one(row):
    if row[0] > row[1]:
        return row[0] * row[2]
    return row[1] ** 2
def slope_of_one(row):
    if row[0] > row[1]:
        return np.array([row[2], 0, row[0]])
    return np.array([0, 2 * row[1], 0])
def branches(x):
    y = np.array([smooth_max_one(row) for row in x])
    def vjp(dy):
        return np.array([g * slope_of_one(row) for g, row in zip(dy, x)])
    return y, vjp
""", ("x", "np.array([row[2], 0, row[0]])", "np.array([row[0], 0, row[2]])",
      "permuted|local-derivative|swapped|operand",
      "row-scale"),
     ("x", "np.array([row[2], 0, row[0]])", "np.array([row[2], 0, 0])", "dropped|lost-path"),
     ("x", "2 * row[1]", "row[1]", "local-derivative", "row-scale|factor"),
     ("x", "    return np.array([0, 2 * row[1], 0])", "    return np.zeros(3)", "dropped|lost-path"),
     ("x", "np.array([0, 2 * row[1], 0])", "np.array([2 * row[1], 0, 0])", "permuted|mask", "dropped|leak|swapped")),
    ("3,3 3,3", """
def symmetric_product(A, B):
    S = 0.5 * (A + A.T)
    return S @ B, lambda G: (0.5 * (G @ B.T + B @ G.T), S.T @ G)
""", ("A", "0.5 * (G @ B.T + B @ G.T)", "G @ B.T", "lost-path|overwrite", "operand"),
     ("A", "0.5 * (G @ B.T + B @ G.T)", "0.5 * (G @ B.T - B @ G.T)", "missing-term|sign", "lost-path"),
     ("B", "S.T @ G", "A.T @ G", "operand|local-derivative", "lost-path"),
     ("A", "0.5 * (G @ B.T + B @ G.T)", "G @ B.T + B @ G.T", "factor")),
    ("4,3 3,3 3", """
def linear_apply(fn, *args):
    return fn(*args)
def stacked(x, W, b):
    def dense(a):
        return a @ W + b
    def dense_back(a, g):
        return g @ W.T, a.T @ g, g.sum(0)
    h1 = linear_apply(dense, x)
    a1 = np.tanh(h1)
    h2 = linear_apply(dense, a1)
    def vjp(g):
        da1, dW2, db2 = dense_back(a1, g)
        dx, dW1, db1 = dense_back(x, da1 * (1 - a1 * a1))
        return dx, dW1 + dW2, db1 + db2
    return h2, vjp
""", ("W", "dW1 + dW2", "dW2", "lost-path|overwrite|missing-term"),
     ("b", "db1 + db2", "db1", "lost-path|overwrite|missing-term"),
     ("W", "dW1 + dW2", "0.5 * (dW1 + dW2)", "reduction|factor"),
     ("x", "da1 * (1 - a1 * a1)", "da1 * (1 - h1 * h1)", "local-derivative"),
     ("W", "a.T @ g, g.sum(0)", "x.T @ g, g.sum(0)", "operand"),
     ("b", "db1 + db2", "db2", "lost-path|overwrite|missing-term")),
]
