"""Whole layers and small networks as straight formulas with mistakes; see ``blind_mistakes.py``."""

CASES = [
    ("5,4 4,6 6 6,3 3 i5<3", """
def two_layer_net(X, W1, b1, W2, b2, y):
    N = X.shape[0]
    a1 = X @ W1 + b1
    h = np.maximum(0, a1)
    scores = h @ W2 + b2
    shifted = scores - scores.max(axis=1, keepdims=True)
    probs = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    reg = 0.1
    loss = -np.log(probs[range(N), y]).mean() + reg * (np.sum(W1 ** 2) + np.sum(W2 ** 2))
    def backward(dloss):
        ds = probs.copy()
        ds[range(N), y] -= 1
        ds = dloss * ds / N
        dW2 = h.T @ ds + 2 * reg * W2 * dloss
        db2 = ds.sum(axis=0)
        dh = ds @ W2.T
        dh[a1 <= 0] = 0
        dW1 = X.T @ dh + 2 * reg * W1 * dloss
        return dh @ W1.T, dW1, dh.sum(axis=0), dW2, db2, None
    return loss, backward
""", ("W1", " + 2 * reg * W1 * dloss", "", "missing-term|lost-path|overwrite"),
     ("W2", "2 * reg * W2 * dloss", "reg * W2 * dloss", "missing-term", "factor|lost-path"),
     ("b1", "        dh[a1 <= 0] = 0\n", "", "mask|local-derivative"),
     ("W1", "2 * reg * W1 * dloss", "2 * reg * W1", "upstream", "missing-term"),
     ("X", "dh[a1 <= 0] = 0", "dh[a1 > 0] = 0", "inverted-mask|mask|local-derivative", "dropped|operand"),
     ("b1", "dh[a1 <= 0] = 0", "dh[h < 0] = 0", "mask|local-derivative"),
     ("W2", "h.T @ ds + 2", "a1.T @ ds + 2", "operand|local-derivative|mask", "lost-path")),
    ("4,3 3,5 5,5 5,1", """
def mlp(x, A, B, C):
    weights, acts = [A, B, C], [x]
    for i, W in enumerate(weights):
        z = acts[-1] @ W
        acts.append(z if i == 2 else np.tanh(z))
    def vjp(delta):
        grads = [None] * 3
        for i in range(2, -1, -1):
            if i < 2:
                delta = delta * (1 - acts[i + 1] ** 2)
            grads[i] = acts[i].T @ delta
            delta = delta @ weights[i].T
        return (delta, *grads)
    return acts[-1], vjp
""", ("A", "(1 - acts[i + 1] ** 2)", "(1 - acts[i] ** 2).mean()", "local-derivative"),
     ("B", "if i < 2:", "if i < 1:", "local-derivative"),
     ("C", "if i < 2:", "if i < 3:", "local-derivative"),
     ("x", "delta @ weights[i].T\n        return", "delta @ weights[i].T / len(x)\n        return", "factor|reduction"),
     ("A", "return (delta, *grads)", "return (delta, grads[0] * 0, *grads[1:])", "zero"),
     ("B", "grads[i] = acts[i].T @ delta", "grads[i] = np.tanh(acts[i]).T @ delta", "local-derivative|operand")),
    ("4,3 3,3 3 3", """
def pre_norm_block(x, W, g, b):
    m = x.mean(1, keepdims=True)
    s = np.sqrt(((x - m) ** 2).mean(1, keepdims=True) + 1e-5)
    n = (x - m) / s
    u = n * g + b
    z = u @ W
    y = x + np.maximum(z, 0)
    def vjp(dy):
        dz = dy * (z > 0)
        dW = u.T @ dz
        du = dz @ W.T
        dn = du * g
        dx = (dn - dn.mean(1, keepdims=True) - n * (dn * n).mean(1, keepdims=True)) / s
        return dy + dx, dW, (du * n).sum(0), du.sum(0)
    return y, vjp
""", ("x", "return dy + dx, dW", "return dx, dW", "lost-path|overwrite|missing-term"),
     ("x", "return dy + dx, dW", "return dy, dW", "lost-path|overwrite"),
     ("x", " - n * (dn * n).mean(1, keepdims=True)", "", "variance-term|lost-path", "missing-term|overwrite"),
     ("W", "dW = u.T @ dz", "dW = n.T @ dz", "operand|local-derivative", "lost-path"),
     ("b", "du = dz @ W.T", "du = dz @ W", "operand"),
     ("g", "(du * n).sum(0)", "(dz * n).sum(0)", "operand|local-derivative"),
     ("x", "dn = du * g", "dn = du", "local-derivative")),
    ("5,3 5 3 .", """
def logistic_regression(X, y, w, b):
    t = (y > 0) * 1.0
    L = 0.0
    for i in range(len(X)):
        p = 1 / (1 + np.exp(-(X[i] @ w + b)))
        L -= t[i] * np.log(p) + (1 - t[i]) * np.log(1 - p)
    def vjp(g):
        dX, dw, db = np.zeros_like(X), np.zeros_like(w), 0.0
        for i in range(len(X)):
            p = 1 / (1 + np.exp(-(X[i] @ w + b)))
            d = g * (p - t[i])
            dX[i] = d * w
            dw += d * X[i]
            db += d
        return dX, np.zeros_like(y), dw, np.asarray(db)
    return L / len(X) * len(X), vjp
""", ("w", "g * (p - t[i])", "g * (t[i] - p)", "sign"),
     ("w", "dw += d * X[i]", "dw += d * X[i] * p * (1 - p)", "local-derivative", "row-scale"),
     ("w", "g * (p - t[i])", "g * p", "missing-term|lost-path"),
     ("b", "np.asarray(db)", "np.asarray(db / len(X))", "factor|reduction"),
     ("X", "dX[i] = d * w", "dX[i] = d * X[i]", "swapped|operand|local-derivative"),
     ("w", "g * (p - t[i])", "p - t[i]", "upstream")),
    ("6,4 4,2 2,4 2 4", """
class Autoencoder:
    def __init__(self, We, Wd, be, bd):
        self.We, self.Wd, self.be, self.bd = We, Wd, be, bd
    def loss(self, x):
        self.x = x
        self.code = self.encode(x)
        self.r = self.code @ self.Wd + self.bd - x
        return 0.5 * np.sum(self.r ** 2) / len(x)
    def encode(self, x):
        return 1 / (1 + np.exp(-(x @ self.We + self.be)))
    def gradients(self, g):
        dr = g * self.r / len(self.x)
        dcode = dr @ self.Wd.T
        dz = dcode * self.code * (1 - self.code)
        dx = dz @ self.We.T - dr
        return dx, self.x.T @ dz, self.code.T @ dr, dz.sum(0), dr.sum(0)
def autoencoder(x, We, Wd, be, bd):
    model = Autoencoder(We, Wd, be, bd)
    return model.loss(x), model.gradients
""", ("x", "dz @ self.We.T - dr", "dz @ self.We.T", "lost-path|missing-term|overwrite"),
     ("x", "dz @ self.We.T - dr", "dz @ self.We.T + dr", "sign|missing-term"),
     ("We", "dcode * self.code * (1 - self.code)", "dcode * self.code", "local-derivative"),
     ("bd", "dr.sum(0)\n", "dr.sum(0) / len(self.x)\n", "factor|reduction"),
     ("Wd", "self.code.T @ dr", "self.code.T @ dr * 2", "factor"),
     ("be", "dr @ self.Wd.T", "dr @ self.We", "operand")),
    ("5,3 3,2 3,2 5,2", """
def vae_bottleneck(x, Wm, Wl, noise):
    mu, logvar = x @ Wm, x @ Wl
    std = np.exp(0.5 * logvar)
    z = mu + std * noise
    def vjp(dz):
        dstd = dz * noise
        dlogvar = dstd * std * 0.5
        return dz @ Wm.T + dlogvar @ Wl.T, x.T @ dz, x.T @ dlogvar, dz * std
    return z, vjp
""", ("Wl", "dstd * std * 0.5", "dstd * std", "factor|local-derivative"),
     ("Wl", "dstd * std * 0.5", "dstd * 0.5", "local-derivative"),
     ("x", " + dlogvar @ Wl.T", "", "lost-path|overwrite|missing-term"),
     ("Wl", "dstd = dz * noise", "dstd = dz", "local-derivative|operand"),
     ("noise", "dz * std\n", "dz * logvar\n", "local-derivative|operand")),
    ("4,4 4,3 3,3 3,3", """
def graph_convolution(adj, H, W, V):
    n = len(adj)
    deg = np.zeros(n)
    for i in range(n):
        deg[i] = 1 + np.sum(adj[i] ** 2)
    A = adj ** 2 / deg[:, None]
    Z = A @ H @ W + H @ V
    def vjp(dY):
        dZ = dY * np.cos(Z)
        AH = A @ H
        dW = AH.T @ dZ
        dV = H.T @ dZ
        dA = dZ @ W.T @ H.T
        dH = A.T @ dZ @ W.T + dZ @ V.T
        dadj = np.zeros_like(adj)
        for i in range(n):
            ddeg = -np.sum(dA[i] * adj[i] ** 2) / deg[i] ** 2
            dadj[i] = 2 * adj[i] * (dA[i] / deg[i] + ddeg)
        return dadj, dH, dW, dV
    return np.sin(Z), vjp
""", ("H", "A.T @ dZ @ W.T", "A @ dZ @ W.T", "operand"),
     ("adj", "(dA[i] / deg[i] + ddeg)", "(dA[i] / deg[i])", "lost-path|overwrite|missing-term",
      "mean-term|variance-term"),
     ("W", "AH.T @ dZ", "H.T @ dZ", "operand|local-derivative|lost-path|swapped"),
     ("H", " + dZ @ V.T", "", "lost-path|overwrite|missing-term"),
     ("V", "dY * np.cos(Z)", "dY", "local-derivative"),
     ("adj", "dA[i] / deg[i] + ddeg", "dA[i] + ddeg", "row-scale|local-derivative", "lost-path|missing-term")),
    ("3,4 4,4 4,4 4,4 4,4 4", """
def transformer_block(x, Wq, Wk, Wv, Wf, g):
    def rms(a):
        return np.sqrt((a ** 2).mean(-1, keepdims=True) + 1e-6)
    r = rms(x)
    n = x / r * g
    q, k, v = n @ Wq, n @ Wk, n @ Wv
    s = np.where(np.tril(np.ones((3, 3))) > 0, q @ k.T / 2.0, -1e9)
    p = np.exp(s - s.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    h = x + p @ v
    f = np.tanh(h @ Wf)
    y = h + f
    def vjp(dy):
        df = dy * (1 - f ** 2)
        dWf = h.T @ df
        dh = dy + df @ Wf.T
        dv = p.T @ dh
        dp = dh @ v.T
        ds = p * (dp - (p * dp).sum(1, keepdims=True)) / 2.0
        dq, dk = ds @ k, ds.T @ q
        dn = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
        dxhat = dn * g
        xhat = x / r
        dx = (dxhat - xhat * (dxhat * xhat).mean(-1, keepdims=True)) / r
        return dx + dh, n.T @ dq, n.T @ dk, n.T @ dv, dWf, (dn * xhat).sum(0)
    return y, vjp
""", ("Wv", "dh = dy + df @ Wf.T", "dh = df @ Wf.T", "lost-path"),
     ("x", "return dx + dh,", "return dx + dy,", "lost-path"),
     ("Wq", "keepdims=True)) / 2.0", "keepdims=True))", "factor"),
     ("x", "dq @ Wq.T + dk @ Wk.T + dv", "dq @ Wq.T + dv", "lost-path|overwrite|missing-term"),
     ("Wk", "ds.T @ q", "ds @ q", "operand"),
     ("g", "(dn * xhat).sum(0)", "(dn * x).sum(0)", "local-derivative|operand", "row-scale"),
     ("Wf", "dy * (1 - f ** 2)", "dy * (1 - f)", "local-derivative"),
     ("Wk", "(p * dp).sum(1, keepdims=True)) / 2", "(p * dp).sum()) / 2", "leak|reduction")),
    ("4,5 5,3 .", """
def scaled_prototypes(x, P, log_scale):
    D = np.zeros((4, 3))
    for n in range(4):
        for k in range(3):
            D[n, k] = np.sum((x[n] - P[:, k]) ** 2)
    scale = np.exp(log_scale)
    z = -scale * D
    p = np.exp(z - z.max(1, keepdims=True))
    p = p / p.sum(1, keepdims=True)
    def vjp(dp):
        dz = p * (dp - np.sum(dp * p, axis=1, keepdims=True))
        dD = -scale * dz
        dx, dP = np.zeros_like(x), np.zeros_like(P)
        for n in range(4):
            for k in range(3):
                dx[n] += 2 * dD[n, k] * (x[n] - P[:, k])
                dP[:, k] -= 2 * dD[n, k] * (x[n] - P[:, k])
        return dx, dP, np.asarray(-np.sum(dz * D) * scale)
    return p, vjp
""", ("P", "dP[:, k] -= 2", "dP[:, k] += 2", "sign"),
     ("x", "dx[n] += 2", "dx[n] = 2", "overwrite|lost-path"),
     ("log_scale", "-np.sum(dz * D) * scale", "-np.sum(dz * D)", "factor|local-derivative"),
     ("x", "dD = -scale * dz", "dD = -dz", "factor|local-derivative"),
     ("P", "(dp - np.sum(dp * p, axis=1, keepdims=True))", "(1 - p) * dp", "softmax-diagonal"),
     ("log_scale", "-np.sum(dz * D) * scale", "-np.mean(dz * D) * scale", "reduction|factor")),
    ("5,3 3,4 4,3", """
def tied_maxout(x, U, V):
    u, v = x @ U, x @ V.T
    top = u > v
    def vjp(dy):
        du = np.where(top, dy, 0)
        dv = np.where(top, 0, dy)
        dx = du @ U.T
        dx = dx + dv @ V
        return dx, x.T @ du, dv.T @ x
    return np.maximum(u, v), vjp
""", ("x", "dx = dx + dv @ V", "dx = dv @ V", "overwrite|lost-path"),
     ("V", "dv = np.where(top, 0, dy)", "dv = np.where(top, dy, 0)", "inverted-mask|mask|local-derivative",
      "operand|swapped"),
     ("U", "du = np.where(top, dy, 0)", "du = dy", "mask|local-derivative"),
     ("V", "dv.T @ x", "(x.T @ dv)", "shape|transpose")),
]
