"""Padded sequences, recursions over states and sequence losses with mistakes; see ``blind_mistakes.py``."""

import numpy as np

CASES = [
    ("3,4 4,4 5,4", """
def logsumexp(a, axis):
    m = a.max(axis=axis, keepdims=True)
    return np.squeeze(m, axis) + np.log(np.exp(a - m).sum(axis=axis))
def hmm(start, A, emit):
    first = start[0]
    T = len(emit)
    alpha = np.zeros((T, 4))
    alpha[0] = first + emit[0]
    for t in range(1, T):
        alpha[t] = logsumexp(alpha[t - 1][:, None] + A, 0) + emit[t]
    total = logsumexp(alpha[-1], 0)
    def vjp(g):
        dA, demit = np.zeros_like(A), np.zeros_like(emit)
        da = g * np.exp(alpha[-1] - total)
        for t in range(T - 1, 0, -1):
            demit[t] = da
            w = np.exp(alpha[t - 1][:, None] + A + emit[t] - alpha[t])
            dA += w * da
            da = w @ da
        demit[0] = da
        dstart = np.zeros_like(start)
        dstart[0] = da
        return dstart, dA, demit
    return total, vjp
""", ("A", "dA += w * da", "dA = w * da", "overwrite|lost-path"),
     ("emit", "da = w @ da", "da = da @ w", "operand"),
     ("A", "dA += w * da", "dA += w * da[:, None]", "operand|keepdims|local-derivative|transpose"),
     ("emit", "        demit[0] = da\n", "", "dropped|lost-path"),
     ("start", "dstart[0] = da", "dstart[:] = da", "mask"),
     ("A", "g * np.exp(alpha[-1] - total)", "g * np.exp(alpha[-1])", "factor|local-derivative"),
     ("start", "da = w @ da", "pass", "lost-path|operand|local-derivative")),
    ("p4 p4,4 p6,4", """
def forward_probability(pi, A, B):
    T = len(B)
    a = [pi * B[0]]
    for t in range(1, T):
        a.append((a[-1] @ A) * B[t])
    def vjp(g):
        beta = np.full(4, float(g))
        dA, dB = np.zeros_like(A), np.zeros_like(B)
        for t in range(T - 1, 0, -1):
            dB[t] = (a[t - 1] @ A) * beta
            dA += np.outer(a[t - 1], B[t] * beta)
            beta = A @ (B[t] * beta)
        dB[0] = pi * beta
        return B[0] * beta, dA, dB
    return a[-1].sum(), vjp
""", ("A", "np.outer(a[t - 1], B[t] * beta)", "np.outer(a[t - 1], beta)", "local-derivative"),
     ("pi", "return B[0] * beta", "return beta", "local-derivative"),
     ("B", "(a[t - 1] @ A) * beta", "a[t] * beta", "local-derivative", "operand"),
     ("A", "beta = A @ (B[t] * beta)", "beta = A.T @ (B[t] * beta)", "operand"),
     ("A", "dA += np.outer", "dA -= np.outer", "sign"),
     ("B", "beta = A @ (B[t] * beta)", "beta = A @ beta", "local-derivative", "lost-path")),
    ("5,3 4,3 i3<3", """
def crf(unary, transition, tags):
    T = 3
    a = [unary[0]]
    for t in range(1, T):
        s = a[-1][:, None] + transition[:3]
        a.append(np.log(np.exp(s).sum(0)) + unary[t])
    log_z = np.log(np.exp(a[-1]).sum())
    score = unary[0, tags[0]]
    for t in range(1, T):
        score = score + transition[tags[t - 1], tags[t]] + unary[t, tags[t]]
    def vjp(g):
        du, dtr = np.zeros_like(unary), np.zeros_like(transition)
        b = g * np.exp(a[-1] - log_z)
        for t in range(T - 1, 0, -1):
            du[t] += b
            joint = np.exp(a[t - 1][:, None] + transition[:3] + unary[t] - a[t]) * b
            dtr[:3] += joint
            b = joint.sum(axis=1)
        du[0] += b
        for t in range(T):
            du[t, tags[t]] -= g
            if t > 0:
                dtr[tags[t - 1], tags[t]] -= g
        return du, dtr, None
    return log_z - score, vjp
""", ("unary", "            du[t, tags[t]] -= g\n", "", "missing-term|lost-path", "overwrite"),
     ("transition", "dtr[tags[t - 1], tags[t]] -= g", "dtr[tags[t], tags[t - 1]] -= g",
      "missing-term|transpose|permuted",
      "leak|mask"),
     ("unary", "b = joint.sum(axis=1)", "b = joint.sum(axis=0)", "reduction|operand|lost-path", "leak"),
     ("unary", "du[t, tags[t]] -= g", "du[t, tags[t]] += g", "missing-term", "sign"),
     ("transition", "dtr[:3] += joint", "dtr[:3] = joint", "overwrite|lost-path")),
    (lambda r: (r.standard_normal((3, 5, 2)), np.array([5, 2, 3])), """
def masked_mean(x, lengths):
    mask = np.arange(x.shape[1])[None, :] < lengths[:, None]
    y = (x * mask[..., None]).sum(1) / lengths[:, None]
    def vjp(dy):
        dx = np.zeros_like(x)
        for n, L in enumerate(lengths):
            dx[n, :L] = dy[n] / L
        return dx, None
    return y, vjp
""", ("x", "dx[n, :L] = dy[n] / L", "dx[n] = dy[n] / L", "mask"),
     ("x", "dx[n, :L] = dy[n] / L", "dx[n, :L] = dy[n] / x.shape[1]", "row-scale|reduction|local-derivative"),
     ("x", "dx[n, :L] = dy[n] / L", "dx[n, :L] = dy[n]", "row-scale|reduction|local-derivative"),
     ("x", "dx[n, :L] = dy[n] / L", "dx[n, L - 1] = dy[n] / L", "dropped|lost-path"),
     ("x", "dx[n, :L] = dy[n] / L", "dx[n, L:] = dy[n] / L", "inverted-mask")),
    (lambda r: (r.standard_normal((2, 4, 3)), r.integers(0, 3, (2, 4)), np.array([[1, 1, 1, 0], [1, 1, 0, 0]])), """
def sequence_loss(logits, targets, mask):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    count = mask.sum()
    loss = 0.0
    B, T, V = logits.shape
    for b in range(B):
        for t in range(T):
            if not mask[b, t]:
                continue
            loss -= np.log(p[b, t, targets[b, t]]) / count
    def vjp(g):
        d = p.copy()
        for b in range(B):
            for t in range(T):
                d[b, t, targets[b, t]] -= 1
        return g * d * mask[..., None] / count, None, None
    return loss, vjp
""", ("logits", "d * mask[..., None] / count", "d / count", "mask"),
     ("logits", "mask[..., None] / count", "mask[..., None] / mask.size", "factor|reduction"),
     ("logits", "d[b, t, targets[b, t]] -= 1", "d[b, :, targets[b, t]] -= 1", "leak"),
     ("logits", "d[b, t, targets[b, t]] -= 1", "d[b, t] -= 1", "missing-term|leak"),
     ("logits", "d * mask[..., None]", "d * (1 - mask[..., None])", "inverted-mask"),
     ("logits", "return g * d * mask", "return d * mask", "upstream")),
    (lambda r: (r.standard_normal((3, 4, 2)), r.standard_normal((2, 2)), np.array([4, 1, 3])), """
def last_valid(x, W, lengths):
    B, T, H = x.shape
    h = np.zeros((T + 1, B, H))
    for t in range(T):
        new = np.tanh(x[:, t] + h[t] @ W)
        alive = (t < lengths)[:, None]
        h[t + 1] = np.where(alive, new, h[t])
    def vjp(g):
        dx, dW = np.zeros_like(x), np.zeros_like(W)
        for t in reversed(range(T)):
            alive = (t < lengths)[:, None]
            new = np.tanh(x[:, t] + h[t] @ W)
            dz = np.where(alive, g, 0) * (1 - new ** 2)
            dx[:, t] = dz
            dW += h[t].T @ dz
            g = dz @ W.T + np.where(alive, 0, g)
        return dx, dW, None
    return h[T], vjp
""", ("x", "dz @ W.T + np.where(alive, 0, g)", "dz @ W.T", "lost-path|dropped"),
     ("x", "np.where(alive, g, 0) * (1", "g * (1", "mask"),
     ("W", "dW += h[t].T", "dW += h[t + 1].T", "operand|local-derivative"),
     ("W", "dz @ W.T + np.where(alive, 0, g)", "dz @ W.T + g", "leak|lost-path|local-derivative|mask", "overwrite")),
    ("4,5 4,5", """
def alignment(a, b):
    n = a.shape[0]
    cost = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            cost[i, j] = np.sum((a[i] - b[j]) ** 2)
    D = np.full((n + 1, n + 1), 1e6)
    D[0, 0] = 0
    def softmin(*v):
        v = -np.array(v)
        return -(v.max() + np.log(np.exp(v - v.max()).sum()))
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            D[i, j] = cost[i - 1, j - 1] + softmin(D[i - 1, j], D[i, j - 1], D[i - 1, j - 1])
    def vjp(g):
        E = np.zeros((n + 2, n + 2))
        E[n, n] = g
        dcost = np.zeros((n, n))
        for i in range(n, 0, -1):
            for j in range(n, 0, -1):
                dcost[i - 1, j - 1] = E[i, j]
                m = D[i, j] - cost[i - 1, j - 1]
                for k, l in ((i - 1, j), (i, j - 1), (i - 1, j - 1)):
                    E[k, l] += E[i, j] * np.exp(m - D[k, l])
        diff = a[:, None] - b[None]
        w = 2 * dcost[..., None] * diff
        return w.sum(1), -w.sum(0)
    return D[n, n], vjp
""", ("a", "E[k, l] += E", "E[k, l] = E", "overwrite|lost-path"),
     ("b", "w.sum(1), -w.sum(0)", "w.sum(1), w.sum(0)", "sign"),
     ("a", "(i - 1, j), (i, j - 1), (i - 1, j - 1)):", "(i - 1, j - 1),):", "lost-path", "dropped"),
     ("a", "w = 2 * dcost", "w = dcost", "factor"),
     ("b", "-w.sum(0)", "-w.sum(1)", "reduction|leak|swapped|sign")),
    ("6,4 4 4", """
def pooled_by_attention(x, query, bias):
    scores = np.empty(len(x))
    for t in range(len(x)):
        scores[t] = x[t] @ query
    w = np.exp(scores - scores.max())
    w /= w.sum()
    def vjp(dy):
        dw = x @ dy
        ds = w * (dw - w @ dw)
        dx = np.outer(w, dy)
        for t in range(len(x)):
            dx[t] += ds[t] * query
        return dx, x.T @ ds, dy
    return w @ x + bias, vjp
""", ("x", "dx[t] += ds[t] * query", "dx[t] = ds[t] * query", "overwrite|lost-path"),
     ("x", "        for t in range(len(x)):\n            dx[t] += ds[t] * query\n", "",
      "lost-path|overwrite|missing-term"),
     ("query", "ds = w * (dw - w @ dw)", "ds = w * (1 - w) * dw", "softmax-diagonal"),
     ("query", "ds = w * (dw - w @ dw)", "ds = w * dw", "lost-path|missing-term|softmax-diagonal",
      "local-derivative|overwrite"),
     ("query", "x.T @ ds", "x.T @ dw", "local-derivative|lost-path", "softmax-diagonal")),
    ("u5 5", """
def discounted(gammas, rewards):
    R, out = 0.0, np.zeros(5)
    for t in range(4, -1, -1):
        R = rewards[t] + gammas[t] * R
        out[t] = R
    def vjp(dR):
        dg, dr, carry = np.zeros(5), np.zeros(5), 0.0
        for t in range(5):
            g = dR[t] + carry
            dr[t] = g
            if t < 4:
                dg[t] = g * out[t + 1]
            carry = g * gammas[t]
        return dg, dr
    return out, vjp
""", ("rewards", "carry = g * gammas[t]", "carry = g", "local-derivative", "lost-path"),
     ("gammas", "g * out[t + 1]", "g * out[t]", "local-derivative|operand"),
     ("rewards", "g = dR[t] + carry", "g = dR[t]", "lost-path"),
     ("gammas", "for t in range(5):", "for t in range(4, -1, -1):", "leak|lost-path|permuted", "operand"),
     ("rewards", "dr[t] = g\n", "dr[t] = g * rewards[t]\n", "local-derivative")),
]
