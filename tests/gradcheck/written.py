"""Functions as learners write them, in plain NumPy, each with edits that break one of its gradients: tuned on.

Two sets, of 191 and of 149, both written before the doctor was run on them. First contact: 164 (86 %) named and 10 (5 %) misnamed
of the first; after mending what that showed, 132 (89 %) named and 3 (2 %) misnamed of the second. It was tuned on both since.

``functions.py`` reads this file and says what ``Function`` takes.
"""

Function("x:NI w:OI b:O", '''
def einsum_linear(x, w, b):
    y = np.einsum('ni,oi->no', x, w) + b
    def vjp(dy):
        dx = np.einsum('no,oi->ni', dy, w)
        dw = np.einsum('no,ni->oi', dy, x)
        db = np.einsum('no->o', dy)
        return dx, dw, db
    return y, vjp
''', ("w", "np.einsum('no,ni->oi', dy, x)", "np.einsum('no,ni->io', dy, x)", "transpose"),
         ("b", "np.einsum('no->o', dy)", "np.einsum('no->o', dy) / len(dy)", "factor|reduction"),
         ("x", "np.einsum('no,oi->ni', dy, w)", "-np.einsum('no,oi->ni', dy, w)", "sign"),
         ("w", "np.einsum('no,ni->oi', dy, x)", "np.einsum('no,ni->oi', np.ones_like(dy), x)", "upstream"))

Function("a:NI W:OIJ b:NJ", '''
def bilinear(a, W, b):
    y = np.einsum('ni,oij,nj->no', a, W, b)
    def vjp(dy):
        da = np.einsum('no,oij,nj->ni', dy, W, b)
        dW = np.einsum('no,ni,nj->oij', dy, a, b)
        db = np.einsum('no,oij,ni->nj', dy, W, a)
        return da, dW, db
    return y, vjp
''', ("W", "'no,ni,nj->oij'", "'no,ni,nj->oji'", "transpose|permuted|shape"),
         ("a", "np.einsum('no,oij,nj->ni', dy, W, b)", "np.einsum('no,oij->ni', dy, W)", "local-derivative|operand"),
         ("W", "np.einsum('no,ni,nj->oij', dy, a, b)", "np.einsum('no,ni,nj->oij', dy, a, b) / len(a)", "factor"),
         ("b", "np.einsum('no,oij,ni->nj', dy, W, a)", "np.einsum('no,oij,ni->nj', dy * dy, W, a)", "upstream"))

Function("x:NCT w:OC3 b:O", '''
def conv1d(x, w, b):
    N, C, T = x.shape
    O, _, K = w.shape
    L = T - K + 1
    y = np.zeros((N, O, L))
    for t in range(L):
        y[:, :, t] = np.tensordot(x[:, :, t:t + K], w, axes=([1, 2], [1, 2]))
    y += b[None, :, None]
    def vjp(dy):
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for t in range(L):
            dx[:, :, t:t + K] += np.tensordot(dy[:, :, t], w, axes=(1, 0))
            dw += np.tensordot(dy[:, :, t], x[:, :, t:t + K], axes=(0, 0))
        return dx, dw, dy.sum(axis=(0, 2))
    return y, vjp
''', ("x", "dx[:, :, t:t + K] +=", "dx[:, :, t:t + K] =", "overwrite"),
         ("w", "dw +=", "dw =", "overwrite|lost-path"),
         ("x", "np.tensordot(dy[:, :, t], w, axes=(1, 0))", "np.tensordot(dy[:, :, t], w[:, :, ::-1], axes=(1, 0))",
          "operand|permuted"),
         ("b", "dy.sum(axis=(0, 2))", "dy.sum(axis=0)", "shape|unbroadcast"),
         ("b", "dy.sum(axis=(0, 2))", "dy.mean(axis=(0, 2))", "factor|reduction"))

Function("x:NC6", '''
def maxpool1d(x):
    N, C, T = x.shape
    y = np.empty((N, C, T // 2))
    for t in range(T // 2):
        y[:, :, t] = x[:, :, 2 * t:2 * t + 2].max(axis=2)
    def vjp(dy):
        dx = np.zeros_like(x)
        for t in range(T // 2):
            w = x[:, :, 2 * t:2 * t + 2]
            dx[:, :, 2 * t:2 * t + 2] = (w == w.max(axis=2, keepdims=True)) * dy[:, :, t:t + 1]
        return dx
    return y, vjp
''', ("x", "(w == w.max(axis=2, keepdims=True)) * dy", "dy", "mask"),
         ("x", "(w == w.max(axis=2, keepdims=True))", "(w == w.min(axis=2, keepdims=True))", "inverted-mask"),
         ("x", "(w == w.max(axis=2, keepdims=True))", "0.5", "mask|reduction|mask factor"),
         ("x", "dy[:, :, t:t + 1]", "1", "upstream"))

Function("x:NC6", '''
def avgpool1d(x):
    y = x.reshape(x.shape[0], x.shape[1], 3, 2).mean(axis=3)
    def vjp(dy):
        return np.repeat(dy, 2, axis=2) / 2
    return y, vjp
''', ("x", "np.repeat(dy, 2, axis=2) / 2", "np.repeat(dy, 2, axis=2)", "factor|reduction"),
         ("x", "np.repeat(dy, 2, axis=2) / 2", "np.tile(dy, (1, 1, 2)) / 2", "permuted|leak|head-order"),
         ("x", "/ 2\n", "/ 3\n", "factor"))

Function("x:N6T gamma:6 beta:6", '''
def group_norm(x, gamma, beta):
    N, C, T = x.shape
    g = x.reshape(N, 2, -1)
    mu = g.mean(axis=2, keepdims=True)
    var = g.var(axis=2, keepdims=True)
    std = np.sqrt(var + 1e-5)
    xhat = ((g - mu) / std).reshape(N, C, T)
    y = gamma[:, None] * xhat + beta[:, None]
    def vjp(dy):
        dgamma = (dy * xhat).sum(axis=(0, 2))
        dbeta = dy.sum(axis=(0, 2))
        dxh = (dy * gamma[:, None]).reshape(N, 2, -1)
        xh = xhat.reshape(N, 2, -1)
        dg = (dxh - dxh.mean(axis=2, keepdims=True) - xh * (dxh * xh).mean(axis=2, keepdims=True)) / std
        return dg.reshape(N, C, T), dgamma, dbeta
    return y, vjp
''', ("x", " - dxh.mean(axis=2, keepdims=True)", "", "mean-term"),
         ("x", " - xh * (dxh * xh).mean(axis=2, keepdims=True)", "", "variance-term"),
         ("x", "(dy * gamma[:, None])", "dy", "local-derivative"),
         ("gamma", "(dy * xhat).sum(axis=(0, 2))", "(dy * x).sum(axis=(0, 2))",
          "local-derivative|operand|mean-term|missing-term"),
         ("x", ".mean(axis=2, keepdims=True)) / std", ".mean(axis=2, keepdims=True))", "local-derivative|row-scale"),
         ("gamma", "(dy * xhat).sum(axis=(0, 2))", "(dy * xhat).mean(axis=(0, 2))", "factor|reduction"))

Function("v:OI g:O x:NI", '''
def weight_norm(v, g, x):
    norm = np.sqrt(np.sum(v * v, axis=1, keepdims=True))
    u = v / norm
    W = g[:, None] * u
    y = x @ W.T
    def vjp(dy):
        dW = dy.T @ x
        dg = (dW * u).sum(axis=1)
        du = dW * g[:, None]
        dv = (du - u * (du * u).sum(axis=1, keepdims=True)) / norm
        dx = dy @ W
        return dv, dg, dx
    return y, vjp
''', ("v", " - u * (du * u).sum(axis=1, keepdims=True)", "", "variance-term|missing-term|lost-path"),
         ("v", "keepdims=True)) / norm", "keepdims=True))", "local-derivative|row-scale"),
         ("g", "(dW * u).sum(axis=1)", "(dW * v).sum(axis=1)", "local-derivative|operand|row-scale"),
         ("v", "dW * g[:, None]", "dW", "local-derivative|row-scale"),
         ("x", "dx = dy @ W", "dx = dy @ v", "local-derivative|operand"))

Function("x:T6", '''
def rope_pairs(x):
    T, D = x.shape
    ang = np.outer(np.arange(T), 10000.0 ** (-np.arange(0, D, 2) / D))
    c, s = np.cos(ang), np.sin(ang)
    y = np.empty_like(x)
    y[:, 0::2] = x[:, 0::2] * c - x[:, 1::2] * s
    y[:, 1::2] = x[:, 0::2] * s + x[:, 1::2] * c
    def vjp(dy):
        dx = np.empty_like(x)
        dx[:, 0::2] = dy[:, 0::2] * c + dy[:, 1::2] * s
        dx[:, 1::2] = -dy[:, 0::2] * s + dy[:, 1::2] * c
        return dx
    return y, vjp
''', ("x", "dx[:, 0::2] = dy[:, 0::2] * c + dy[:, 1::2] * s\n        dx[:, 1::2] = -dy[:, 0::2] * s + dy[:, 1::2] * c",
      "dx[:, 0::2] = dy[:, 0::2] * c - dy[:, 1::2] * s\n        dx[:, 1::2] = dy[:, 0::2] * s + dy[:, 1::2] * c", "rotation"),
         ("x", "-dy[:, 0::2] * s", "dy[:, 0::2] * s", "rotation|sign|missing-term"),
         ("x", "dx[:, 0::2] = dy[:, 0::2] * c + dy[:, 1::2] * s", "dx[:, 0::2] = dy[:, 0::2] * s + dy[:, 1::2] * c",
          "rotation|local-derivative|swapped"),
         ("x", "dy[:, 0::2] * c + dy[:, 1::2] * s", "dy[:, 0::2] * c", "lost-path|missing-term|rotation"))

Function("q:4TD k:2TD v:2TD", '''
def gqa(q, k, v):
    kk, vv = np.repeat(k, 2, axis=0), np.repeat(v, 2, axis=0)
    D = q.shape[-1]
    s = np.einsum('htd,hsd->hts', q, kk) / np.sqrt(D)
    s = s - s.max(axis=-1, keepdims=True)
    p = np.exp(s)
    p /= p.sum(axis=-1, keepdims=True)
    y = np.einsum('hts,hsd->htd', p, vv)
    def vjp(dy):
        dp = np.einsum('htd,hsd->hts', dy, vv)
        ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) / np.sqrt(D)
        dq = np.einsum('hts,hsd->htd', ds, kk)
        dk = np.einsum('hts,htd->hsd', ds, q)
        dv = np.einsum('hts,htd->hsd', p, dy)
        dk = dk.reshape(2, 2, *dk.shape[1:]).sum(axis=1)
        dv = dv.reshape(2, 2, *dv.shape[1:]).sum(axis=1)
        return dq, dk, dv
    return y, vjp
''', ("v", "dv.reshape(2, 2, *dv.shape[1:]).sum(axis=1)", "dv.reshape(2, 2, *dv.shape[1:]).mean(axis=1)", "factor|reduction"),
         ("k", "dk.reshape(2, 2, *dk.shape[1:]).sum(axis=1)", "dk[::2]", "overwrite|lost-path|unbroadcast|reduction"),
         ("k", "dk.reshape(2, 2, *dk.shape[1:]).sum(axis=1)", "dk.reshape(2, 2, *dk.shape[1:]).sum(axis=0)",
          "reduction|head-order|permuted"),
         ("v", "dv = dv.reshape(2, 2, *dv.shape[1:]).sum(axis=1)", "pass", "shape|unbroadcast"),
         ("q", "(dp - (dp * p).sum(axis=-1, keepdims=True))", "dp", "softmax-diagonal"),
         ("q", "keepdims=True)) / np.sqrt(D)\n        dq", "keepdims=True))\n        dq", "factor"))

Function("x:NC w1:CH w2:CH w3:HC", '''
def swiglu(x, w1, w2, w3):
    a = x @ w1
    b = x @ w2
    sig = 1 / (1 + np.exp(-a))
    act = a * sig
    h = act * b
    y = h @ w3
    def vjp(dy):
        dh = dy @ w3.T
        dact = dh * b
        db = dh * act
        da = dact * (sig + a * sig * (1 - sig))
        dx = da @ w1.T + db @ w2.T
        return dx, x.T @ da, x.T @ db, h.T @ dy
    return y, vjp
''', ("x", " + db @ w2.T", "", "overwrite|lost-path"),
         ("w1", "(sig + a * sig * (1 - sig))", "sig", "missing-term|local-derivative"),
         ("w1", "(sig + a * sig * (1 - sig))", "sig * (1 - sig)", "local-derivative|missing-term"),
         ("w2", "db = dh * act", "db = dh * a", "local-derivative|operand"),
         ("w1", "dact = dh * b", "dact = dh", "local-derivative"),
         ("w3", "h.T @ dy", "act.T @ dy", "local-derivative|operand"))

Function("x:TI wx:I8 wh:28 b:8", '''
def lstm(x, wx, wh, b):
    def sg(z):
        return 1 / (1 + np.exp(-z))
    T, H = len(x), 2
    h, c = np.zeros(H), np.zeros(H)
    hs, cs, gates = [h], [c], []
    for t in range(T):
        z = x[t] @ wx + h @ wh + b
        i, f, g, o = sg(z[:H]), sg(z[H:2*H]), np.tanh(z[2*H:3*H]), sg(z[3*H:])
        c = f * c + i * g
        h = o * np.tanh(c)
        hs.append(h); cs.append(c); gates.append((i, f, g, o))
    y = np.array(hs[1:])
    def vjp(dy):
        dx, dwx, dwh, db = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), np.zeros_like(b)
        dh, dc = np.zeros(H), np.zeros(H)
        for t in reversed(range(T)):
            i, f, g, o = gates[t]
            dh = dh + dy[t]
            tc = np.tanh(cs[t + 1])
            dc = dc + dh * o * (1 - tc ** 2)
            dz = np.concatenate([dc * g * i * (1 - i), dc * cs[t] * f * (1 - f), dc * i * (1 - g ** 2), dh * tc * o * (1 - o)])
            dx[t] = wx @ dz
            dwx += np.outer(x[t], dz)
            dwh += np.outer(hs[t], dz)
            db += dz
            dh = wh @ dz
            dc = dc * f
        return dx, dwx, dwh, db
    return y, vjp
''', ("wx", "dc = dc * f\n", "dc = dc * 0\n", "lost-path"),
         ("x", "dh = dh + dy[t]", "dh = dy[t]", "lost-path"),
         ("wh", "dwh +=", "dwh =", "overwrite|zero"),
         ("b", "dc * g * i * (1 - i), dc * cs[t] * f * (1 - f)", "dc * cs[t] * f * (1 - f), dc * g * i * (1 - i)", "gate-order"),
         ("wx", "dc * i * (1 - g ** 2)", "dc * i * g * (1 - g)", "local-derivative"),
         ("wh", "np.outer(hs[t], dz)", "np.outer(hs[t + 1], dz)", "operand|permuted|leak"),
         ("b", "db += dz", "db = dz", "overwrite|lost-path"))

Function("x:TI wx:I9 wh:39", '''
def gru(x, wx, wh):
    T, H = x.shape[0], wh.shape[0]
    h = np.zeros(H)
    saved, ys = [], np.zeros((T, H))
    for t in range(T):
        zx = x[t] @ wx
        zh = h @ wh
        r = 1 / (1 + np.exp(-(zx[:H] + zh[:H])))
        z = 1 / (1 + np.exp(-(zx[H:2*H] + zh[H:2*H])))
        n = np.tanh(zx[2*H:] + r * zh[2*H:])
        saved.append((h, r, z, n, zh[2*H:]))
        h = (1 - z) * n + z * h
        ys[t] = h
    def vjp(dy):
        dx, dwx, dwh, dh = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh), np.zeros(H)
        for t in range(T - 1, -1, -1):
            hp, r, z, n, zhn = saved[t]
            dh = dh + dy[t]
            dn = dh * (1 - z) * (1 - n ** 2)
            dzz = dh * (hp - n) * z * (1 - z)
            dr = dn * zhn * r * (1 - r)
            dzx = np.concatenate([dr, dzz, dn])
            dzh = np.concatenate([dr, dzz, dn * r])
            dx[t] = wx @ dzx
            dwx += np.outer(x[t], dzx)
            dwh += np.outer(hp, dzh)
            dh = dh * z + wh @ dzh
        return dx, dwx, dwh
    return ys, vjp
''', ("wx", "dh = dh * z + wh @ dzh", "dh = wh @ dzh", "lost-path|missing-term"),
         ("x", "dh = dh * z + wh @ dzh", "dh = dh * z", "lost-path"),
         ("wh", "np.concatenate([dr, dzz, dn * r])", "np.concatenate([dr, dzz, dn])", "local-derivative"),
         ("wx", "dzx = np.concatenate([dr, dzz, dn])", "dzx = np.concatenate([dzz, dr, dn])", "gate-order"),
         ("wx", "dh * (hp - n) * z", "dh * (n - hp) * z", "sign|missing-term|local-derivative"))

Function("z:NV t:N<V", '''
def smoothed_ce(z, t):
    N, V = z.shape
    eps = 0.1
    m = z.max(axis=1, keepdims=True)
    logp = z - m - np.log(np.exp(z - m).sum(axis=1, keepdims=True))
    q = np.full((N, V), eps / V)
    q[np.arange(N), t] += 1 - eps
    loss = -(q * logp).sum() / N
    def vjp(dL):
        return dL * (np.exp(logp) - q) / N, None
    return loss, vjp
''', ("z", "(np.exp(logp) - q) / N", "(np.exp(logp) - q)", "factor"),
         ("z", "(np.exp(logp) - q) / N", "(q - np.exp(logp)) / N", "sign"),
         ("z", "dL * (np.exp(logp) - q) / N", "(np.exp(logp) - q) / N", "upstream"),
         ("z", "dL * (np.exp(logp) - q) / N", "dL * (np.exp(logp) - np.eye(V)[t]) / N", "missing-term|local-derivative"),
         ("z", "dL * (np.exp(logp) - q) / N", "dL * -q / N", "missing-term|lost-path"))

Function("a:NV b:NV", '''
def kl(a, b):
    def soft(u):
        e = np.exp(u - u.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)
    p, q = soft(a), soft(b)
    d = np.log(p) - np.log(q)
    L = np.sum(p * d) / len(a)
    def vjp(dL):
        g = p * d
        da = (g - p * g.sum(1, keepdims=True)) * dL / len(a)
        db = (q - p) * dL / len(a)
        return da, db
    return L, vjp
''', ("b", "(q - p)", "(p - q)", "sign"),
         ("b", "db = (q - p) * dL / len(a)", "db = (q - p) * dL", "factor"),
         ("b", "db = (q - p) * dL / len(a)", "db = -p / q * dL / len(a)", "local-derivative|softmax-diagonal|missing-term"),
         ("a", "(g - p * g.sum(1, keepdims=True))", "g", "softmax-diagonal|missing-term"),
         ("a", "(g - p * g.sum(1, keepdims=True)) * dL", "(g - p * g.sum(0, keepdims=True)) * dL", "reduction"),
         ("b", "return da, db", "return db, da", "swapped"))

Function("y:BC t:BC", '''
def huber(y, t):
    d = y - t
    small = np.abs(d) <= 1.0
    loss = np.where(small, 0.5 * d ** 2, np.abs(d) - 0.5).mean()
    def vjp(g):
        grad = np.where(small, d, np.sign(d)) * g / d.size
        return grad, -grad
    return loss, vjp
''', ("y", "np.where(small, d, np.sign(d))", "np.where(small, d, 1)", "local-derivative"),
         ("y", "np.where(small, d, np.sign(d))", "np.where(small, np.sign(d), d)", "inverted-mask|local-derivative"),
         ("y", "np.where(small, d, np.sign(d))", "d", "local-derivative|mask"),
         ("t", "return grad, -grad", "return grad, grad", "sign|swapped"),
         ("y", "np.where(small, d, np.sign(d)) * g / d.size", "np.where(small, d, np.sign(d)) * g / len(d)", "factor"),
         ("y", "np.where(small, d, np.sign(d))", "np.where(small, d, 0)", "dropped"))

Function("a:NC b:NC", '''
def cosine(a, b):
    na = np.linalg.norm(a, axis=1)
    nb = np.linalg.norm(b, axis=1)
    s = (a * b).sum(axis=1) / (na * nb)
    def vjp(ds):
        ds = ds[:, None]
        da = ds * (b / (na * nb)[:, None] - s[:, None] * a / (na ** 2)[:, None])
        db = ds * (a / (na * nb)[:, None] - s[:, None] * b / (nb ** 2)[:, None])
        return da, db
    return s, vjp
''', ("a", " - s[:, None] * a / (na ** 2)[:, None]", "", "missing-term|variance-term"),
         ("b", "b / (nb ** 2)[:, None]", "b / nb[:, None]", "local-derivative|missing-term|variance-term"),
         ("a", "return da, db", "return db, da", "swapped"),
         ("a", "b / (na * nb)[:, None] -", "b / (na * nb)[:, None] +", "sign|missing-term|variance-term"))

Function("x:NC gamma:C beta:C", '''
def batchnorm(x, gamma, beta):
    N = x.shape[0]
    mu = np.mean(x, axis=0)
    xc = x - mu
    var = np.mean(xc ** 2, axis=0)
    std = np.sqrt(var + 1e-5)
    xn = xc / std
    y = gamma * xn + beta
    def vjp(dy):
        dgamma = np.sum(dy * xn, axis=0)
        dbeta = np.sum(dy, axis=0)
        dxn = dy * gamma
        dvar = np.sum(dxn * xc * -0.5 * std ** -3, axis=0)
        dmu = np.sum(-dxn / std, axis=0)
        dx = dxn / std + dvar * 2 * xc / N + dmu / N
        return dx, dgamma, dbeta
    return y, vjp
''', ("x", " + dmu / N", "", "mean-term"),
         ("x", " + dvar * 2 * xc / N", "", "variance-term"),
         ("x", "dvar * 2 * xc / N", "dvar * 2 * xc", "variance-term|factor|reduction"),
         ("x", "dvar * 2 * xc / N", "dvar * xc / N", "variance-term|factor"),
         ("x", "dmu / N", "dmu", "mean-term|factor|reduction"),
         ("x", "std ** -3", "std ** -1", "variance-term|local-derivative"),
         ("x", "dxn = dy * gamma", "dxn = dy", "local-derivative"),
         ("gamma", "np.sum(dy * xn, axis=0)", "np.sum(dy * xc, axis=0)", "local-derivative|operand"))

Function("w:VC i:BT<V", '''
def embedding_bag(w, i):
    B, T = i.shape
    out = np.zeros((B, w.shape[1]))
    for b in range(B):
        for t in range(T):
            out[b] += w[i[b, t]]
    out /= T
    def vjp(dy):
        dw = np.zeros_like(w)
        for b in range(B):
            np.add.at(dw, i[b], dy[b] / T)
        return dw, None
    return out, vjp
''', ("w", "np.add.at(dw, i[b], dy[b] / T)", "dw[i[b]] += dy[b] / T", "duplicate-index"),
         ("w", "dy[b] / T", "dy[b]", "factor|reduction"),
         ("w", "np.add.at(dw, i[b], dy[b] / T)", "dw[i[b]] = dy[b] / T", "duplicate-index|overwrite"),
         ("w", "for b in range(B):\n            np.add.at", "for b in range(1):\n            np.add.at",
          "lost-path|dropped|unbroadcast"),
         ("w", "dy[b] / T", "np.ones_like(dy[b]) / T", "upstream"))

Function("x:T6 wq:66 wk:66 wv:66 wo:66", '''
def mha(x, wq, wk, wv, wo):
    T, C = x.shape
    H, D = 2, 3
    q = (x @ wq).reshape(T, H, D).transpose(1, 0, 2)
    k = (x @ wk).reshape(T, H, D).transpose(1, 0, 2)
    v = (x @ wv).reshape(T, H, D).transpose(1, 0, 2)
    att = q @ k.transpose(0, 2, 1) / np.sqrt(D)
    mask = np.triu(np.ones((T, T), dtype=bool), 1)
    att[:, mask] = -np.inf
    att = np.exp(att - att.max(-1, keepdims=True))
    p = att / att.sum(-1, keepdims=True)
    o = (p @ v).transpose(1, 0, 2).reshape(T, C)
    y = o @ wo
    def vjp(dy):
        dwo = o.T @ dy
        do = (dy @ wo.T).reshape(T, H, D).transpose(1, 0, 2)
        dv = p.transpose(0, 2, 1) @ do
        dp = do @ v.transpose(0, 2, 1)
        ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(D)
        dq = ds @ k
        dk = ds.transpose(0, 2, 1) @ q
        dq, dk, dv = (u.transpose(1, 0, 2).reshape(T, C) for u in (dq, dk, dv))
        dx = dq @ wq.T + dk @ wk.T + dv @ wv.T
        return dx, x.T @ dq, x.T @ dk, x.T @ dv, dwo
    return y, vjp
''', ("x", "dx = dq @ wq.T + dk @ wk.T + dv @ wv.T", "dx = dq @ wq.T + dk @ wk.T", "overwrite|lost-path"),
         ("wk", "dk = ds.transpose(0, 2, 1) @ q", "dk = ds @ q", "operand"),
         ("wv", "dv = p.transpose(0, 2, 1) @ do", "dv = p @ do", "operand|leak"),
         ("wv", "do = (dy @ wo.T).reshape(T, H, D).transpose(1, 0, 2)", "do = (dy @ wo.T).reshape(H, T, D)", "head-order"),
         ("wq", "(u.transpose(1, 0, 2).reshape(T, C) for u", "(u.reshape(T, C) for u", "head-order"),
         ("wq", "(dp - (p * dp).sum(-1, keepdims=True))", "dp", "softmax-diagonal"),
         ("wo", "dwo = o.T @ dy", "dwo = dy.T @ o", "transpose"),
         ("wq", "x.T @ dq, x.T @ dk", "x.T @ dk, x.T @ dq", "swapped"),
         ("wo", "dwo = o.T @ dy", "dwo = x.T @ dy", "operand|local-derivative"))

Function("x:NC w:CC g:C", '''
def layer_scale(x, w, g):
    f = np.tanh(x @ w)
    y = x.copy()
    y += g * f
    def vjp(dy):
        df = dy * g
        dz = df * (1 - f ** 2)
        return dy + dz @ w.T, x.T @ dz, (dy * f).sum(axis=0)
    return y, vjp
''', ("x", "dy + dz @ w.T", "dz @ w.T", "lost-path|missing-term"),
         ("w", "df = dy * g", "df = dy", "local-derivative"),
         ("g", "(dy * f).sum(axis=0)", "dy * f", "unbroadcast"),
         ("g", "(dy * f).sum(axis=0)", "dy.sum(axis=0)", "local-derivative"),
         ("x", "dz @ w.T", "dz @ w", "operand"))

Function("x:NI w:HI", '''
def tied_autoencoder(x, w):
    h = 1 / (1 + np.exp(-(x @ w.T)))
    r = h @ w
    loss = 0.5 * ((r - x) ** 2).sum() / len(x)
    def vjp(dL):
        dr = (r - x) / len(x) * dL
        dh = dr @ w.T
        dz = dh * h * (1 - h)
        dw = dz.T @ x + h.T @ dr
        dx = dz @ w - dr
        return dx, dw
    return loss, vjp
''', ("w", "dz.T @ x + h.T @ dr", "h.T @ dr", "overwrite"),
         ("w", "dz.T @ x + h.T @ dr", "dz.T @ x", "overwrite"),
         ("x", "dx = dz @ w - dr", "dx = dz @ w", "overwrite|lost-path|missing-term"),
         ("x", "dx = dz @ w - dr", "dx = dz @ w + dr", "sign|missing-term"),
         ("w", "dh * h * (1 - h)", "dh * h", "local-derivative"))

Function("x:BC", '''
def elu(x):
    y = np.where(x > 0, x, np.exp(x) - 1)
    return y, lambda dy: dy * np.where(x > 0, 1.0, y + 1)
''', ("x", "np.where(x > 0, 1.0, y + 1)", "np.where(x > 0, 1.0, y)", "local-derivative"),
         ("x", "np.where(x > 0, 1.0, y + 1)", "np.where(x > 0, 1.0, 0.0)", "dropped"),
         ("x", "np.where(x > 0, 1.0, y + 1)", "(y + 1)", "local-derivative"),
         ("x", "np.where(x > 0, 1.0, y + 1)", "np.where(x < 0, 1.0, y + 1)", "inverted-mask|local-derivative"))

Function("x:BC", '''
def hardswish(x):
    r = np.clip(x + 3, 0, 6) / 6
    y = x * r
    def vjp(dy):
        inside = (x > -3) & (x < 3)
        return dy * (r + x * inside / 6)
    return y, vjp
''', ("x", "(r + x * inside / 6)", "r", "missing-term|local-derivative"),
         ("x", "(r + x * inside / 6)", "(r + inside / 6)", "local-derivative"),
         ("x", "(r + x * inside / 6)", "(r + x * inside)", "factor|missing-term|local-derivative"))

Function("x:BC", '''
def mish(x):
    sp = np.log1p(np.exp(x))
    t = np.tanh(sp)
    y = x * t
    def vjp(dy):
        s = 1 / (1 + np.exp(-x))
        return dy * (t + x * s * (1 - t * t))
    return y, vjp
''', ("x", "(t + x * s * (1 - t * t))", "t", "missing-term"),
         ("x", "x * s * (1 - t * t)", "x * (1 - t * t)", "local-derivative"),
         ("x", "x * s * (1 - t * t)", "x * s", "local-derivative"))

Function("x:T6", '''
def cumulative_mean(x):
    n = np.arange(1, len(x) + 1)[:, None]
    y = np.cumsum(x, axis=0) / n
    def vjp(dy):
        return np.cumsum((dy / n)[::-1], axis=0)[::-1]
    return y, vjp
''', ("x", "np.cumsum((dy / n)[::-1], axis=0)[::-1]", "np.cumsum(dy / n, axis=0)", "permuted|leak"),
         ("x", "(dy / n)", "dy", "local-derivative|row-scale"),
         ("x", "np.cumsum((dy / n)[::-1], axis=0)[::-1]", "np.cumsum(dy[::-1], axis=0)[::-1] / n", "local-derivative|row-scale"),
         ("x", "np.cumsum((dy / n)[::-1], axis=0)[::-1]", "dy / n", "lost-path"))

Function("a:NC p:NC n:NC", '''
def triplet(a, p, n):
    dp = ((a - p) ** 2).sum(axis=1)
    dn = ((a - n) ** 2).sum(axis=1)
    m = np.maximum(0, dp - dn + 1.0)
    def vjp(g):
        on = (g * (m > 0))[:, None]
        da = on * 2 * (n - p)
        return da, on * 2 * (p - a), on * 2 * (a - n)
    return m, vjp
''', ("a", "on = (g * (m > 0))[:, None]", "on = g[:, None]", "mask"),
         ("p", "on * 2 * (p - a)", "on * 2 * (a - p)", "sign"),
         ("n", "on * 2 * (a - n)", "on * (a - n)", "factor"),
         ("a", "on * 2 * (n - p)", "on * 2 * (a - p)", "overwrite|missing-term|lost-path"),
         ("a", "(m > 0)", "(m == 0)", "inverted-mask"))

Function("x:NV i:N<V", '''
def gather(x, i):
    y = np.take_along_axis(x, i[:, None], axis=1)[:, 0]
    def vjp(dy):
        dx = np.zeros_like(x)
        np.put_along_axis(dx, i[:, None], dy[:, None], axis=1)
        return dx, None
    return y, vjp
''', ("x", "np.put_along_axis(dx, i[:, None], dy[:, None], axis=1)", "dx[:, i] = dy[:, None]", "mask|leak"),
         ("x", "dx = np.zeros_like(x)", "dx = np.ones_like(x) * dy[:, None]", "mask"),
         ("x", "np.put_along_axis(dx, i[:, None], dy[:, None], axis=1)", "pass", "zero"),
         ("x", "np.put_along_axis(dx, i[:, None], dy[:, None], axis=1)", "dx[np.arange(len(x)), i] = 1", "upstream"))

Function("q:TD k:TD v:TE", '''
def linear_attention(q, k, v):
    T, D = q.shape
    S = np.zeros((D, v.shape[1]))
    states, y = [], np.zeros_like(v)
    for t in range(T):
        S = S + np.outer(k[t], v[t])
        states.append(S)
        y[t] = q[t] @ S
    def vjp(dy):
        dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        dS = np.zeros((D, v.shape[1]))
        for t in range(T - 1, -1, -1):
            dq[t] = states[t] @ dy[t]
            dS += np.outer(q[t], dy[t])
            dk[t] = dS @ v[t]
            dv[t] = dS.T @ k[t]
        return dq, dk, dv
    return y, vjp
''', ("k", "dS += np.outer", "dS = np.outer", "lost-path|overwrite"),
         ("q", "states[t] @ dy[t]", "states[-1] @ dy[t]", "leak|operand|local-derivative"),
         ("v", "range(T - 1, -1, -1)", "range(T)", "permuted|leak|lost-path"),
         ("k", "dk[t] = dS @ v[t]", "dk[t] += dS @ v[t - 1]", "permuted|operand|leak"))

Function("q:TA k:SA w:A", '''
def additive_scores(q, k, w):
    h = np.tanh(q[:, None, :] + k[None, :, :])
    e = h @ w
    def vjp(de):
        dh = de[:, :, None] * w
        dz = dh * (1 - h ** 2)
        return dz.sum(axis=1), dz.sum(axis=0), (de[:, :, None] * h).sum(axis=(0, 1))
    return e, vjp
''', ("q", "dz.sum(axis=1)", "dz.mean(axis=1)", "factor|reduction"),
         ("k", "(1 - h ** 2)", "(1 - h)", "local-derivative"),
         ("q", "dz.sum(axis=1), dz.sum(axis=0)", "dz.sum(axis=0), dz.sum(axis=1)", "shape|swapped|reduction"),
         ("w", "(de[:, :, None] * h).sum(axis=(0, 1))", "(de[:, :, None] * h).sum(axis=0)", "shape|unbroadcast"),
         ("k", "de[:, :, None] * w\n", "de[:, :, None]\n", "local-derivative|shape|unbroadcast|operand"))

Function("x:NV tau:", '''
def temperature_softmax(x, tau):
    u = x / tau
    e = np.exp(u - u.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    def vjp(dp):
        du = p * (dp - (p * dp).sum(axis=-1, keepdims=True))
        return du / tau, -(du * x).sum() / tau ** 2
    return p, vjp
''', ("tau", "-(du * x).sum() / tau ** 2", "(du * x).sum() / tau ** 2", "sign"),
         ("tau", "-(du * x).sum() / tau ** 2", "-(du * x) / tau ** 2", "shape|unbroadcast"),
         ("tau", "-(du * x).sum() / tau ** 2", "-(du * x).sum() / tau", "factor|local-derivative"),
         ("x", "du / tau,", "du,", "factor|local-derivative"),
         ("x", "du / tau,", "du * tau,", "factor|local-derivative"))

Function("x:NC g:CE w:ECD", '''
def moe(x, g, w):
    z = x @ g
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    outs = np.einsum('nc,ecd->ned', x, w)
    y = np.einsum('ne,ned->nd', p, outs)
    def vjp(dy):
        dp = np.einsum('nd,ned->ne', dy, outs)
        douts = np.einsum('nd,ne->ned', dy, p)
        dz = p * (dp - (p * dp).sum(1, keepdims=True))
        dx = dz @ g.T + np.einsum('ned,ecd->nc', douts, w)
        return dx, x.T @ dz, np.einsum('nc,ned->ecd', x, douts)
    return y, vjp
''', ("x", "dz @ g.T + ", "", "overwrite|lost-path"),
         ("g", "(dp - (p * dp).sum(1, keepdims=True))", "(1 - p) * dp", "softmax-diagonal"),
         ("w", "np.einsum('nd,ne->ned', dy, p)", "np.einsum('nd,ne->ned', dy, np.ones_like(p))", "local-derivative|operand"),
         ("g", "(dp - (p * dp).sum(1, keepdims=True))", "(dp - (p * dp).sum(0, keepdims=True))", "reduction"),
         ("x", "+ np.einsum('ned,ecd->nc', douts, w)", "", "overwrite|lost-path"))

Function("mu:NC lv:NC t:NC", '''
def gaussian_nll(mu, lv, t):
    iv = np.exp(-lv)
    L = 0.5 * np.mean(lv + (t - mu) ** 2 * iv)
    def vjp(dL):
        n = mu.size
        dmu = dL * (mu - t) * iv / n
        dlv = dL * 0.5 * (1 - (t - mu) ** 2 * iv) / n
        return dmu, dlv, -dmu
    return L, vjp
''', ("mu", "(mu - t) * iv / n", "(t - mu) * iv / n", "sign"),
         ("lv", "(1 - (t - mu) ** 2 * iv)", "(-(t - mu) ** 2 * iv)", "missing-term|overwrite|lost-path"),
         ("mu", "(mu - t) * iv / n", "(mu - t) / n", "local-derivative"),
         ("lv", "dL * 0.5 * (1 -", "dL * (1 -", "factor"),
         ("lv", "(1 - (t - mu) ** 2 * iv)", "(1 + (t - mu) ** 2 * iv)", "sign|missing-term"),
         ("t", "return dmu, dlv, -dmu", "return dmu, dlv, dmu", "sign|swapped"))

Function("x:TC a:", '''
def ema(x, a):
    h = np.zeros(x.shape[1])
    prev, out = [], []
    for row in x:
        prev.append(h)
        h = a * h + (1 - a) * row
        out.append(h)
    def vjp(dy):
        dx, da, dh = np.zeros_like(x), 0.0, np.zeros(x.shape[1])
        for t in range(len(x) - 1, -1, -1):
            dh = dh + dy[t]
            dx[t] = (1 - a) * dh
            da += (dh * (prev[t] - x[t])).sum()
            dh = a * dh
        return dx, da
    return np.stack(out), vjp
''', ("x", "dh = dh + dy[t]", "dh = dy[t]", "lost-path"),
         ("x", "dx[t] = (1 - a) * dh", "dx[t] = dh", "factor|local-derivative"),
         ("a", "(prev[t] - x[t])", "prev[t]", "missing-term|lost-path|overwrite"),
         ("a", "da += ", "da = ", "overwrite|lost-path"),
         ("x", "dh = a * dh", "dh = (1 - a) * dh", "local-derivative|factor|missing-term|operand"))

Function("a:NC b:MC", '''
def pairwise(a, b):
    d = np.zeros((len(a), len(b)))
    for i in range(len(a)):
        for j in range(len(b)):
            d[i, j] = np.sum((a[i] - b[j]) ** 2)
    def vjp(dd):
        da, db = np.zeros_like(a), np.zeros_like(b)
        for i in range(len(a)):
            for j in range(len(b)):
                g = 2 * dd[i, j] * (a[i] - b[j])
                da[i] += g
                db[j] -= g
        return da, db
    return d, vjp
''', ("a", "da[i] += g", "da[i] = g", "overwrite"),
         ("b", "db[j] -= g", "db[j] += g", "sign"),
         ("a", "2 * dd[i, j]", "dd[i, j]", "factor"),
         ("b", "db[j] -= g", "db[i] -= g", "leak|permuted|operand|mask|dropped|swapped|lost-path"))

Function("x:TC mu:C w:CD", '''
def time_mix(x, mu, w):
    prev = np.zeros_like(x)
    prev[1:] = x[:-1]
    z = mu * x + (1 - mu) * prev
    y = z @ w
    def vjp(dy):
        dz = dy @ w.T
        dx = mu * dz
        dx[:-1] += (1 - mu) * dz[1:]
        dmu = (dz * (x - prev)).sum(axis=0)
        return dx, dmu, z.T @ dy
    return y, vjp
''', ("x", "dx[:-1] += (1 - mu) * dz[1:]", "dx[1:] += (1 - mu) * dz[:-1]", "permuted|leak"),
         ("x", "        dx[:-1] += (1 - mu) * dz[1:]\n", "", "lost-path|overwrite"),
         ("mu", "(x - prev)", "x", "missing-term|lost-path|overwrite"),
         ("x", "dx[:-1] += (1 - mu) * dz[1:]", "dx[:-1] = (1 - mu) * dz[1:]", "overwrite"),
         ("w", "z.T @ dy", "x.T @ dy", "operand|local-derivative|missing-term"))

Function("a:MK b:KN", '''
def loop_matmul(a, b):
    M, K = a.shape
    N = b.shape[1]
    y = np.zeros((M, N))
    for i in range(M):
        for j in range(N):
            s = 0.0
            for k in range(K):
                s += a[i, k] * b[k, j]
            y[i, j] = s
    def vjp(dy):
        da, db = np.zeros((M, K)), np.zeros((K, N))
        for i in range(M):
            for j in range(N):
                for k in range(K):
                    da[i, k] += dy[i, j] * b[k, j]
                    db[k, j] += dy[i, j] * a[i, k]
        return da, db
    return y, vjp
''', ("a", "da[i, k] +=", "da[i, k] =", "overwrite"),
         ("b", "db[k, j] +=", "db[k, j] =", "overwrite"),
         ("a", "da[i, k] += dy[i, j] * b[k, j]", "da[i, k] += dy[i, j]", "local-derivative|operand"),
         ("b", "db[k, j] += dy[i, j] * a[i, k]", "db[k, j] += a[i, k]", "upstream"))

Function("x:NC m:NC?", '''
def masked_mean(x, m):
    n = m.sum(axis=1, keepdims=True) + 1e-9
    y = (x * m).sum(axis=1, keepdims=True) / n
    def vjp(dy):
        return dy * m / n, None
    return y, vjp
''', ("x", "dy * m / n", "np.broadcast_to(dy / n, x.shape)", "mask"),
         ("x", "dy * m / n", "dy * m", "local-derivative|row-scale"),
         ("x", "dy * m / n", "dy * m / x.shape[1]", "row-scale|local-derivative|reduction"),
         ("x", "dy * m / n", "dy * ~m / n", "inverted-mask"))

Function("x:NC", '''
def l2_normalize(x):
    n = np.sqrt((x ** 2).sum(axis=1, keepdims=True))
    y = x / n
    def vjp(dy):
        return (dy - y * (y * dy).sum(axis=1, keepdims=True)) / n
    return y, vjp
''', ("x", "(dy - y * (y * dy).sum(axis=1, keepdims=True)) / n", "dy / n", "variance-term|missing-term|lost-path"),
         ("x", "(y * dy).sum(axis=1, keepdims=True)", "(y * dy).mean(axis=1, keepdims=True)", "reduction|variance-term"),
         ("x", "(y * dy).sum(axis=1, keepdims=True)", "(y * dy).sum(axis=0, keepdims=True)", "reduction|leak"),
         ("x", "(y * dy).sum", "(x * dy).sum", "variance-term|local-derivative|missing-term"))

Function("x:TD w:DD u:DD", '''
def peek_rnn(x, w, u):
    h = np.zeros((len(x) + 1, w.shape[0]))
    for t in range(len(x)):
        h[t + 1] = np.tanh(np.dot(w, x[t]) + np.dot(u, h[t]))
    def vjp(dy):
        dw, du, dx = np.zeros_like(w), np.zeros_like(u), np.zeros_like(x)
        carry = np.zeros(w.shape[0])
        for t in reversed(range(len(x))):
            g = (dy + carry if t == len(x) - 1 else carry) * (1 - h[t + 1] ** 2)
            dw += np.outer(g, x[t])
            du += np.outer(g, h[t])
            dx[t] = w.T @ g
            carry = u.T @ g
        return dx, dw, du
    return h[-1].copy(), vjp
''', ("x", "carry = u.T @ g", "carry = u @ g", "operand"),
         ("w", "carry = u.T @ g", "carry = np.zeros_like(g)", "lost-path"),
         ("u", "du += np.outer(g, h[t])", "du += np.outer(g, h[t + 1])", "operand|permuted|leak"),
         ("w", "dw += np.outer(g, x[t])", "dw += np.outer(x[t], g)", "transpose"),
         ("x", "dx[t] = w.T @ g", "dx[t] = w @ g", "operand"))

Function("x:NI w:OI b:O", '''
import math
def c_like_dense(x, w, b):
    N, I = x.shape
    O = w.shape[0]
    y = [[0.0] * O for _ in range(N)]
    for n in range(N):
        for o in range(O):
            acc = float(b[o])
            for i in range(I):
                acc += float(x[n, i]) * float(w[o, i])
            y[n][o] = math.tanh(acc)
    y = np.array(y)
    def vjp(dy):
        dz = dy * (1 - y * y)
        dx = np.zeros_like(x); dw = np.zeros_like(w); db = np.zeros_like(b)
        for n in range(N):
            for o in range(O):
                db[o] += dz[n, o]
                for i in range(I):
                    dx[n, i] += dz[n, o] * w[o, i]
                    dw[o, i] += dz[n, o] * x[n, i]
        return dx, dw, db
    return y, vjp
''', ("x", "dz = dy * (1 - y * y)", "dz = dy", "local-derivative"),
         ("w", "dz = dy * (1 - y * y)", "dz = dy * (1 - y)", "local-derivative"),
         ("w", "dw[o, i] +=", "dw[o, i] =", "overwrite|lost-path"),
         ("b", "db[o] +=", "db[o] =", "overwrite|unbroadcast|lost-path"),
         ("x", "dx[n, i] +=", "dx[n, i] =", "overwrite|lost-path"),
         ("w", "dz[n, o] * x[n, i]", "dz[n, o] * x[n, i] / N", "factor|reduction"),
         ("b", "db[o] += dz[n, o]", "db[o] -= dz[n, o]", "sign"))

Function("w:VC i:BT<V", '''
def scatter_histogram(w, i):
    out = np.zeros((len(w), w.shape[1]))
    np.add.at(out, i.ravel(), w[i.ravel()] ** 2)
    def vjp(dy):
        dw = np.zeros_like(w)
        np.add.at(dw, i.ravel(), 2 * w[i.ravel()] * dy[i.ravel()])
        return dw, None
    return out, vjp
''', ("w", "np.add.at(dw, i.ravel(), 2 * w[i.ravel()] * dy[i.ravel()])", "dw[i.ravel()] = 2 * w[i.ravel()] * dy[i.ravel()]",
      "duplicate-index"),
         ("w", "2 * w[i.ravel()]", "w[i.ravel()]", "factor"),
         ("w", "2 * w[i.ravel()] *", "2 *", "local-derivative"))

Function("x:BCHW w:C33", '''
def depthwise_conv(x, w):
    B, C, H, W = x.shape
    y = np.zeros((B, C, H - 2, W - 2))
    for a in range(3):
        for b in range(3):
            y += w[None, :, a, b, None, None] * x[:, :, a:a + H - 2, b:b + W - 2]
    def vjp(dy):
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for a in range(3):
            for b in range(3):
                dx[:, :, a:a + H - 2, b:b + W - 2] += w[None, :, a, b, None, None] * dy
                dw[:, a, b] = (x[:, :, a:a + H - 2, b:b + W - 2] * dy).sum(axis=(0, 2, 3))
        return dx, dw
    return y, vjp
''', ("x", "dx[:, :, a:a + H - 2, b:b + W - 2] +=", "dx[:, :, a:a + H - 2, b:b + W - 2] =", "overwrite"),
         ("w", "dw[:, a, b] =", "dw[:, b, a] =", "transpose"),
         ("w", "* dy).sum(axis=(0, 2, 3))", "* dy).mean(axis=(0, 2, 3))", "factor|reduction"),
         ("x", "w[None, :, a, b, None, None] * dy", "w[None, :, 2 - a, 2 - b, None, None] * dy", "operand|permuted"))

Function("x:BCT gamma:C beta:C", '''
def instance_norm(x, gamma, beta):
    m = x.mean(-1, keepdims=True)
    c = x - m
    v = (c ** 2).mean(-1, keepdims=True)
    inv = (v + 1e-6) ** -0.5
    n = c * inv
    out = n * gamma[:, None] + beta[:, None]
    def vjp(d):
        T = x.shape[-1]
        dn = d * gamma[:, None]
        dinv = (dn * c).sum(-1, keepdims=True)
        dv = dinv * -0.5 * inv ** 3
        dc = dn * inv + dv * 2 * c / T
        dx = dc - dc.mean(-1, keepdims=True)
        return dx, (d * n).sum((0, 2)), d.sum((0, 2))
    return out, vjp
''', ("x", "dx = dc - dc.mean(-1, keepdims=True)", "dx = dc", "mean-term"),
         ("x", " + dv * 2 * c / T", "", "variance-term"),
         ("x", "dv = dinv * -0.5 * inv ** 3", "dv = dinv * 0.5 * inv ** 3", "variance-term|sign"),
         ("x", "dv = dinv * -0.5 * inv ** 3", "dv = dinv * -0.5 * inv", "variance-term|local-derivative"),
         ("gamma", "(d * n).sum((0, 2))", "(d * n).sum(0)", "shape|unbroadcast"),
         ("x", "dn * inv + dv", "dn + dv", "local-derivative|missing-term"))

Function("q:HTD k:HTD v:HTD slopes:H", '''
def alibi_attention(q, k, v, slopes):
    H, T, D = q.shape
    dist = -np.abs(np.arange(T)[:, None] - np.arange(T)[None, :])
    s = np.einsum('htd,hsd->hts', q, k) * D ** -0.5 + slopes[:, None, None] * dist
    s = np.where(np.tri(T, dtype=bool), s, -np.inf)
    s -= s.max(axis=-1, keepdims=True)
    e = np.exp(s)
    p = e / e.sum(axis=-1, keepdims=True)
    o = np.einsum('hts,hsd->htd', p, v)
    def vjp(do):
        dv = np.einsum('hts,htd->hsd', p, do)
        dp = np.einsum('htd,hsd->hts', do, v)
        ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True))
        dq = np.einsum('hts,hsd->htd', ds, k) * D ** -0.5
        dk = np.einsum('hts,htd->hsd', ds, q) * D ** -0.5
        return dq, dk, dv, (ds * dist).sum(axis=(1, 2))
    return o, vjp
''', ("slopes", "(ds * dist).sum(axis=(1, 2))", "(ds * -dist).sum(axis=(1, 2))", "sign"),
         ("slopes", "(ds * dist).sum(axis=(1, 2))", "(dp * dist).sum(axis=(1, 2))", "local-derivative|softmax-diagonal"),
         ("k", "np.einsum('hts,htd->hsd', ds, q)", "np.einsum('hst,htd->hsd', ds, q)", "operand"),
         ("v", "np.einsum('hts,htd->hsd', p, do)", "np.einsum('hst,htd->hsd', p, do)", "operand|leak"),
         ("q", "dp - (p * dp).sum(axis=-1, keepdims=True)", "dp - dp.sum(axis=-1, keepdims=True)",
          "missing-term|local-derivative"),
         ("q", "np.einsum('hts,hsd->htd', ds, k) * D ** -0.5", "np.einsum('hts,hsd->htd', ds, k)", "factor"),
         ("k", "np.einsum('hts,htd->hsd', ds, q) * D", "np.einsum('hts,hsd->htd', ds, k) * D", "swapped|operand"))

Function("x:BTC w:CC", '''
def prenorm_residual(x, w):
    r = np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-6)
    n = x / r
    z = n @ w
    a = np.maximum(z, 0)
    y = x + a
    def vjp(dy):
        dz = np.where(z > 0, dy, 0)
        dn = dz @ w.T
        dw = np.tensordot(n, dz, axes=((0, 1), (0, 1)))
        dx = (dn - n * np.mean(dn * n, axis=-1, keepdims=True)) / r
        return dy + dx, dw
    return y, vjp
''', ("x", "return dy + dx", "return dx", "lost-path|missing-term|overwrite"),
         ("x", " - n * np.mean(dn * n, axis=-1, keepdims=True)", "", "variance-term"),
         ("x", "np.mean(dn * n, axis=-1", "np.sum(dn * n, axis=-1", "reduction|variance-term"),
         ("w", "np.where(z > 0, dy, 0)", "dy", "mask"),
         ("w", "np.tensordot(n, dz, axes=((0, 1), (0, 1)))", "np.tensordot(x, dz, axes=((0, 1), (0, 1)))",
          "operand|local-derivative|row-scale"),
         ("x", "dn = dz @ w.T", "dn = dz @ w", "operand"),
         ("w", "np.tensordot(n, dz, axes=((0, 1), (0, 1)))", "np.tensordot(dz, n, axes=((0, 1), (0, 1)))", "transpose"))

Function("z:NV t:NV", '''
def focal(z, t):
    p = 1 / (1 + np.exp(-z))
    y = (t > 0).astype(float)
    pt = np.where(y == 1, p, 1 - p)
    loss = -((1 - pt) ** 2 * np.log(pt)).sum()
    def vjp(g):
        dpt = -(-2 * (1 - pt) * np.log(pt) + (1 - pt) ** 2 / pt)
        dp = np.where(y == 1, dpt, -dpt)
        return g * dp * p * (1 - p), np.zeros_like(t)
    return loss, vjp
''', ("z", "dp = np.where(y == 1, dpt, -dpt)", "dp = dpt", "local-derivative|sign|mask|missing-term"),
         ("z", "-2 * (1 - pt) * np.log(pt) + ", "", "missing-term|overwrite|lost-path"),
         ("z", "g * dp * p * (1 - p)", "g * dp", "local-derivative"),
         ("z", "(1 - pt) ** 2 / pt)", "(1 - pt) ** 2)", "local-derivative|missing-term"))

Function("a:ND b:ND", '''
def info_nce(a, b):
    N = len(a)
    na = np.sqrt((a * a).sum(1, keepdims=True)); nb = np.sqrt((b * b).sum(1, keepdims=True))
    ua, ub = a / na, b / nb
    s = ua @ ub.T / 0.5
    m = s.max(1, keepdims=True)
    lse = m[:, 0] + np.log(np.exp(s - m).sum(1))
    loss = np.mean(lse - np.diagonal(s))
    def vjp(g):
        p = np.exp(s - lse[:, None])
        ds = (p - np.eye(N)) * g / N / 0.5
        dua, dub = ds @ ub, ds.T @ ua
        da = (dua - ua * (ua * dua).sum(1, keepdims=True)) / na
        db = (dub - ub * (ub * dub).sum(1, keepdims=True)) / nb
        return da, db
    return loss, vjp
''', ("a", "(p - np.eye(N)) * g / N / 0.5", "(p - np.eye(N)) * g / N", "factor"),
         ("b", "ds @ ub, ds.T @ ua", "ds @ ub, ds @ ua", "operand"),
         ("a", "(dua - ua * (ua * dua).sum(1, keepdims=True)) / na", "dua / na", "variance-term|missing-term|lost-path"),
         ("a", "(p - np.eye(N))", "p", "missing-term|lost-path|overwrite"),
         ("b", "keepdims=True)) / nb\n        return", "keepdims=True))\n        return", "local-derivative|row-scale"))

Function("x:TI w:HI u:HH b:H v:OH", '''
class Cell:
    def __init__(self, w, u, b):
        self.w, self.u, self.b = w, u, b
    def step(self, x, h):
        return np.tanh(self.w @ x + self.u @ h + self.b)
def rnn_classifier(x, w, u, b, v):
    cell = Cell(w, u, b)
    h = [np.zeros(len(b))]
    for t in range(len(x)):
        h.append(cell.step(x[t], h[t]))
    y = v @ h[-1]
    def vjp(dy):
        dv = np.outer(dy, h[-1])
        dh = v.T @ dy
        dx, dw, du, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), np.zeros_like(b)
        for t in range(len(x) - 1, -1, -1):
            dz = dh * (1 - h[t + 1] ** 2)
            dx[t] = w.T @ dz
            dw += np.outer(dz, x[t])
            du += np.outer(dz, h[t])
            db += dz
            dh = u.T @ dz
        return dx, dw, du, db, dv
    return y, vjp
''', ("w", "dw += ", "dw = ", "overwrite|lost-path"),
         ("b", "db += dz", "db = dz", "overwrite|lost-path"),
         ("u", "dh = u.T @ dz", "dh = u @ dz", "operand"),
         ("x", "dz = dh * (1 - h[t + 1] ** 2)", "dz = dh", "local-derivative"),
         ("x", "dh = u.T @ dz", "dh = 0 * dh", "lost-path|dropped"),
         ("u", "np.outer(dz, h[t])", "np.outer(dz, h[t + 1])", "operand|permuted|leak"),
         ("v", "np.outer(dy, h[-1])", "np.outer(dy, h[0] + 1)", "operand|upstream|local-derivative"),
         ("w", "dz = dh * (1 - h[t + 1] ** 2)", "dz = dh * (1 - h[t] ** 2)", "local-derivative|operand"))

Function("x:NCT k:K", '''
def fir(x, k):
    y = np.apply_along_axis(lambda r: np.convolve(r, k, mode='full')[:len(r)], -1, x)
    def vjp(dy):
        T, K = x.shape[-1], len(k)
        dx, dk = np.zeros_like(x), np.zeros_like(k)
        for j in range(min(K, T)):
            dx[..., :T - j] += k[j] * dy[..., j:]
            dk[j] = (dy[..., j:] * x[..., :T - j]).sum()
        return dx, dk
    return y, vjp
''', ("x", "dx[..., :T - j] +=", "dx[..., :T - j] =", "overwrite"),
         ("x", "dx[..., :T - j] += k[j] * dy[..., j:]", "dx[..., j:] += k[j] * dy[..., :T - j]", "permuted|leak|transpose"),
         ("k", "(dy[..., j:] * x[..., :T - j]).sum()", "(dy[..., j:] * x[..., :T - j]).mean()",
          "reduction|row-scale|local-derivative"),
         ("k", "(dy[..., j:] * x[..., :T - j]).sum()", "-(dy[..., j:] * x[..., :T - j]).sum()", "sign"),
         ("k", "dk[j] = (dy", "dk[K - 1 - j] = (dy", "permuted"))

Function("x:BC w1:CH b1:H w2:HC", '''
from math import erf
_erf = np.vectorize(erf)
def gelu_mlp(x, w1, b1, w2):
    z = x @ w1 + b1
    cdf = 0.5 * (1 + _erf(z / 2 ** 0.5))
    a = z * cdf
    y = a @ w2
    def vjp(dy):
        da = dy @ w2.T
        pdf = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        dz = da * (cdf + z * pdf)
        return dz @ w1.T, x.T @ dz, dz.sum(0), a.T @ dy
    return y, vjp
''', ("x", "(cdf + z * pdf)", "cdf", "missing-term|local-derivative"),
         ("w1", "(cdf + z * pdf)", "(cdf + pdf)", "local-derivative"),
         ("b1", "dz.sum(0)", "dz.mean(0)", "factor|reduction"),
         ("w2", "a.T @ dy", "z.T @ dy", "operand|local-derivative"),
         ("b1", "dz.sum(0)", "da.sum(0)", "local-derivative"),
         ("x", "dz @ w1.T, x.T @ dz", "dz @ w1.T * x, x.T @ dz", "local-derivative"))

Function("x:T8", '''
def rotate_half(x):
    T, D = x.shape
    freq = 1.0 / 100 ** (np.arange(D // 2) * 2 / D)
    ang = np.arange(T)[:, None] * freq[None, :]
    cos = np.concatenate([np.cos(ang)] * 2, -1)
    sin = np.concatenate([np.sin(ang)] * 2, -1)
    rot = np.concatenate([-x[:, D // 2:], x[:, :D // 2]], -1)
    y = x * cos + rot * sin
    def vjp(dy):
        ds = dy * sin
        return dy * cos + np.concatenate([ds[:, D // 2:], -ds[:, :D // 2]], -1)
    return y, vjp
''', ("x", "np.concatenate([ds[:, D // 2:], -ds[:, :D // 2]], -1)", "np.concatenate([-ds[:, D // 2:], ds[:, :D // 2]], -1)",
      "rotation"),
         ("x", "dy * cos + np.concatenate([ds[:, D // 2:], -ds[:, :D // 2]], -1)", "dy * cos", "rotation|lost-path|missing-term"),
         ("x", "dy * cos + np.concatenate([ds[:, D // 2:], -ds[:, :D // 2]], -1)", "dy * cos + ds",
          "rotation|missing-term|permuted"),
         ("x", "-ds[:, :D // 2]", "ds[:, :D // 2]", "rotation|sign"))

Function("x:NC", '''
def standardize_all(x):
    mu, sd = x.mean(), x.std()
    y = (x - mu) / sd
    def vjp(dy):
        return (dy - dy.mean() - y * (dy * y).mean()) / sd
    return y, vjp
''', ("x", "(dy - dy.mean() - y * (dy * y).mean()) / sd", "dy / sd", "mean-term|variance-term"),
         ("x", " - dy.mean()", "", "mean-term"),
         ("x", " - y * (dy * y).mean()", "", "variance-term"),
         ("x", ".mean()) / sd\n", ".mean())\n", "local-derivative|factor"),
         ("x", "dy.mean()", "dy.mean(axis=1, keepdims=True)", "reduction|mean-term"))

Function("x:BTC w:KC", '''
def word_conv(x, w):
    B, T, C = x.shape
    K = len(w)
    pad = np.concatenate([np.zeros((B, K - 1, C)), x], axis=1)
    win = np.lib.stride_tricks.sliding_window_view(pad, K, axis=1)
    y = np.einsum('btck,kc->btc', win, w)
    def vjp(dy):
        dpad = np.zeros_like(pad)
        dw = np.zeros_like(w)
        for k in range(K):
            dpad[:, k:k + T] += dy * w[k]
            dw[k] = (dy * pad[:, k:k + T]).sum((0, 1))
        return dpad[:, K - 1:], dw
    return y, vjp
''', ("x", "dpad[:, K - 1:]", "dpad[:, :T]", "permuted|leak"),
         ("x", "dpad[:, k:k + T] +=", "dpad[:, k:k + T] =", "overwrite"),
         ("w", "dy * pad[:, k:k + T]", "dy * x", "operand|leak|local-derivative"),
         ("x", "dy * w[k]", "dy * w[K - 1 - k]", "operand|permuted"),
         ("w", ".sum((0, 1))", ".sum((0, 1)) / T", "factor|reduction"))

Function("x:NC t:NC", '''
def soft_dice(x, t):
    p = 1 / (1 + np.exp(-x))
    m = (t > 0) * 1.0
    inter = (p * m).sum()
    union = p.sum() + m.sum()
    loss = 1 - 2 * inter / union
    def vjp(g):
        dp = g * (-2 * m / union + 2 * inter / union ** 2)
        return dp * p * (1 - p), np.zeros_like(t)
    return loss, vjp
''', ("x", " + 2 * inter / union ** 2", "", "missing-term|lost-path|overwrite"),
         ("x", "-2 * m / union + ", "", "missing-term|lost-path|overwrite"),
         ("x", "dp * p * (1 - p)", "dp", "local-derivative"),
         ("x", "union ** 2", "union", "local-derivative|missing-term"))

Function("x:6C y:6C", '''
def mmd(x, y):
    def k(a, b):
        d = ((a[:, None] - b[None]) ** 2).sum(-1)
        return np.exp(-0.5 * d)
    kxx, kxy = k(x, x), k(x, y)
    L = kxx.mean() - 2 * kxy.mean() + k(y, y).mean()
    def vjp(g):
        n = len(x)
        dxx = -2 * (kxx[:, :, None] * (x[:, None] - x[None])).sum(1) / n ** 2
        dxy = 2 * (kxy[:, :, None] * (x[:, None] - y[None])).sum(1) / n ** 2
        kyy = k(y, y)
        dyy = -2 * (kyy[:, :, None] * (y[:, None] - y[None])).sum(1) / n ** 2
        dyx = 2 * (kxy.T[:, :, None] * (y[:, None] - x[None])).sum(1) / n ** 2
        return g * (dxx + dxy), g * (dyy + dyx)
    return L, vjp
''', ("x", "dxx + dxy", "dxy", "overwrite|lost-path|missing-term"),
         ("x", "dxx = -2 *", "dxx = -1 *", "overwrite|missing-term|factor|lost-path"),
         ("y", "dyy + dyx", "dyy - dyx", "sign|missing-term"))

Function("x:TC a:C b:C", '''
def ssm(x, a, b):
    T, C = x.shape
    g = 1 / (1 + np.exp(-a))
    h = np.zeros((T + 1, C))
    for t in range(1, T + 1):
        h[t] = g * h[t - 1] + b * x[t - 1]
    def vjp(dy):
        dx = np.empty_like(x); dg = np.zeros(C); db = np.zeros(C); d = np.zeros(C)
        for t in range(T, 0, -1):
            d = d + dy[t - 1]
            dx[t - 1] = b * d
            db += x[t - 1] * d
            dg += h[t - 1] * d
            d = g * d
        return dx, dg * g * (1 - g), db
    return h[1:].copy(), vjp
''', ("a", "dg * g * (1 - g)", "dg", "local-derivative"),
         ("x", "d = g * d\n", "d = np.zeros(C)\n", "lost-path"),
         ("a", "dg += h[t - 1] * d", "dg += h[t] * d", "operand|local-derivative|permuted|leak"),
         ("b", "db += x[t - 1] * d", "db = x[t - 1] * d", "overwrite|lost-path"),
         ("x", "d = g * d\n", "d = a * d\n", "local-derivative|operand"),
         ("b", "d = g * d\n", "pass\n", "local-derivative"))

Function("x:NC d:C", '''
def parametric_relu(x, d):
    y = x.copy()
    neg = y < 0
    y[neg] = (x * d)[neg]
    def vjp(g):
        dx = g.copy()
        dx[neg] = (g * d)[neg]
        return dx, np.where(neg, g * x, 0).sum(0)
    return y, vjp
''', ("x", "dx[neg] = (g * d)[neg]", "dx[neg] = 0", "dropped"),
         ("x", "dx[neg] = (g * d)[neg]", "dx[~neg] = (g * d)[~neg]", "inverted-mask|local-derivative"),
         ("d", "np.where(neg, g * x, 0).sum(0)", "(g * x).sum(0)", "mask"),
         ("d", "np.where(neg, g * x, 0).sum(0)", "np.where(neg, g, 0).sum(0)", "local-derivative"),
         ("d", "np.where(neg, g * x, 0).sum(0)", "np.where(neg, g * x, 0)", "unbroadcast"))

Function("q:TC k:SC v:SC m:TS?", '''
def masked_attention(q, k, v, m):
    m = m | np.eye(len(q), len(k), dtype=bool)
    s = q @ k.T
    s = np.where(m, s, -1e9)
    p = np.exp(s - s.max(1, keepdims=True))
    p = p * m
    p = p / p.sum(1, keepdims=True)
    o = p @ v
    def vjp(do):
        dp = do @ v.T
        ds = (dp - (dp * p).sum(1)[:, None]) * p
        ds = np.where(m, ds, 0)
        return ds @ k, ds.T @ q, p.T @ do, None
    return o, vjp
''', ("q", "(dp - (dp * p).sum(1)[:, None]) * p", "dp * p", "softmax-diagonal"),
         ("q", "(dp - (dp * p).sum(1)[:, None]) * p", "(dp - (dp * p).sum(0)[None]) * p", "reduction"),
         ("q", "ds @ k,", "ds @ v,", "operand"),
         ("k", "(dp - (dp * p).sum(1)[:, None]) * p", "(dp - (dp * p).mean(1)[:, None]) * p", "reduction|missing-term"),
         ("v", "p.T @ do", "m.T @ do", "operand|local-derivative"),
         ("k", "(dp - (dp * p).sum(1)[:, None]) * p", "(dp - (dp * p).sum(1)[:, None])", "local-derivative|mask"))

Function("x:BTC g:C", '''
def scale_norm_relu2(x, g):
    n = np.linalg.norm(x, axis=-1, keepdims=True)
    u = x / n * g
    y = np.square(np.maximum(u, 0))
    def vjp(dy):
        du = dy * 2 * np.maximum(u, 0)
        dg = (du * x / n).sum((0, 1))
        dh = du * g
        dx = dh / n - x * (dh * x).sum(-1, keepdims=True) / n ** 3
        return dx, dg
    return y, vjp
''', ("x", " - x * (dh * x).sum(-1, keepdims=True) / n ** 3", "", "missing-term|variance-term|lost-path"),
         ("x", "n ** 3", "n ** 2", "missing-term|variance-term|local-derivative"),
         ("g", "(du * x / n).sum((0, 1))", "(du * x).sum((0, 1))", "local-derivative|row-scale|operand"),
         ("g", "dy * 2 * np.maximum(u, 0)", "dy * 2 * u", "mask"),
         ("g", "dy * 2 * np.maximum(u, 0)", "dy * 2 * (u > 0)", "local-derivative"),
         ("x", "dh = du * g", "dh = du", "local-derivative"))

Function("x:BT4 w:46", '''
def split_gates(x, w):
    z = x @ w
    a, b = np.split(z, 2, axis=-1)
    s = 1 / (1 + np.exp(-b))
    y = a * s
    def vjp(dy):
        dz = np.concatenate([dy * s, dy * a * s * (1 - s)], axis=-1)
        return dz @ w.T, x.reshape(-1, 4).T @ dz.reshape(-1, 6)
    return y, vjp
''', ("w", "[dy * s, dy * a * s * (1 - s)]", "[dy * a * s * (1 - s), dy * s]", "gate-order|permuted"),
         ("x", "dy * a * s * (1 - s)]", "dy * s * (1 - s)]", "local-derivative"),
         ("x", "dy * a * s * (1 - s)]", "0 * dy]", "lost-path|missing-term|dropped"),
         ("w", "dy * a * s * (1 - s)]", "0 * dy]", "dropped|lost-path|missing-term"),
         ("w", "[dy * s, dy", "[dy, dy", "local-derivative"))

Function("x:NCHW", '''
def global_pool_l2(x):
    p = x.mean(axis=(2, 3))
    n = np.sqrt((p ** 2).sum(axis=1))
    y = p / n[:, None]
    def vjp(dy):
        dp = (dy - y * (dy * y).sum(axis=1)[:, None]) / n[:, None]
        return np.broadcast_to(dp[:, :, None, None], x.shape) / (x.shape[2] * x.shape[3])
    return y, vjp
''', ("x", " / (x.shape[2] * x.shape[3])", "", "factor|reduction"),
         ("x", " / (x.shape[2] * x.shape[3])", " / x.shape[2]", "factor"),
         ("x", "(dy - y * (dy * y).sum(axis=1)[:, None])", "dy", "missing-term|variance-term"),
         ("x", ".sum(axis=1)[:, None])", ".sum(axis=0)[None, :])", "reduction|leak"))

Function("e:VC i:BT<V p:TC", '''
def embed_and_position(e, i, p):
    h = e[i] * np.sqrt(e.shape[1])
    h = h + p[None, :, :]
    def vjp(dh):
        de = np.zeros_like(e)
        for b in range(i.shape[0]):
            for t in range(i.shape[1]):
                de[i[b, t]] += dh[b, t] * np.sqrt(e.shape[1])
        return de, None, dh.sum(axis=0)
    return h, vjp
''', ("e", "de[i[b, t]] +=", "de[i[b, t]] =", "duplicate-index|overwrite"),
         ("e", "dh[b, t] * np.sqrt(e.shape[1])", "dh[b, t]", "factor"),
         ("p", "dh.sum(axis=0)", "dh", "unbroadcast"),
         ("p", "dh.sum(axis=0)", "dh.sum(axis=1)", "reduction|shape"),
         ("p", "dh.sum(axis=0)", "dh[0]", "unbroadcast|reduction"))

Function("x:BC", '''
def gumbel_like(x):
    rng = np.random.default_rng(7)
    u = x + rng.gumbel(size=x.shape)
    e = np.exp(u / 0.7)
    y = e / e.sum(1, keepdims=True)
    def vjp(dy):
        return y * (dy - (y * dy).sum(1, keepdims=True)) / 0.7
    return y, vjp
''', ("x", "(y * dy).sum(1, keepdims=True)) / 0.7", "(y * dy).sum(1, keepdims=True))", "factor"),
         ("x", "y * (dy - (y * dy).sum(1, keepdims=True)) / 0.7", "y * (1 - y) * dy / 0.7", "softmax-diagonal"),
         ("x", "(y * dy).sum(1, keepdims=True)", "y * dy", "softmax-diagonal|reduction|missing-term"),
         ("x", "- (y * dy)", "+ (y * dy)", "sign|missing-term"))

Function("x:TD wq:DD wk:DD wv:DD", '''
def causal_head(x, wq, wk, wv):
    T, D = x.shape
    q, k, v = x @ wq, x @ wk, x @ wv
    y = np.zeros_like(v)
    P = np.zeros((T, T))
    for t in range(T):
        s = k[:t + 1] @ q[t] / np.sqrt(D)
        e = np.exp(s - s.max())
        P[t, :t + 1] = e / e.sum()
        y[t] = P[t, :t + 1] @ v[:t + 1]
    def vjp(dy):
        dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        for t in range(T):
            p = P[t, :t + 1]
            dv[:t + 1] += np.outer(p, dy[t])
            dp = v[:t + 1] @ dy[t]
            ds = p * (dp - p @ dp)
            dq[t] = ds @ k[:t + 1] / np.sqrt(D)
            dk[:t + 1] += np.outer(ds, q[t]) / np.sqrt(D)
        return dq @ wq.T + dk @ wk.T + dv @ wv.T, x.T @ dq, x.T @ dk, x.T @ dv
    return y, vjp
''', ("wv", "dv[:t + 1] +=", "dv[:t + 1] =", "overwrite"),
         ("wk", "dk[:t + 1] +=", "dk[:t + 1] =", "overwrite"),
         ("wq", "ds = p * (dp - p @ dp)", "ds = p * dp", "softmax-diagonal"),
         ("x", " + dv @ wv.T", "", "overwrite|lost-path"),
         ("wq", "dq[t] = ds @ k[:t + 1] / np.sqrt(D)", "dq[t] = ds @ k[:t + 1]", "factor"),
         ("x", "dq @ wq.T", "dq @ wq", "operand"),
         ("wv", "np.outer(p, dy[t])", "np.outer(np.ones_like(p), dy[t])", "local-derivative|operand"))

Function("x:BN y:BN", '''
def pearson(x, y):
    xc = x - x.mean(1, keepdims=True)
    yc = y - y.mean(1, keepdims=True)
    sx = np.sqrt((xc * xc).sum(1)); sy = np.sqrt((yc * yc).sum(1))
    r = (xc * yc).sum(1) / (sx * sy)
    def vjp(dr):
        d = dr[:, None]
        dx = d * (yc / (sx * sy)[:, None] - r[:, None] * xc / (sx ** 2)[:, None])
        dy = d * (xc / (sx * sy)[:, None] - r[:, None] * yc / (sy ** 2)[:, None])
        return dx, dy
    return r, vjp
''', ("x", " - r[:, None] * xc / (sx ** 2)[:, None]", "", "variance-term|missing-term|lost-path"),
         ("x", "d * (yc / (sx", "d * (y / (sx", "mean-term|local-derivative|missing-term|operand"),
         ("y", "return dx, dy", "return dx, dx", "swapped"),
         ("y", "xc / (sx * sy)[:, None]", "xc / sx[:, None]", "local-derivative|missing-term|row-scale"))

Function("x:NC w:CD", '''
def detach_max_pool(x, w):
    z = x @ w
    j = z.argmax(axis=0)
    y = z[j, np.arange(z.shape[1])]
    def vjp(dy):
        dz = np.zeros_like(z)
        dz[j, np.arange(z.shape[1])] = dy
        return dz @ w.T, x.T @ dz
    return y, vjp
''', ("x", "dz[j, np.arange(z.shape[1])] = dy", "dz[:] = dy", "mask"),
         ("w", "dz[j, np.arange(z.shape[1])] = dy", "dz[:] = dy / len(z)", "mask|reduction|mask factor"),
         ("w", "dz[j, np.arange(z.shape[1])] = dy", "dz[j] = dy", "mask|leak"),
         ("x", "dz @ w.T", "dz @ w.T / len(x)", "factor"))

Function("logits:NV adv:N a:N<V", '''
def policy_gradient(logits, adv, a):
    N = len(adv)
    logp = logits - logits.max(1, keepdims=True)
    logp = logp - np.log(np.exp(logp).sum(1, keepdims=True))
    loss = 0.0
    for n in range(N):
        loss = loss - logp[n, a[n]] * adv[n]
    loss = loss / N
    def vjp(g):
        p = np.exp(logp)
        d = p.copy()
        d[np.arange(N), a] -= 1
        return g * d * adv[:, None] / N, -g * logp[np.arange(N), a] / N, None
    return loss, vjp
''', ("logits", "d[np.arange(N), a] -= 1", "d[np.arange(N), a] += 1", "sign|missing-term"),
         ("logits", "g * d * adv[:, None] / N", "g * d / N", "local-derivative|row-scale"),
         ("logits", "g * d * adv[:, None] / N", "g * d * adv[:, None]", "factor"),
         ("adv", "-g * logp[np.arange(N), a] / N", "g * logp[np.arange(N), a] / N", "sign"),
         ("logits", "        d[np.arange(N), a] -= 1\n", "", "missing-term|lost-path"),
         ("adv", "-g * logp[np.arange(N), a] / N", "-g * np.exp(logp)[np.arange(N), a] / N", "local-derivative"))

Function("w:OI x:NI", '''
def dropconnect(w, x):
    m = (np.random.default_rng(3).random(w.shape) < 0.8) / 0.8
    y = x @ (w * m).T
    def vjp(dy):
        return (dy.T @ x) * m, dy @ (w * m)
    return y, vjp
''', ("w", "(dy.T @ x) * m", "(dy.T @ x)", "mask|factor"),
         ("x", "dy @ (w * m)", "dy @ w", "mask|local-derivative|operand"),
         ("w", "(dy.T @ x) * m", "(dy.T @ x) * (m == 0)", "inverted-mask"),
         ("w", "(dy.T @ x) * m", "(dy.T @ x) * (m > 0)", "factor"))
