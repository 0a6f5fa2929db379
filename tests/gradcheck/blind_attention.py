"""Attention, heads, embeddings, positions and gates with mistakes; ``blind_mistakes.py`` says what each entry means."""

CASES = [
    ("4,3 4,3 4,3", """
def attention(Q, K, V):
    d = Q.shape[1]
    S = Q @ K.T / np.sqrt(d)
    A = np.exp(S - S.max(1, keepdims=True))
    A /= A.sum(1, keepdims=True)
    def vjp(dO):
        dV = A.T @ dO
        dA = dO @ V.T
        dS = A * (dA - (A * dA).sum(1, keepdims=True)) / np.sqrt(d)
        return dS @ K, dS.T @ Q, dV
    return A @ V, vjp
""", ("V", "A.T @ dO", "A @ dO", "operand"),
     ("K", "dS.T @ Q", "dS @ Q", "operand"),
     ("Q", "keepdims=True)) / np.sqrt(d)", "keepdims=True))", "factor"),
     ("Q", "A * (dA - (A * dA).sum(1, keepdims=True))", "A * (1 - A) * dA", "softmax-diagonal"),
     ("K", "dA - (A * dA).sum(1, keepdims=True)", "dA - dA.sum(1, keepdims=True)", "local-derivative|missing-term",
      "softmax-diagonal|lost-path|mean-term"),
     ("Q", "dS @ K, dS.T @ Q, dV", "dS.T @ Q, dS @ K, dV", "swapped"),
     ("K", "return dS @ K, dS.T @ Q, dV", "return dS @ K, dS.T @ K, dV", "operand")),
    ("5,3 5,3 5,4", """
def causal_attention(q, k, v):
    T, d = q.shape
    out, weights = np.zeros((T, v.shape[1])), []
    for t in range(T):
        s = k[:t + 1] @ q[t] / d ** 0.5
        w = np.exp(s - s.max())
        w = w / w.sum()
        weights.append(w)
        out[t] = w @ v[:t + 1]
    def vjp(do):
        dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        for t in range(T):
            w = weights[t]
            dw = v[:t + 1] @ do[t]
            ds = w * (dw - w @ dw) / d ** 0.5
            dq[t] = ds @ k[:t + 1]
            dk[:t + 1] += np.outer(ds, q[t])
            dv[:t + 1] += np.outer(w, do[t])
        return dq, dk, dv
    return out, vjp
""", ("v", "dv[:t + 1] += np", "dv[:t + 1] = np", "overwrite|lost-path"),
     ("k", "dk[:t + 1] += np.outer(ds, q[t])", "dk[t] += ds[t] * q[t]", "lost-path|overwrite|dropped"),
     ("q", "(dw - w @ dw)", "dw", "lost-path|missing-term|softmax-diagonal", "local-derivative|overwrite"),
     ("k", "np.outer(ds, q[t])", "np.outer(ds, k[t])", "operand"),
     ("v", "np.outer(w, do[t])", "np.outer(w, do[0])", "leak|operand"),
     ("q", "w * (dw - w @ dw) / d ** 0.5", "w * (dw - w @ dw) / d", "factor")),
    ("2,4,3 2,4,3 2,4,3", """
NEG = -1e9
def masked_attention(q, k, v):
    lengths = [4, 2]
    mask = np.arange(4)[None, :] < np.array(lengths)[:, None]
    s = np.einsum("bid,bjd->bij", q, k) / np.sqrt(3)
    s = np.where(mask[:, None, :], s, NEG)
    p = np.exp(s - s.max(-1, keepdims=True))
    p = p / p.sum(-1, keepdims=True)
    o = np.einsum("bij,bjd->bid", p, v)
    def vjp(do):
        dv = np.einsum("bij,bid->bjd", p, do)
        dp = np.einsum("bid,bjd->bij", do, v)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(3)
        return np.einsum("bij,bjd->bid", ds, k), np.einsum("bij,bid->bjd", ds, q), dv
    return o, vjp
""", ("k", "(dp * p).sum(-1, keepdims=True)", "(dp * p).sum(1, keepdims=True)", "reduction|leak"),
     ("k", "ds = p * (dp", "ds = (p + ~mask[:, None, :]) * (dp", "mask", "leak"),
     ("v", '"bij,bid->bjd", p, do', '"bji,bid->bjd", p, do', "operand", "mask|dropped"),
     ("k", '"bij,bid->bjd", ds, q', '"bij,cid->bjd", ds, q', "leak|operand|reduction")),
    ("4,6 6,6 6,6", """
def split_heads(a, H):
    T, C = a.shape
    return a.reshape(T, H, C // H).transpose(1, 0, 2)
def merge_heads(a):
    H, T, D = a.shape
    return a.transpose(1, 0, 2).reshape(T, H * D)
def self_attention(x, Wqk, Wv):
    H = 2
    q, v = split_heads(x @ Wqk, H), split_heads(x @ Wv, H)
    s = q @ q.transpose(0, 2, 1) / np.sqrt(3)
    a = np.exp(s - s.max(-1, keepdims=True))
    a /= a.sum(-1, keepdims=True)
    y = merge_heads(a @ v)
    def vjp(dy):
        do = split_heads(dy, H)
        dv = a.transpose(0, 2, 1) @ do
        da = do @ v.transpose(0, 2, 1)
        ds = a * (da - (a * da).sum(-1, keepdims=True)) / np.sqrt(3)
        dq = ds @ q + ds.transpose(0, 2, 1) @ q
        dQ, dV = merge_heads(dq), merge_heads(dv)
        return dQ @ Wqk.T + dV @ Wv.T, x.T @ dQ, x.T @ dV
    return y, vjp
""", ("Wv", "do = split_heads(dy, H)", "do = dy.reshape(H, 4, 3)", "head-order", "permuted|leak"),
     ("Wqk", "dq = ds @ q + ds.transpose(0, 2, 1) @ q", "dq = ds @ q", "lost-path|overwrite|missing-term"),
     ("x", "dQ @ Wqk.T + dV @ Wv.T", "dQ @ Wqk.T", "lost-path|overwrite|missing-term"),
     ("Wqk", "merge_heads(dq), ", "dq.reshape(4, 6), ", "head-order", "permuted|leak"),
     ("x", "dQ @ Wqk.T + dV @ Wv.T", "dQ @ Wv.T + dV @ Wqk.T", "operand|swapped"),
     ("Wv", "x.T @ dV", "x.T @ dy", "local-derivative|lost-path|operand")),
    ("3,4 4,3,2 4,3,2 4,3,2 3,2,4", """
def multi_head(x, Wq, Wk, Wv, Wo):
    y = np.zeros_like(x)
    saved = []
    for h in range(Wq.shape[1]):
        q, k, v = x @ Wq[:, h], x @ Wk[:, h], x @ Wv[:, h]
        s = q @ k.T
        p = np.exp(s - s.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        o = p @ v
        saved.append((q, k, v, p, o))
        y = y + o @ Wo[h]
    def vjp(dy):
        dx, dWq, dWk, dWv, dWo = (np.zeros_like(m) for m in (x, Wq, Wk, Wv, Wo))
        for h, (q, k, v, p, o) in enumerate(saved):
            dWo[h] = o.T @ dy
            do = dy @ Wo[h].T
            dv, dp = p.T @ do, do @ v.T
            ds = p * (dp - (p * dp).sum(1, keepdims=True))
            dq, dk = ds @ k, ds.T @ q
            dWq[:, h], dWk[:, h], dWv[:, h] = x.T @ dq, x.T @ dk, x.T @ dv
            dx += dq @ Wq[:, h].T + dk @ Wk[:, h].T + dv @ Wv[:, h].T
        return dx, dWq, dWk, dWv, dWo
    return y, vjp
""", ("x", "dx += dq @", "dx = dq @", "overwrite|lost-path"),
     ("x", " + dk @ Wk[:, h].T", "", "lost-path|overwrite|missing-term"),
     ("Wv", "dy @ Wo[h].T", "dy @ Wo[0].T", "operand"),
     ("Wo", "o.T @ dy", "v.T @ dy", "operand|local-derivative", "lost-path"),
     ("Wq", "dq, dk = ds @ k, ds.T @ q", "dk, dq = ds @ k, ds.T @ q", "swapped", "operand"),
     ("Wk", "x.T @ dk", "x.T @ dq", "swapped|operand")),
    ("5,3 4,3 i2,4<5", """
def embed(tokens, positions, ids):
    B, T = ids.shape
    out = np.zeros((B, T, tokens.shape[1]))
    for b in range(B):
        for t in range(T):
            out[b, t] = tokens[ids[b, t]] + positions[t]
    def vjp(d):
        dtokens, dpositions = np.zeros_like(tokens), np.zeros_like(positions)
        for b in range(B):
            for t in range(T):
                dtokens[ids[b, t]] += d[b, t]
                dpositions[t] += d[b, t]
        return dtokens, dpositions, None
    return out, vjp
""", ("tokens", "dtokens[ids[b, t]] += d[b, t]", "dtokens[ids[b, t]] = d[b, t]", "duplicate-index|overwrite"),
     ("positions", "dpositions[t] += d[b, t]", "dpositions[t] = d[b, t]",
      "overwrite|unbroadcast|duplicate-index|lost-path",
      "dropped"),
     ("positions", "dpositions[t] += d[b, t]", "dpositions[t] += d[b, t] / B", "reduction|factor"),
     ("tokens", "dtokens[ids[b, t]] += d[b, t]", "dtokens[t] += d[b, t]", "permuted|leak|operand", "mask")),
    ("4,6", """
def rotary(x):
    T, D = x.shape
    angles = np.outer(np.arange(T) + 1, 10.0 ** (-np.arange(D // 2) / (D // 2)))
    cos, sin = np.cos(angles), np.sin(angles)
    def turn(a, sign):
        out = np.empty_like(a)
        out[:, 0::2] = a[:, 0::2] * cos - sign * a[:, 1::2] * sin
        out[:, 1::2] = sign * a[:, 0::2] * sin + a[:, 1::2] * cos
        return out
    return turn(x, 1), lambda dy: turn(dy, -1)
""", ("x", "turn(dy, -1)", "turn(dy, 1)", "rotation"),
     ("x", "turn(dy, -1)", "turn(dy, -1) * 0 + dy", "rotation|local-derivative|lost-path", "upstream"),
     ("x", "lambda dy: turn(dy, -1)", "lambda dy: np.concatenate([dy[:, :3] * cos + dy[:, 3:] * sin, dy[:, 3:] * cos"
      " - dy[:, :3] * sin], 1)", "rotation", "leak|mask")),
    ("3,4,2", """
def rotary_half(x):
    half = x.shape[1] // 2
    a = np.linspace(0.3, 1.2, 3 * half * 2).reshape(3, half, 2)
    x1, x2 = x[:, :half], x[:, half:]
    y = np.concatenate([x1 * np.cos(a) - x2 * np.sin(a), x1 * np.sin(a) + x2 * np.cos(a)], axis=1)
    def vjp(dy):
        d1, d2 = dy[:, :half], dy[:, half:]
        return np.concatenate([d1 * np.cos(a) + d2 * np.sin(a), d2 * np.cos(a) - d1 * np.sin(a)], axis=1)
    return y, vjp
""", ("x", "d1 * np.cos(a) + d2 * np.sin(a), d2 * np.cos(a) - d1",
      "d1 * np.cos(a) - d2 * np.sin(a), d2 * np.cos(a) + d1",
      "rotation"),
     ("x", "d1 * np.cos(a) + d2 * np.sin(a), d2 * np.cos(a) - d1 * np.sin(a)",
      "d1 * np.cos(a), d2 * np.cos(a)", "rotation|lost-path", "missing-term|overwrite")),
    ("5 5 5", """
def relative_bias(query, key, bias):
    n = len(query)
    s = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            s[i, j] = query[i] * key[j] + bias[abs(i - j)]
    def vjp(ds):
        dq, dk, db = np.zeros(n), np.zeros(n), np.zeros(n)
        for i in range(n):
            for j in range(n):
                dq[i] += ds[i, j] * key[j]
                dk[j] += ds[i, j] * query[i]
                db[abs(i - j)] += ds[i, j]
        return dq, dk, db
    return s, vjp
""", ("bias", "db[abs(i - j)] += ds", "db[abs(i - j)] = ds", "duplicate-index|overwrite|lost-path"),
     ("bias", "db[abs(i - j)] += ds", "db[i - j] += ds", "permuted|leak|operand"),
     ("key", "dk[j] += ds[i, j] * query[i]", "dk[j] += ds[j, i] * query[i]", "leak|operand|transpose", "permuted"),
     ("query", "ds[i, j] * key[j]", "ds[i, j] * query[i]", "local-derivative|operand|swapped")),
    ("4,6 3,3", """
def glu(x, W):
    a, b = x[:, :3], x[:, 3:]
    s = 1 / (1 + np.exp(-b))
    h = a * s
    def vjp(dy):
        dh = dy @ W.T
        da = dh * s
        db = dh * a * s * (1 - s)
        return np.hstack([da, db]), h.T @ dy
    return h @ W, vjp
""", ("x", "np.hstack([da, db])", "np.hstack([db, da])", "gate-order|permuted", "leak"),
     ("x", "dh * a * s * (1 - s)", "dh * a * s", "local-derivative"),
     ("x", "dh * a * s * (1 - s)", "dh * s * (1 - s)", "local-derivative"),
     ("W", "h.T @ dy", "a.T @ dy", "operand|local-derivative"),
     ("x", "dy @ W.T", "dy @ W", "operand")),
    ("4,3 3,5 3,5 5,3", """
class SwiGLU:
    def __call__(self, x, gate, up, down):
        self.saved = x, gate, up, down
        self.g, self.u = x @ gate, x @ up
        self.s = self.g / (1 + np.exp(-self.g))
        return (self.s * self.u) @ down
    def grad(self, dy):
        x, gate, up, down = self.saved
        sg = 1 / (1 + np.exp(-self.g))
        dm = dy @ down.T
        du = dm * self.s
        dg = dm * self.u * (sg + self.g * sg * (1 - sg))
        return dg @ gate.T + du @ up.T, x.T @ dg, x.T @ du, (self.s * self.u).T @ dy
def swiglu(x, gate, up, down):
    f = SwiGLU()
    return f(x, gate, up, down), f.grad
""", ("x", "dg @ gate.T + du @ up.T", "du @ up.T", "lost-path|overwrite|missing-term"),
     ("gate", "(sg + self.g * sg * (1 - sg))", "sg", "lost-path|local-derivative|overwrite|missing-term"),
     ("up", "du = dm * self.s", "du = dm * sg", "local-derivative"),
     ("gate", "dm * self.u *", "dm *", "local-derivative"),
     ("gate", "x.T @ dg, x.T @ du", "x.T @ du, x.T @ dg", "swapped")),
    ("4,5 5,3 5,3,2 3,2", """
def mixture(x, router, experts, b):
    z = x @ router
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    each = np.zeros((len(x), 3, 2))
    for e in range(3):
        each[:, e] = x @ experts[:, e] + b[e]
    def vjp(dy):
        dx, dexperts = np.zeros_like(x), np.zeros_like(experts)
        db, dp = np.zeros_like(b), np.zeros_like(p)
        for e in range(3):
            g = p[:, e:e + 1] * dy
            dx += g @ experts[:, e].T
            dexperts[:, e] = x.T @ g
            db[e] = g.sum(0)
            dp[:, e] = (dy * each[:, e]).sum(1)
        dz = p * (dp - (p * dp).sum(1, keepdims=True))
        return dx + dz @ router.T, x.T @ dz, dexperts, db
    return np.einsum("ne,neo->no", p, each), vjp
""", ("x", "dx + dz @ router.T", "dx", "lost-path|overwrite|missing-term"),
     ("experts", "dexperts[:, e] = x.T @ g", "dexperts[:, e] = x.T @ dy", "local-derivative|row-scale", "operand"),
     ("router", "x.T @ dz", "x.T @ (p * (1 - p) * dp)", "softmax-diagonal"),
     ("x", "dx += g @", "dx = g @", "overwrite|lost-path"),
     ("b", "db[e] = g.sum(0)", "db[e] = g.sum()", "reduction|leak")),
]
