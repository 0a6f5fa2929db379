"""Reductions, products, broadcasting and indexing with mistakes; ``blind_mistakes.py`` says what each entry means."""

import numpy as np

CASES = [
    ("6,4", """
def column_means(x):
    N = x.shape[0]
    def vjp(dy):
        return np.ones((N, 1)) * dy / N
    return x.mean(axis=0), vjp
""", ("x", "dy / N", "dy", "factor|reduction"),
     ("x", "np.ones((N, 1)) * dy / N", "dy / N", "shape|unbroadcast|keepdims")),
    ("5,4", """
def row_variance(x):
    mu = x.mean(1, keepdims=True)
    D = x.shape[1]
    return ((x - mu) ** 2).sum(1) / (D - 1), lambda dy: 2 * (x - mu) * dy[:, None] / (D - 1)
""", ("x", "(x - mu) * dy", "x * dy", "mean-term|lost-path", "local-derivative|overwrite|missing-term"),
     ("x", "dy[:, None] / (D - 1)", "dy[:, None] / D", "factor"),
     ("x", "2 * (x", "(x", "factor")),
    ("4,5", """
def log_sum_exp(x):
    m = x.max(axis=-1, keepdims=True)
    e = np.exp(x - m)
    total = e.sum(axis=-1, keepdims=True)
    y = (m + np.log(total))[..., 0]
    def vjp(dy):
        return e / total * dy[..., None]
    return y, vjp
""", ("x", "e / total * dy", "e * dy", "row-scale|local-derivative"),
     ("x", "e / total * dy", "e / e.sum() * dy", "row-scale|leak|local-derivative|reduction"),
     ("x", "e / total * dy", "np.exp(x) / total * dy", "row-scale|local-derivative", "factor")),
    ("4,4", """
def spread(x):
    hi, lo = x.argmax(1), x.argmin(1)
    rows = np.arange(len(x))
    def vjp(dy):
        dx = np.zeros_like(x)
        for n in range(len(x)):
            dx[n, hi[n]] += dy[n]
            dx[n, lo[n]] -= dy[n]
        return dx
    return x[rows, hi] - x[rows, lo], vjp
""", ("x", "dx[n, lo[n]] -= dy[n]", "dx[n, lo[n]] += dy[n]", "missing-term|sign"),
     ("x", "            dx[n, lo[n]] -= dy[n]\n", "", "lost-path|dropped|overwrite|missing-term"),
     ("x", "dx[n, hi[n]] += dy[n]", "dx[:, hi[n]] += dy[n]", "leak|mask")),
    ("4,3 5,3 5", """
def linear(x, W, b):
    out = np.empty((x.shape[0], W.shape[0]))
    for n in range(x.shape[0]):
        out[n] = W @ x[n] + b
    def backward(dout):
        dx, dW, db = np.zeros_like(x), np.zeros_like(W), np.zeros_like(b)
        for n in range(x.shape[0]):
            dx[n] = W.T @ dout[n]
            dW += np.outer(dout[n], x[n])
            db += dout[n]
        return dx, dW, db
    return out, backward
""", ("W", "dW += np", "dW = np", "overwrite|lost-path"),
     ("b", "db += dout[n]", "db += dout[n] / x.shape[0]", "reduction|factor"),
     ("x", "return dx, dW, db", "return dx, dW", "returns"),
     ("b", "db += dout[n]", "db += np.sum(dout[n])", "leak|reduction"),
     ("b", "return dx, dW, db", "return dx, dW, None", "missing")),
    ("4,4 4,4", """
def matmul(A, B):
    return A @ B, lambda G: (G @ B.T, A.T @ G)
""", ("A", "G @ B.T", "G @ B", "operand"),
     ("B", "A.T @ G", "G.T @ A", "transpose"),
     ("B", "A.T @ G", "A @ G", "operand"),
     ("A", "(G @ B.T, A.T @ G)", "(A.T @ G, G @ B.T)", "swapped")),
    ("3,4 4,5 5,2", """
def chain(A, B, C):
    AB = np.einsum("ij,jk->ik", A, B)
    out = np.einsum("ik,kl->il", AB, C)
    def vjp(g):
        dAB = np.einsum("il,kl->ik", g, C)
        dC = np.einsum("ik,il->kl", AB, g)
        dA = np.einsum("ik,jk->ij", dAB, B)
        dB = np.einsum("ij,ik->jk", A, dAB)
        return dA, dB, dC
    return out, vjp
""", ("C", '"ik,il->kl", AB, g', '"ik,jl->kl", AB, g', "leak", "reduction|operand"),
     ("A", 'np.einsum("ik,jk->ij", dAB, B)', 'np.einsum("ik,jk->ij", dAB, B) / B.shape[1]', "factor|reduction"),
     ("B", 'np.einsum("ij,ik->jk", A, dAB)', 'np.einsum("ij,ik->kj", A, dAB)', "transpose", "shape")),
    ("3,4 3,4 4,4", """
def bilinear(u, v, M):
    s = np.zeros(len(u))
    for i in range(len(u)):
        s[i] = u[i] @ M @ v[i]
    def vjp(ds):
        du, dv, dM = np.zeros_like(u), np.zeros_like(v), np.zeros_like(M)
        for i in range(len(u)):
            du[i] = ds[i] * (M @ v[i])
            dv[i] = ds[i] * (M.T @ u[i])
            dM += ds[i] * np.outer(u[i], v[i])
        return du, dv, dM
    return s, vjp
""", ("v", "(M.T @ u[i])", "(M @ u[i])", "operand"),
     ("M", "np.outer(u[i], v[i])", "np.outer(v[i], u[i])", "transpose"),
     ("u", "(M @ v[i])", "(M.T @ u[i])", "operand|swapped", "local-derivative"),
     ("M", "dM += ds[i]", "dM = ds[i]", "overwrite|lost-path")),
    ("4,4 4", """
def quadratic(A, x):
    y = x @ A @ x
    return y, lambda g: (g * np.outer(x, x), g * (A @ x + A.T @ x))
""", ("x", "(A @ x + A.T @ x)", "(2 * A @ x)", "operand|overwrite|lost-path"),
     ("x", "(A @ x + A.T @ x)", "(A @ x)", "lost-path|overwrite"),
     ("A", "g * np.outer(x, x)", "np.outer(x, x)", "upstream")),
    ("4,4", """
def log_determinant(A):
    sign, logdet = np.linalg.slogdet(A)
    def vjp(g):
        return g * np.linalg.inv(A).T
    return np.asarray(logdet), vjp
""", ("A", "np.linalg.inv(A).T", "np.linalg.inv(A)", "transpose"),
     ("A", "np.linalg.inv(A).T", "np.linalg.det(A) * np.linalg.inv(A).T", "factor", "local-derivative")),
    (lambda r: (r.standard_normal((4, 4)) + 4 * np.eye(4), r.standard_normal((4, 2))), """
def solve(A, B):
    X = np.linalg.solve(A, B)
    def vjp(G):
        dB = np.linalg.solve(A.T, G)
        dA = -dB @ X.T
        return dA, dB
    return X, vjp
""", ("B", "np.linalg.solve(A.T, G)", "np.linalg.solve(A, G)", "operand"),
     ("A", "-dB @ X.T", "dB @ X.T", "sign"),
     ("A", "-dB @ X.T", "-dB @ B.T", "operand", "local-derivative"),
     ("A", "-dB @ X.T", "-X @ dB.T", "transpose")),
    ("4,3 4,1 3", """
def scale_and_shift(x, s, b):
    y = x * s + b
    def fold(g, shape):
        while g.ndim > len(shape):
            g = g.sum(axis=0)
        for axis, n in enumerate(shape):
            if n == 1:
                g = g.sum(axis=axis, keepdims=True)
        return g
    def vjp(dy):
        return fold(dy * s, x.shape), fold(dy * x, s.shape), fold(dy, b.shape)
    return y, vjp
""", ("s", "g.sum(axis=axis, keepdims=True)", "g.sum(axis=axis)", "keepdims"),
     ("s", "g.sum(axis=axis, keepdims=True)", "g.mean(axis=axis, keepdims=True)", "reduction|factor"),
     ("s", "fold(dy * x, s.shape)", "fold(dy * s, s.shape)", "local-derivative|operand|swapped"),
     ("b", "g = g.sum(axis=0)", "g = g[0]", "unbroadcast", "reduction|lost-path|dropped")),
    ("4,4 4 4", """
def outer_gate(x, row, col):
    y = x * row[:, None] + col[None, :]
    return y, lambda d: (d * row[:, None], (d * x).sum(1), d.sum(0))
""", ("col", "d.sum(0)", "d.sum(1)", "reduction|leak"),
     ("row", "(d * x).sum(1)", "(d * x).sum(0)", "reduction|leak"),
     ("x", "(d * row[:, None]", "(d * row", "keepdims|operand|transpose|local-derivative", "unbroadcast|permuted")),
    ("3,4,2", """
def reorder(x):
    y = x.transpose(2, 0, 1).reshape(2, 12)
    return y, lambda dy: dy.reshape(2, 3, 4).transpose(1, 2, 0)
""", ("x", "dy.reshape(2, 3, 4).transpose(1, 2, 0)", "dy.reshape(3, 4, 2)", "permuted", "head-order|leak"),
     ("x", "reshape(2, 3, 4).transpose(1, 2, 0)", "reshape(2, 4, 3).transpose(2, 1, 0)", "permuted",
      "head-order|leak")),
    ("6,3", """
def roll(x):
    return np.roll(x, 2, axis=0), lambda dy: np.roll(dy, -2, axis=0)
""", ("x", "np.roll(dy, -2, axis=0)", "np.roll(dy, 2, axis=0)", "permuted", "leak"),
     ("x", "np.roll(dy, -2, axis=0)", "dy", "permuted", "leak")),
    ("4,3 i6<4", """
def lookup(table, ids):
    def vjp(dy):
        dtable = np.zeros_like(table)
        for row, token in zip(dy, ids):
            dtable[token] += row
        return dtable, None
    return table[ids], vjp
""", ("table", "dtable[token] += row", "dtable[token] = row", "duplicate-index|overwrite"),
     ("table", "for row, token in zip(dy, ids):\n            dtable[token] += row", "dtable[ids] += dy",
      "duplicate-index", "overwrite"),
     ("table", "for row, token in zip(dy, ids):\n            dtable[token] += row",
      "dtable[:] = dy[np.argsort(ids)][:4]", "duplicate-index|permuted|overwrite|leak", "dropped|shape")),
    ("4,5 i4<5", """
def pick(x, k):
    rows = np.arange(len(k))
    def vjp(dy):
        dx = np.zeros(x.shape)
        dx[rows, k] = dy
        return dx, None
    return x[rows, k], vjp
""", ("x", "dx[rows, k] = dy", "dx[:, k] = dy[:, None]", "leak|mask"),
     ("x", "dx[rows, k] = dy", "dx[:] = dy[:, None]", "mask", "unbroadcast"),
     ("x", "dx[rows, k] = dy", "dx[rows, k] = 1", "upstream")),
    (lambda r: (r.standard_normal((6, 3)), np.array([0, 2, 1, 0, 0, 2])), """
def segment_mean(x, segment):
    K = 3
    out, count = np.zeros((K, x.shape[1])), np.zeros(K)
    for n, k in enumerate(segment):
        out[k] += x[n]
        count[k] += 1
    count = np.maximum(count, 1)
    def vjp(dy):
        dx = np.empty_like(x)
        for n, k in enumerate(segment):
            dx[n] = dy[k] / count[k]
        return dx, None
    return out / count[:, None], vjp
""", ("x", "dy[k] / count[k]", "dy[k]", "row-scale|reduction|local-derivative", "factor"),
     ("x", "dy[k] / count[k]", "dy[k] / K", "row-scale|reduction|local-derivative", "factor"),
     ("x", "dy[k] / count[k]", "dy[n % K] / count[k]", "leak|permuted", "operand")),
    ("5,6", """
def top_two(x):
    order = np.argsort(x, axis=1)[:, -2:]
    y = np.take_along_axis(x, order, axis=1)
    def vjp(dy):
        dx = np.zeros_like(x)
        np.put_along_axis(dx, order, dy, axis=1)
        return dx
    return y, vjp
""", ("x", "np.put_along_axis(dx, order, dy, axis=1)", "np.put_along_axis(dx, order, dy[:, ::-1], axis=1)",
      "permuted", "leak"),
     ("x", "np.put_along_axis(dx, order, dy, axis=1)", "dx[:, -2:] = dy", "permuted", "leak|mask|dropped")),
    ("3,4 3,2", """
def join(a, b):
    cut = a.shape[1]
    def vjp(dy):
        da, db = np.split(dy, [cut], axis=1)
        return da, 3 * db
    return np.concatenate([a, 3 * b], axis=1), vjp
""", ("b", "return da, 3 * db", "return da, db", "factor"),
     ("a", "np.split(dy, [cut], axis=1)", "(dy[:, -cut:], dy[:, :-cut])", "permuted|leak",
      "local-derivative|gate-order")),
    ("5", """
def vandermonde(x):
    y = np.stack([np.ones_like(x), x, x ** 2, x ** 3])
    def vjp(dy):
        dx = np.zeros_like(x)
        for k in range(1, 4):
            dx += k * x ** (k - 1) * dy[k]
        return dx
    return y, vjp
""", ("x", "k * x ** (k - 1)", "x ** (k - 1)", "local-derivative", "lost-path"),
     ("x", "dx += k", "dx = k", "overwrite|lost-path"),
     ("x", "range(1, 4)", "range(1, 3)", "lost-path|overwrite", "dropped")),
]
