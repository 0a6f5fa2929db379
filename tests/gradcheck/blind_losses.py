"""Softmax, losses, distances and divergences with mistakes; ``blind_mistakes.py`` says what each entry means."""

CASES = [
    ("4,5", """
def softmax(z):
    def one(row):
        e = np.exp(row - row.max())
        return e / e.sum()
    p = np.array([one(row) for row in z])
    def vjp(dp):
        dz = np.zeros_like(z)
        for n in range(len(z)):
            J = np.diag(p[n]) - np.outer(p[n], p[n])
            dz[n] = J @ dp[n]
        return dz
    return p, vjp
""", ("z", "np.diag(p[n]) - np.outer(p[n], p[n])", "np.diag(p[n] - p[n] ** 2)", "softmax-diagonal"),
     ("z", "np.diag(p[n]) - np.outer(p[n], p[n])", "np.diag(p[n])", "lost-path|missing-term|softmax-diagonal",
      "local-derivative|overwrite|mean-term"),
     ("z", "np.diag(p[n]) - np.outer(p[n], p[n])", "np.diag(p[n]) + np.outer(p[n], p[n])", "missing-term",
      "sign|lost-path")),
    ("4,4", """
def softmax_batch(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, lambda dp: p * (dp - (p * dp).sum(axis=1, keepdims=True))
""", ("z", "(p * dp).sum(axis=1, keepdims=True)", "(p * dp).sum(axis=1)", "keepdims|leak", "operand|transpose"),
     ("z", "(p * dp).sum(axis=1, keepdims=True)", "(p * dp).sum(axis=0, keepdims=True)", "reduction|leak"),
     ("z", "(p * dp).sum(axis=1, keepdims=True)", "(p * dp).mean(axis=1, keepdims=True)", "reduction",
      "missing-term"),
     ("z", "(p * dp).sum(axis=1, keepdims=True)", "dp.sum(axis=1, keepdims=True)", "local-derivative|missing-term",
      "softmax-diagonal|lost-path")),
    ("4,5", """
def log_softmax(z):
    shifted = z - z.max(axis=-1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    def vjp(dy):
        return dy - np.exp(logp) * dy.sum(axis=-1, keepdims=True)
    return logp, vjp
""", ("z", "dy - np.exp(logp) * dy.sum(axis=-1, keepdims=True)", "dy - np.exp(logp) * dy",
      "softmax-diagonal|reduction|lost-path", "missing-term"),
     ("z", " - np.exp(logp) * dy.sum(axis=-1, keepdims=True)", "", "lost-path|missing-term|overwrite", "mean-term"),
     ("z", "dy - np.exp(logp) * dy.sum(axis=-1, keepdims=True)", "dy - np.exp(logp)", "upstream")),
    ("5,4 i5<4", """
def cross_entropy(logits, targets):
    N = len(targets)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(N), targets]).mean()
    def backward(dloss):
        d = p.copy()
        d[np.arange(N), targets] -= 1
        return d * dloss / N, None
    return loss, backward
""", ("logits", "        d[np.arange(N), targets] -= 1\n", "", "missing-term", "lost-path"),
     ("logits", "d[np.arange(N), targets] -= 1", "d[:, targets] -= 1", "leak"),
     ("logits", "dloss / N", "dloss", "factor|reduction"),
     ("logits", "targets] -= 1", "targets] += 1", "missing-term", "sign"),
     ("logits", "dloss / N", "1.0 / N", "upstream"),
     ("logits", "p.copy()", "p", "mutates"),
     ("logits", "d * dloss / N", "-d * dloss / N", "sign")),
    ("6,3 i6<3 +3", """
def weighted_nll(logits, targets, w):
    logp = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    total, norm = 0.0, 0.0
    for n, t in enumerate(targets):
        total -= w[t] * logp[n, t]
        norm += w[t]
    loss = total / norm
    def vjp(g):
        dlogits, dw = np.zeros_like(logits), np.zeros_like(w)
        for n, t in enumerate(targets):
            onehot = np.eye(len(w))[t]
            dlogits[n] = g * w[t] / norm * (np.exp(logp[n]) - onehot)
            dw[t] += g * (-logp[n, t] - loss) / norm
        return dlogits, None, dw
    return loss, vjp
""", ("logits", "g * w[t] / norm", "g / norm", "row-scale|local-derivative"),
     ("w", "(-logp[n, t] - loss)", "-logp[n, t]", "lost-path|overwrite|missing-term", "mean-term"),
     ("w", "dw[t] += g", "dw[t] = g", "overwrite|duplicate-index"),
     ("logits", "/ norm * (np", "/ len(targets) * (np", "factor|local-derivative")),
    ("5,3 5,3", """
def bce_with_logits(z, t):
    loss = np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))
    s = 1 / (1 + np.exp(-z))
    return loss.mean(), lambda g: (g * (s - t) / z.size, -g * z / z.size)
""", ("z", "(s - t)", "(s - t) * s * (1 - s)", "local-derivative"),
     ("z", "(s - t) / z.size", "(s - t) / len(z)", "factor|reduction"),
     ("t", "-g * z", "g * z", "sign"),
     ("z", "(s - t)", "s", "missing-term|lost-path|local-derivative", "overwrite")),
    ("u5 5", """
def bce(p, z):
    t = (z > 0).astype(float)
    eps = 1e-3
    total = 0.0
    for pi, ti in zip(p, t):
        if ti == 1:
            total -= np.log(pi + eps)
        else:
            total -= np.log(1 - pi + eps)
    def vjp(g):
        dp = np.empty_like(p)
        for i in range(len(p)):
            if t[i] == 1:
                dp[i] = -g / (p[i] + eps)
            else:
                dp[i] = g / (1 - p[i] + eps)
        return dp, np.zeros_like(z)
    return total, vjp
""", ("p", "dp[i] = g / (1 - p[i] + eps)", "dp[i] = -g / (1 - p[i] + eps)", "sign|missing-term|local-derivative"),
     ("p", "dp[i] = g / (1 - p[i] + eps)", "dp[i] = 0", "dropped|lost-path"),
     ("p", "-g / (p[i] + eps)", "-g / p[i] ** 2", "local-derivative")),
    ("4,3 4,3", """
def mse(prediction, target):
    diff = prediction - target
    def vjp(g):
        d = 2 * g * diff / diff.size
        return d, -d
    return np.mean(diff ** 2), vjp
""", ("target", "return d, -d", "return d, d", "sign|swapped"),
     ("prediction", "2 * g * diff / diff.size", "2 * g * diff / len(diff)", "factor|reduction"),
     ("prediction", "2 * g * diff", "2 * g * np.abs(diff)", "sign|local-derivative", "missing-term"),
     ("prediction", "2 * g * diff / diff.size", "2 * g * prediction / diff.size",
      "missing-term|lost-path|local-derivative",
      "overwrite")),
    ("5,3 5,3", """
DELTA = 0.8
def huber(a, b):
    r = a - b
    small = np.abs(r) <= DELTA
    loss = np.where(small, 0.5 * r ** 2, DELTA * (np.abs(r) - 0.5 * DELTA))
    def vjp(dy):
        dr = np.where(small, r, DELTA * np.sign(r)) * dy
        return dr, -dr
    return loss, vjp
""", ("a", "DELTA * np.sign(r)) * dy", "DELTA) * dy", "sign|local-derivative", "factor"),
     ("a", "np.where(small, r, DELTA * np.sign(r)) * dy", "np.where(small, r, 0) * dy", "dropped"),
     ("b", "np.where(small, r, DELTA * np.sign(r)) * dy", "r * dy", "local-derivative", "mask"),
     ("a", "np.where(small, r, DELTA * np.sign(r))", "np.where(small, r, np.sign(r))", "local-derivative", "factor")),
    ("6,4 i6<4", """
def multiclass_hinge(scores, y):
    N = scores.shape[0]
    loss = 0.0
    dscores = np.zeros_like(scores)
    for i in range(N):
        for j in range(scores.shape[1]):
            if j == y[i]:
                continue
            margin = scores[i, j] - scores[i, y[i]] + 1
            if margin > 0:
                loss += margin / N
                dscores[i, j] += 1 / N
                dscores[i, y[i]] -= 1 / N
    return loss, lambda g: (g * dscores, None)
""", ("scores", "                dscores[i, y[i]] -= 1 / N\n", "", "missing-term|lost-path|dropped|overwrite"),
     ("scores", "dscores[i, y[i]] -= 1 / N", "dscores[i, y[i]] = -1 / N", "overwrite|missing-term|lost-path", "mask"),
     ("scores", "dscores[i, y[i]] -= 1 / N", "dscores[i, y[i]] += 1 / N", "missing-term|sign"),
     ("scores", "(g * dscores, None)", "(dscores, None)", "upstream")),
    ("4,3 4,3 4,3", """
def triplet(anchor, positive, negative):
    dp = ((anchor - positive) ** 2).sum(1)
    dn = ((anchor - negative) ** 2).sum(1)
    active = (dp - dn + 2.0) > 0
    def vjp(g):
        g = g * active
        ga = 2 * g[:, None] * (negative - positive)
        gp = -2 * g[:, None] * (anchor - positive)
        gn = 2 * g[:, None] * (anchor - negative)
        return ga, gp, gn
    return np.maximum(dp - dn + 2.0, 0), vjp
""", ("anchor", "2 * g[:, None] * (negative - positive)", "2 * g[:, None] * (anchor - positive)",
      "lost-path|overwrite|missing-term"),
     ("negative", "gn = 2 *", "gn = -2 *", "sign"),
     ("positive", "(anchor - positive)\n        gn", "(positive - anchor)\n        gn", "sign"),
     ("negative", "return ga, gp, gn", "return ga, gn, gp", "swapped")),
    ("p4,3 p4,3", """
def kl(p, q):
    value = (p * (np.log(p) - np.log(q))).sum(axis=-1)
    def vjp(g):
        g = g[:, None]
        return g * (np.log(p) - np.log(q) + 1), -g * p / q
    return value, vjp
""", ("p", " + 1)", ")", "missing-term|lost-path|overwrite|local-derivative", "mean-term"),
     ("q", "-g * p / q", "g * p / q", "sign"),
     ("q", "-g * p / q", "-g / q", "local-derivative|operand"),
     ("p", "(np.log(p) - np.log(q) + 1)", "(np.log(p) - np.log(q) - 1)", "missing-term", "mean-term|sign")),
    ("5,3 5,3", """
def kl_to_standard_normal(mu, logvar):
    out = 0.0
    for n in range(len(mu)):
        out += -0.5 * np.sum(1 + logvar[n] - mu[n] ** 2 - np.exp(logvar[n]))
    out /= len(mu)
    def vjp(g):
        dmu = g * mu / len(mu)
        dlogvar = 0.5 * g * (np.exp(logvar) - 1) / len(mu)
        return dmu, dlogvar
    return out, vjp
""", ("logvar", "(np.exp(logvar) - 1)", "np.exp(logvar)", "missing-term|lost-path|overwrite|local-derivative",
      "mean-term"),
     ("mu", "g * mu", "2 * g * mu", "factor"),
     ("logvar", "(np.exp(logvar) - 1) / len(mu)", "(np.exp(logvar) - 1)", "factor|reduction"),
     ("logvar", "(np.exp(logvar) - 1)", "(logvar - 1)", "local-derivative", "missing-term")),
    ("4,3 5,3", """
def pairwise(X, Y):
    diff = X[:, None, :] - Y[None, :, :]
    D = np.sqrt((diff ** 2).sum(-1))
    def vjp(G):
        w = (G / D)[:, :, None] * diff
        return w.sum(axis=1), -w.sum(axis=0)
    return D, vjp
""", ("Y", "-w.sum(axis=0)", "w.sum(axis=0)", "sign"),
     ("X", "w.sum(axis=1), -", "w.mean(axis=1), -", "reduction|factor"),
     ("X", "(G / D)", "(2 * G)", "local-derivative"),
     ("Y", "-w.sum(axis=0)", "-w[0]", "unbroadcast|lost-path|overwrite", "reduction|dropped")),
    ("4,3 4,3", """
def cosine(a, b):
    na = np.linalg.norm(a, axis=1, keepdims=True)
    nb = np.linalg.norm(b, axis=1, keepdims=True)
    c = (a * b).sum(1, keepdims=True) / (na * nb)
    def vjp(g):
        g = g[:, None]
        da = g * (b / (na * nb) - c * a / na ** 2)
        db = g * (a / (na * nb) - c * b / nb ** 2)
        return da, db
    return c[:, 0], vjp
""", ("a", " - c * a / na ** 2", "", "lost-path|variance-term|overwrite", "missing-term"),
     ("b", "c * b / nb ** 2", "c * b / nb", "local-derivative|row-scale|variance-term", "lost-path|missing-term"),
     ("a", "(b / (na * nb) - c * a / na ** 2)", "(b - c * a / na ** 2 * nb * na)", "row-scale|local-derivative")),
    ("4,3 4,3", """
def info_nce(a, b):
    tau = 0.5
    S = a @ b.T / tau
    P = np.exp(S - S.max(1, keepdims=True))
    P = P / P.sum(1, keepdims=True)
    loss = -np.mean(np.log(np.diag(P)))
    def vjp(g):
        dS = g * (P - np.eye(len(a))) / len(a)
        return dS @ b / tau, dS.T @ a / tau
    return loss, vjp
""", ("b", "dS.T @ a", "dS @ a", "operand"),
     ("a", "dS @ b / tau", "dS @ b", "factor"),
     ("a", "(P - np.eye(len(a)))", "(P - 1)", "missing-term|mask|leak"),
     ("a", "(P - np.eye(len(a)))", "P", "missing-term|lost-path")),
    ("5,4 i5<4", """
GAMMA = 2.0
def focal(logits, t):
    rows = np.arange(len(t))
    e = np.exp(logits)
    p = e / e.sum(1, keepdims=True)
    pt = p[rows, t]
    loss = -((1 - pt) ** GAMMA) * np.log(pt)
    def vjp(dy):
        dpt = GAMMA * (1 - pt) ** (GAMMA - 1) * np.log(pt) - (1 - pt) ** GAMMA / pt
        dp = np.zeros_like(p)
        dp[rows, t] = dpt * dy
        return p * (dp - np.sum(p * dp, axis=1, keepdims=True)), None
    return loss, vjp
""", ("logits", "GAMMA * (1 - pt) ** (GAMMA - 1) * np.log(pt) - ", "-",
      "lost-path|row-scale|overwrite|missing-term|local-derivative"),
     ("logits", "(1 - pt) ** (GAMMA - 1)", "(1 - pt) ** GAMMA", "local-derivative|row-scale", "lost-path"),
     ("logits", "p * (dp - np.sum(p * dp, axis=1, keepdims=True))", "p * (1 - p) * dp", "softmax-diagonal|dropped",
      "lost-path")),
    ("4,5 i4<5", """
def smoothed_ce(x, y):
    K, a = x.shape[1], 0.1
    logp = x - np.logaddexp.reduce(x, axis=1, keepdims=True)
    q = np.full(x.shape, a / K)
    for n in range(len(y)):
        q[n, y[n]] += 1 - a
    def vjp(dy):
        return dy[:, None] * (np.exp(logp) - q), None
    return -(q * logp).sum(1), vjp
""", ("x", "(np.exp(logp) - q)", "(np.exp(logp) - np.eye(K)[y])", "missing-term", "local-derivative"),
     ("x", "dy[:, None] * (np", "(np", "upstream"),
     ("x", "(np.exp(logp) - q)", "(logp - q)", "local-derivative", "missing-term")),
]
