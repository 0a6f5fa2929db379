"""Normalizations and dropout with mistakes; ``blind_mistakes.py`` says what each entry means."""

CASES = [
    ("4,5 5 5", """
def layer_norm(x, gamma, beta):
    mu = x.mean(-1, keepdims=True)
    sigma = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    xhat = (x - mu) / sigma
    def vjp(dy):
        g = dy * gamma
        mean_g = g.mean(-1, keepdims=True)
        mean_gx = (g * xhat).mean(-1, keepdims=True)
        dx = (g - mean_g - xhat * mean_gx) / sigma
        return dx, (dy * xhat).sum(0), dy.sum(0)
    return gamma * xhat + beta, vjp
""", ("x", "g - mean_g - xhat", "g - xhat", "mean-term|lost-path", "missing-term|overwrite"),
     ("x", " - xhat * mean_gx", "", "variance-term|lost-path", "missing-term|overwrite"),
     ("x", "g = dy * gamma", "g = dy", "local-derivative"),
     ("x", "/ sigma\n        return", "/ sigma ** 2\n        return", "row-scale|local-derivative"),
     ("gamma", "(dy * xhat).sum(0)", "(dy * x).sum(0)", "local-derivative|operand", "lost-path|missing-term|mean-term"),
     ("x", "(g * xhat).mean(-1, keepdims=True)", "(g * xhat).sum(-1, keepdims=True)", "variance-term|reduction"),
     ("x", "(g * xhat).mean(-1, keepdims=True)", "(g * xhat).mean()", "variance-term|leak|reduction")),
    ("6,4 4 4", """
class BatchNorm:
    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta
    def forward(self, x):
        self.x = x
        self.mean = x.mean(axis=0)
        self.var = x.var(axis=0)
        self.inv = 1 / np.sqrt(self.var + 1e-5)
        self.xhat = (x - self.mean) * self.inv
        return self.gamma * self.xhat + self.beta
    def backward(self, dout):
        N = len(self.x)
        dxhat = dout * self.gamma
        centered = self.x - self.mean
        dvar = np.sum(dxhat * centered, axis=0) * -0.5 * self.inv ** 3
        dmean = -np.sum(dxhat, axis=0) * self.inv
        dx = dxhat * self.inv + dvar * 2 * centered / N + dmean / N
        return dx, np.sum(dout * self.xhat, axis=0), np.sum(dout, axis=0)
def batch_norm(x, gamma, beta):
    bn = BatchNorm(gamma, beta)
    return bn.forward(x), bn.backward
""", ("x", "self.inv + dvar * 2 * centered / N + dmean", "self.inv + dmean", "variance-term|lost-path",
      "missing-term|overwrite"),
     ("x", " + dmean / N", "", "mean-term|lost-path", "missing-term|overwrite"),
     ("x", "-0.5 * self.inv ** 3", "-0.5 * self.inv ** 2", "variance-term", "local-derivative|lost-path"),
     ("x", "dvar * 2 * centered / N", "dvar * 2 * centered", "variance-term|reduction", "factor"),
     ("x", "-np.sum(dxhat, axis=0)", "np.sum(dxhat, axis=0)", "mean-term", "sign|missing-term"),
     ("gamma", "np.sum(dout * self.xhat, axis=0)", "np.mean(dout * self.xhat, axis=0)", "reduction|factor"),
     ("beta", "np.sum(dout, axis=0)\n", "np.sum(dout)\n", "shape|reduction|leak", "unbroadcast")),
    ("4,6 6", """
def rms_norm(x, w):
    r = np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    n = x / r
    def vjp(dy):
        g = dy * w
        dx = (g - n * (g * n).mean(-1, keepdims=True)) / r
        dw = (dy * n).sum(0)
        return dx, dw
    return n * w, vjp
""", ("x", "(g - n * (g * n).mean(-1, keepdims=True)) / r", "g / r", "variance-term|lost-path",
      "missing-term|overwrite"),
     ("x", "(g - n *", "(g - g.mean(-1, keepdims=True) - n *", "mean-term"),
     ("x", "(g * n).mean(-1, keepdims=True)) / r", "(g * n).mean(-1, keepdims=True))", "row-scale|local-derivative"),
     ("w", "(dy * n).sum(0)", "(g * n).sum(0)", "local-derivative"),
     ("x", "(g - n * (g", "(g - x * (g", "variance-term", "local-derivative|lost-path|row-scale")),
    ("4,5", """
def unit_rows(x):
    out = np.empty_like(x)
    norms = np.empty(len(x))
    for i, row in enumerate(x):
        norms[i] = np.linalg.norm(row)
        out[i] = row / norms[i]
    def vjp(dy):
        dx = np.empty_like(x)
        for i in range(len(x)):
            along = out[i] @ dy[i]
            dx[i] = (dy[i] - along * out[i]) / norms[i]
        return dx
    return out, vjp
""", ("x", "(dy[i] - along * out[i])", "dy[i]", "variance-term|lost-path", "missing-term|overwrite"),
     ("x", "out[i]) / norms[i]", "out[i])", "row-scale|local-derivative"),
     ("x", "out[i]) / norms[i]", "out[i]) / norms[i] ** 2", "row-scale|local-derivative"),
     ("x", "along * out[i]", "along * x[i]", "variance-term", "local-derivative|missing-term|lost-path")),
    ("+4,5", """
def share(x):
    s = x.sum(1, keepdims=True)
    y = x / s
    return y, lambda dy: (dy - (dy * y).sum(1, keepdims=True)) / s
""", ("x", "(dy - (dy * y).sum(1, keepdims=True)) / s", "dy / s", "mean-term|lost-path", "missing-term|overwrite"),
     ("x", "(dy * y).sum(1, keepdims=True)) / s", "(dy * y).sum(1, keepdims=True))", "row-scale|local-derivative"),
     ("x", "(dy * y).sum(1, keepdims=True)", "(dy * y).sum(0, keepdims=True)", "reduction|leak"),
     ("x", "(dy * y).sum(1, keepdims=True)", "(dy * y)", "lost-path|reduction",
      "softmax-diagonal|mean-term|missing-term|overwrite")),
    ("6,3", """
def standardize(x):
    mu, sd = x.mean(0), x.std(0, ddof=1)
    z = (x - mu) / sd
    def vjp(dz):
        n = len(x)
        return (dz - dz.mean(0) - z * (dz * z).sum(0) / (n - 1)) / sd
    return z, vjp
""", ("x", "/ (n - 1)) / sd", "/ n) / sd", "variance-term", "factor|reduction"),
     ("x", "(dz - dz.mean(0) - z *", "(dz - dz.mean() - z *", "mean-term|leak|reduction"),
     ("x", "(dz - dz.mean(0) - z * (dz * z).sum(0) / (n - 1)) / sd", "(dz - dz.mean(0)) / sd",
      "variance-term|lost-path",
      "missing-term|overwrite")),
    ("2,4,3 4 4", """
def group_norm(x, w, b):
    N, C, L = x.shape
    G = 2
    grouped = x.reshape(N, G, -1)
    mu = grouped.mean(2, keepdims=True)
    rstd = 1 / np.sqrt(((grouped - mu) ** 2).mean(2, keepdims=True) + 1e-5)
    xhat = ((grouped - mu) * rstd).reshape(N, C, L)
    y = xhat * w[:, None] + b[:, None]
    def vjp(dy):
        dxhat = (dy * w[:, None]).reshape(N, G, -1)
        xh = xhat.reshape(N, G, -1)
        dx = dxhat - dxhat.mean(2, keepdims=True) - xh * (dxhat * xh).mean(2, keepdims=True)
        dx = (dx * rstd).reshape(N, C, L)
        return dx, (dy * xhat).sum((0, 2)), dy.sum((0, 2))
    return y, vjp
""", ("x", " - xh * (dxhat * xh).mean(2, keepdims=True)", "", "variance-term|lost-path", "missing-term|overwrite"),
     ("x", "dxhat - dxhat.mean(2, keepdims=True) - xh", "dxhat - xh", "mean-term|lost-path", "missing-term|overwrite"),
     ("b", "dy.sum((0, 2))\n", "dy.sum(0).mean(1)\n", "reduction|factor"),
     ("x", "(dy * w[:, None]).reshape", "dy.reshape", "local-derivative")),
    ("2,3,2,2 3", """
def instance_norm(x, scale):
    y, cache = np.empty_like(x), {}
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            m, s = x[n, c].mean(), np.sqrt(x[n, c].var() + 1e-3)
            cache[n, c] = (x[n, c] - m) / s, s
            y[n, c] = scale[c] * cache[n, c][0]
    def vjp(dy):
        dx, dscale = np.zeros_like(x), np.zeros_like(scale)
        for (n, c), (h, s) in cache.items():
            g = dy[n, c] * scale[c]
            dx[n, c] = (g - g.mean() - h * (g * h).mean()) / s
            dscale[c] += np.sum(dy[n, c] * h)
        return dx, dscale
    return y, vjp
""", ("scale", "dscale[c] += np", "dscale[c] = np", "overwrite|lost-path"),
     ("x", "(g - g.mean() - h * (g * h).mean()) / s", "(g - g.mean()) / s", "variance-term|lost-path",
      "missing-term|overwrite"),
     ("x", "(g - g.mean() - h * (g * h).mean()) / s", "(g - g.mean() - h * (g * h).mean()) * s",
      "row-scale|local-derivative"),
     ("x", "g = dy[n, c] * scale[c]", "g = dy[n, c]", "local-derivative", "row-scale")),
    ("3,4,2", """
def center_time(x):
    m = x.mean(axis=1, keepdims=True)
    return (x - m) ** 2, lambda dy: 2 * ((x - m) * dy - ((x - m) * dy).mean(axis=1, keepdims=True))
""", ("x", " - ((x - m) * dy).mean(axis=1, keepdims=True))", ")", "mean-term|lost-path", "missing-term|overwrite"),
     ("x", "dy).mean(axis=1, keepdims=True))", "dy).mean(axis=2, keepdims=True))", "reduction|mean-term|leak"),
     ("x", "dy).mean(axis=1, keepdims=True))", "dy).sum(axis=1, keepdims=True))", "reduction|mean-term")),
    ("5,6", """
P = 0.4
def dropout(x):
    keep = np.random.default_rng(3).random(x.shape) >= P
    y = np.where(keep, x / (1 - P), 0)
    def vjp(dy):
        return np.where(keep, dy / (1 - P), 0)
    return y, vjp
""", ("x", "np.where(keep, dy / (1 - P), 0)", "dy / (1 - P)", "mask"),
     ("x", "np.where(keep, dy / (1 - P), 0)", "np.where(keep, dy, 0)", "factor"),
     ("x", "np.where(keep, dy / (1 - P), 0)", "np.where(keep, 0, dy / (1 - P))", "inverted-mask"),
     ("x", "np.random.default_rng(3)", "np.random.default_rng()", "nondeterministic")),
    ("4,3,2 3,3", """
def whiten(x, W):
    flat = x.reshape(4, -1)
    mean = flat.mean(0)
    h = (flat - mean).reshape(x.shape)
    y = np.einsum("nct,dc->ndt", h, W)
    def vjp(dy):
        dh = np.einsum("ndt,dc->nct", dy, W)
        dW = np.einsum("ndt,nct->dc", dy, h)
        return dh - dh.mean(0), dW
    return y, vjp
""", ("x", "return dh - dh.mean(0), dW", "return dh, dW", "mean-term|lost-path", "missing-term|overwrite"),
     ("x", '"ndt,dc->nct"', '"nct,dc->ndt"', "operand"),
     ("W", 'np.einsum("ndt,nct->dc", dy, h)', 'np.einsum("ndt,nct->dc", dy, x)', "operand|local-derivative",
      "mean-term|lost-path|missing-term")),
]
