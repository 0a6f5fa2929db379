"""Functions as learners write them, in plain NumPy, each with edits that break one of its gradients: held out.

The doctor was not tuned on these. They were written, with the codes that a teacher would accept, before it was run on them; that
first contact named 134 of 147 (91 %), misnamed 3 (2 %), left 9 unexplained and accepted 1, where the inputs drawn hid it. What it
showed to be missing in general (a shift by a maximum, cells of one unit, look-ups) has been mended since, so that a figure
measured today is not one of first contact.

``functions.py`` reads this file and says what ``Function`` takes.
"""

Function("x:NI w1:IH w2:HO t:N<O", '''
def classifier(x, w1, w2, t):
    h = np.maximum(x.dot(w1), 0)
    z = h.dot(w2)
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    loss = -np.log(p[range(len(t)), t]).mean()
    def vjp(dloss):
        dz = p.copy()
        dz[range(len(t)), t] -= 1
        dz *= dloss / len(t)
        dw2 = h.T.dot(dz)
        dh = dz.dot(w2.T)
        dh[h <= 0] = 0
        return dh.dot(w1.T), x.T.dot(dh), dw2, None
    return loss, vjp
''', ("w1", "dh[h <= 0] = 0", "pass", "mask"),
         ("w2", "dz *= dloss / len(t)", "dz *= dloss", "factor"),
         ("w1", "dh[h <= 0] = 0", "dh[h > 0] = 0", "inverted-mask"),
         ("w2", "dz[range(len(t)), t] -= 1", "dz[:, t] -= 1", "missing-term|mask|leak"),
         ("x", "dz *= dloss / len(t)", "dz /= len(t)", "upstream"),
         ("w2", "dw2 = h.T.dot(dz)", "dw2 = dz.T.dot(h)", "transpose"))

Function("x:NC w:C b:", '''
def logistic_regression(x, w, b):
    s = 1.0 / (1.0 + np.exp(-(x @ w + b)))
    def vjp(ds):
        dz = ds * s * (1 - s)
        return np.outer(dz, w), x.T @ dz, dz.sum()
    return s, vjp
''', ("w", "dz = ds * s * (1 - s)", "dz = ds * s", "local-derivative"),
         ("b", "dz.sum()", "dz", "unbroadcast|shape"),
         ("b", "dz.sum()", "dz.mean()", "factor|reduction"),
         ("x", "np.outer(dz, w)", "np.outer(ds, w)", "local-derivative"),
         ("b", "dz.sum()", "ds.sum()", "local-derivative"),
         ("w", "x.T @ dz", "-x.T @ dz", "sign"))

Function("x:BCT", '''
def stride_pool(x):
    B, C, T = x.shape
    n = (T - 3) // 2 + 1
    y = np.stack([x[:, :, 2 * i:2 * i + 3].mean(axis=-1) for i in range(n)], axis=-1)
    def vjp(dy):
        dx = np.zeros_like(x)
        for i in range(n):
            dx[:, :, 2 * i:2 * i + 3] += dy[:, :, i:i + 1] / 3
        return dx
    return y, vjp
''', ("x", "+= dy[:, :, i:i + 1] / 3", "= dy[:, :, i:i + 1] / 3", "overwrite"),
         ("x", "/ 3\n", "\n", "factor|reduction"),
         ("x", "dx[:, :, 2 * i:2 * i + 3] += dy[:, :, i:i + 1] / 3", "dx[:, :, 2 * i] += dy[:, :, i] / 3",
          "dropped|lost-path|overwrite"))

Function("a:TC b:TC", '''
def highway(a, b):
    g = 1 / (1 + np.exp(-a))
    y = g * np.tanh(b) + (1 - g) * a
    def vjp(dy):
        tb = np.tanh(b)
        dg = dy * (tb - a)
        da = dg * g * (1 - g) + dy * (1 - g)
        db = dy * g * (1 - tb ** 2)
        return da, db
    return y, vjp
''', ("a", " + dy * (1 - g)", "", "missing-term|overwrite|lost-path"),
         ("a", "dg = dy * (tb - a)", "dg = dy * tb", "missing-term|overwrite|lost-path"),
         ("b", "dy * g * (1 - tb ** 2)", "dy * (1 - tb ** 2)", "local-derivative"),
         ("b", "dy * g * (1 - tb ** 2)", "dy * (1 - g) * (1 - tb ** 2)", "local-derivative"),
         ("a", "dg * g * (1 - g) +", "dg +", "local-derivative|missing-term"))

Function("x:NTC wq:CA wk:CA", '''
def score_matrix(x, wq, wk):
    q = np.einsum('ntc,ca->nta', x, wq)
    k = np.einsum('ntc,ca->nta', x, wk)
    s = np.einsum('nta,nsa->nts', q, k) * wq.shape[1] ** -0.5
    def vjp(ds):
        ds = ds * wq.shape[1] ** -0.5
        dq = np.einsum('nts,nsa->nta', ds, k)
        dk = np.einsum('nts,nta->nsa', ds, q)
        dx = np.einsum('nta,ca->ntc', dq, wq) + np.einsum('nta,ca->ntc', dk, wk)
        return dx, np.einsum('ntc,nta->ca', x, dq), np.einsum('ntc,nta->ca', x, dk)
    return s, vjp
''', ("x", " + np.einsum('nta,ca->ntc', dk, wk)", "", "overwrite|lost-path"),
         ("wk", "np.einsum('nts,nta->nsa', ds, q)", "np.einsum('nst,nta->nsa', ds, q)", "operand"),
         ("wq", "ds = ds * wq.shape[1] ** -0.5", "pass", "factor"),
         ("wk", "np.einsum('ntc,nta->ca', x, dk)", "np.einsum('ntc,nta->ca', x, dq)", "swapped"),
         ("wq", "np.einsum('nts,nsa->nta', ds, k)", "np.einsum('nts,nsa->nta', ds, q)", "operand"),
         ("x", "np.einsum('nta,ca->ntc', dk, wk)", "np.einsum('nta,ca->ntc', dk, wq)", "operand"))

Function("x:BHTD g:D", '''
def qk_norm(x, g):
    ms = np.mean(x ** 2, axis=-1, keepdims=True)
    inv = 1 / np.sqrt(ms + 1e-6)
    y = x * inv * g
    def vjp(dy):
        D = x.shape[-1]
        dxn = dy * g
        dinv = np.sum(dxn * x, axis=-1, keepdims=True)
        dms = -0.5 * dinv * inv ** 3
        dx = dxn * inv + 2 * x * dms / D
        dg = np.sum(dy * x * inv, axis=(0, 1, 2))
        return dx, dg
    return y, vjp
''', ("x", " + 2 * x * dms / D", "", "variance-term"),
         ("x", "2 * x * dms / D", "2 * x * dms", "variance-term|reduction"),
         ("x", "dms = -0.5 * dinv", "dms = 0.5 * dinv", "variance-term|sign"),
         ("g", "np.sum(dy * x * inv, axis=(0, 1, 2))", "np.sum(dy * x, axis=(0, 1, 2))", "local-derivative|operand"),
         ("g", "axis=(0, 1, 2))", "axis=(0, 1))", "shape|unbroadcast"),
         ("x", "dxn = dy * g", "dxn = dy", "local-derivative"))

Function("x:TC w:4C", '''
def causal_conv(x, w):
    T, C = x.shape
    K = len(w)
    y = np.zeros((T, C))
    for t in range(T):
        for j in range(K):
            if t - j >= 0:
                y[t] += w[j] * x[t - j]
    def vjp(dy):
        dx = np.zeros((T, C)); dw = np.zeros((K, C))
        for t in range(T):
            for j in range(K):
                if t - j >= 0:
                    dx[t - j] += w[j] * dy[t]
                    dw[j] += x[t - j] * dy[t]
        return dx, dw
    return y, vjp
''', ("x", "dx[t - j] += w[j] * dy[t]", "dx[t] += w[j] * dy[t - j]", "permuted|leak|operand|transpose"),
         ("x", "dx[t - j] += w[j] * dy[t]", "dx[t - j] = w[j] * dy[t]", "overwrite"),
         ("w", "dw[j] += x[t - j] * dy[t]", "dw[j] = x[t - j] * dy[t]", "overwrite|lost-path"),
         ("w", "dw[j] += x[t - j] * dy[t]", "dw[j] += x[t] * dy[t]", "operand|local-derivative"),
         ("x", "dx[t - j] += w[j] * dy[t]", "dx[t - j] += w[K - 1 - j] * dy[t]", "operand|permuted"))

Function("x:TI w:I4 u:14 b:4", '''
def lstm_scalar(x, w, u, b):
    sig = lambda v: 1 / (1 + np.exp(-v))
    h, c, tape = np.zeros(1), np.zeros(1), []
    for t in range(len(x)):
        i, f, g, o = x[t] @ w + h @ u + b
        i, f, g, o = sig(i), sig(f), np.tanh(g), sig(o)
        cn = f * c + i * g
        hn = o * np.tanh(cn)
        tape.append((h, c, i, f, g, o, cn))
        h, c = hn, cn
    def vjp(dh):
        dx, dw, du, db, dc = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), np.zeros_like(b), np.zeros(1)
        for t in range(len(x) - 1, -1, -1):
            hp, cp, i, f, g, o, cn = tape[t]
            tc = np.tanh(cn)
            dc = dc + dh * o * (1 - tc ** 2)
            dz = np.concatenate([dc * g * i * (1 - i), dc * cp * f * (1 - f), dc * i * (1 - g * g), dh * tc * o * (1 - o)])
            dx[t] = w @ dz; dw += np.outer(x[t], dz); du += np.outer(hp, dz); db += dz
            dh = u @ dz
            dc = dc * f
        return dx, dw, du, db
    return h, vjp
''', ("w", "dc = dc * f\n", "dc = np.zeros(1)\n", "lost-path"),
         ("x", "dh = u @ dz", "dh = np.zeros(1)", "lost-path"),
         ("b", "dc * g * i * (1 - i), dc * cp * f * (1 - f)", "dc * cp * f * (1 - f), dc * g * i * (1 - i)", "gate-order"),
         ("w", "dw += np.outer", "dw = np.outer", "overwrite|lost-path"),
         ("x", "dc = dc * f\n", "dc = dc * i\n", "operand|local-derivative"),
         ("b", "dh * tc * o * (1 - o)", "dh * o * (1 - o)", "local-derivative"))

Function("x:BT8", '''
def head_split_gelu(x):
    B, T, C = x.shape
    h = x.reshape(B, T, 2, 4).swapaxes(1, 2)
    k = np.sqrt(2 / np.pi)
    th = np.tanh(k * (h + 0.044715 * h ** 3))
    y = 0.5 * h * (1 + th)
    def vjp(dy):
        dh = dy * (0.5 * (1 + th) + 0.5 * h * (1 - th ** 2) * k * (1 + 3 * 0.044715 * h ** 2))
        return dh.swapaxes(1, 2).reshape(B, T, C)
    return y, vjp
''', ("x", "dh.swapaxes(1, 2).reshape(B, T, C)", "dh.reshape(B, T, C)", "head-order"),
         ("x", "(1 + 3 * 0.044715 * h ** 2)", "(1 + 0.044715 * h ** 2)", "local-derivative|factor|missing-term"),
         ("x", "0.5 * (1 + th) + ", "", "missing-term|overwrite|lost-path"),
         ("x", "(1 - th ** 2)", "(1 - th)", "local-derivative"))

Function("e:VC i:N<V o:N<V n:NK<V", '''
def skipgram(e, i, o, n):
    u, v, w = e[i], e[o], e[n]
    pos = (u * v).sum(1)
    neg = np.einsum('nc,nkc->nk', u, w)
    sg = lambda z: 1 / (1 + np.exp(-z))
    L = -np.log(sg(pos)).sum() - np.log(sg(-neg)).sum()
    def vjp(dL):
        dpos = (sg(pos) - 1) * dL
        dneg = sg(neg) * dL
        du = dpos[:, None] * v + np.einsum('nk,nkc->nc', dneg, w)
        dv = dpos[:, None] * u
        dw = dneg[:, :, None] * u[:, None, :]
        de = np.zeros_like(e)
        np.add.at(de, i, du)
        np.add.at(de, o, dv)
        np.add.at(de, n, dw)
        return de, None, None, None
    return L, vjp
''', ("e", "        np.add.at(de, o, dv)\n", "", "overwrite|lost-path"),
         ("e", "np.add.at(de, i, du)", "de[i] += du", "duplicate-index"),
         ("e", "dneg = sg(neg) * dL", "dneg = -sg(neg) * dL", "sign|missing-term"),
         ("e", "np.add.at(de, n, dw)", "de[n] += dw", "duplicate-index"),
         ("e", "dpos = (sg(pos) - 1) * dL", "dpos = sg(pos) * dL", "local-derivative|missing-term"))

Function("p:NV q:NV", '''
def js_divergence(p, q):
    a = np.exp(p) / np.exp(p).sum(-1, keepdims=True)
    b = np.exp(q) / np.exp(q).sum(-1, keepdims=True)
    m = 0.5 * (a + b)
    L = 0.5 * (a * np.log(a / m)).sum(-1) + 0.5 * (b * np.log(b / m)).sum(-1)
    def vjp(dL):
        ga = 0.5 * np.log(a / m) * dL[:, None]
        gb = 0.5 * np.log(b / m) * dL[:, None]
        dp = a * (ga - (a * ga).sum(-1, keepdims=True))
        dq = b * (gb - (b * gb).sum(-1, keepdims=True))
        return dp, dq
    return L, vjp
''', ("p", "a * (ga - (a * ga).sum(-1, keepdims=True))", "a * ga", "softmax-diagonal"),
         ("q", "b * (gb - (b * gb).sum(-1, keepdims=True))", "gb", "local-derivative"),
         ("p", "return dp, dq", "return dq, dp", "swapped"),
         ("q", "gb = 0.5 *", "gb =", "factor"),
         ("p", "dL[:, None]\n        gb", "1\n        gb", "upstream"))

Function("x:NC y:NC", '''
def smooth_l1(x, y):
    d = x - y
    a = abs(d)
    beta = 0.5
    loss = np.where(a < beta, 0.5 * d * d / beta, a - 0.5 * beta)
    loss = loss.sum(axis=1).mean()
    def vjp(g):
        dd = np.where(a < beta, d / beta, np.sign(d)) * g / len(x)
        return dd, -dd
    return loss, vjp
''', ("x", "d / beta, np.sign(d))", "d, np.sign(d))", "factor|local-derivative|row-scale"),
         ("y", "return dd, -dd", "return dd, dd", "sign|swapped"),
         ("x", "g / len(x)", "g / x.size", "factor"),
         ("x", "np.sign(d))", "d)", "local-derivative"),
         ("x", "a < beta, d / beta", "a > beta, d / beta", "inverted-mask|local-derivative"))

Function("x:BTC w:C", '''
def attention_pooling(x, w):
    s = x @ w
    a = np.exp(s - s.max(axis=1, keepdims=True))
    a = a / a.sum(axis=1, keepdims=True)
    y = (a[:, :, None] * x).sum(axis=1)
    def vjp(dy):
        da = (dy[:, None, :] * x).sum(-1)
        ds = a * (da - (a * da).sum(1, keepdims=True))
        dx = a[:, :, None] * dy[:, None, :] + ds[:, :, None] * w
        dw = np.einsum('bt,btc->c', ds, x)
        return dx, dw
    return y, vjp
''', ("x", " + ds[:, :, None] * w", "", "overwrite|lost-path"),
         ("w", "a * (da - (a * da).sum(1, keepdims=True))", "a * da", "softmax-diagonal"),
         ("x", "a[:, :, None] * dy[:, None, :] +", "dy[:, None, :] +", "local-derivative|missing-term"),
         ("w", "'bt,btc->c'", "'bt,btc->bc'", "shape|unbroadcast"),
         ("w", "(a * da).sum(1, keepdims=True)", "(a * da).sum(0, keepdims=True)", "reduction"))

Function("x:6C", '''
def ghost_batch_norm(x):
    out, saved = np.empty_like(x), []
    for s in (slice(0, 3), slice(3, 6)):
        m, v = x[s].mean(0), x[s].var(0)
        r = 1 / np.sqrt(v + 1e-5)
        out[s] = (x[s] - m) * r
        saved.append(r)
    def vjp(d):
        dx = np.empty_like(x)
        for s, r in zip((slice(0, 3), slice(3, 6)), saved):
            n, g = out[s], d[s]
            dx[s] = r * (g - g.mean(0) - n * (g * n).mean(0))
        return dx
    return out, vjp
''', ("x", " - g.mean(0)", "", "mean-term"),
         ("x", " - n * (g * n).mean(0)", "", "variance-term"),
         ("x", "(g - g.mean(0) - n * (g * n).mean(0))", "g", "mean-term|variance-term"),
         ("x", "dx[s] = r * (", "dx[s] = (", "local-derivative|row-scale"),
         ("x", "n, g = out[s], d[s]", "n, g = out[s], d[:3]", "leak|permuted|operand"))

Function("x:NC", '''
def entropy(x):
    z = x - x.max(1, keepdims=True)
    Z = np.exp(z).sum(1, keepdims=True)
    p = np.exp(z) / Z
    logp = z - np.log(Z)
    H = -(p * logp).sum(1)
    def vjp(dH):
        return -p * (logp + H[:, None]) * dH[:, None]
    return H, vjp
''', ("x", "-p * (logp + H[:, None])", "-p * (logp + 1)", "softmax-diagonal|missing-term|mean-term|local-derivative"),
         ("x", "-p * (logp", "p * (logp", "sign"),
         ("x", "-p * (logp + H[:, None]) * dH[:, None]", "-p * (logp + H[:, None])", "upstream"),
         ("x", "-p * (logp + H[:, None])", "-p * logp", "missing-term|softmax-diagonal"))

Function("x:TC r:C k:C v:TC", '''
def decay_memory(x, r, k, v):
    T, C = x.shape
    d = np.exp(-np.exp(r))
    s, S, y = np.zeros(C), [], []
    for t in range(T):
        s = d * s + k * x[t]
        S.append(s)
        y.append(s * v[t])
    def vjp(dy):
        dx, dv = np.zeros((T, C)), np.zeros((T, C))
        dd, dk, ds = np.zeros(C), np.zeros(C), np.zeros(C)
        for t in reversed(range(T)):
            dv[t] = dy[t] * S[t]
            ds = ds + dy[t] * v[t]
            dk += ds * x[t]
            dx[t] = ds * k
            if t > 0:
                dd += ds * S[t - 1]
            ds = ds * d
        return dx, -dd * d * np.exp(r), dk, dv
    return np.array(y), vjp
''', ("r", "-dd * d * np.exp(r)", "dd * d * np.exp(r)", "sign"),
         ("r", "-dd * d * np.exp(r)", "-dd * d", "local-derivative"),
         ("k", "ds = ds + dy[t] * v[t]", "ds = dy[t] * v[t]", "lost-path"),
         ("x", "ds = ds * d\n", "ds = ds\n", "local-derivative"),
         ("k", "dk += ds * x[t]", "dk = ds * x[t]", "overwrite|lost-path"),
         ("v", "dv[t] = dy[t] * S[t]", "dv[t] = dy[t] * S[t - 1]", "operand|local-derivative|permuted|leak"))

Function("x:BC w:OC a:RC b:OR", '''
def lora(x, w, a, b):
    base = x @ w.T
    low = x @ a.T
    y = base + 0.5 * low @ b.T
    def vjp(dy):
        dlow = 0.5 * dy @ b
        return dy @ w + dlow @ a, dy.T @ x, dlow.T @ x, 0.5 * dy.T @ low
    return y, vjp
''', ("x", "dy @ w + dlow @ a", "dy @ w", "overwrite|lost-path"),
         ("b", "0.5 * dy.T @ low", "dy.T @ low", "factor"),
         ("a", "dlow.T @ x", "x.T @ dlow", "transpose"),
         ("x", "dy @ w + dlow @ a", "dy @ w + 2 * dlow @ a", "factor|missing-term|overwrite"),
         ("a", "dlow = 0.5 * dy @ b", "dlow = 0.5 * (dy * dy) @ b", "upstream"))

Function("x:BHWC g:C b:C", '''
def conv_layernorm(x, g, b):
    mu = x.mean(axis=-1, keepdims=True)
    xc = x - mu
    sd = np.sqrt((xc * xc).mean(axis=-1, keepdims=True) + 1e-6)
    z = xc / sd
    y = z * g + b
    def vjp(dy):
        axes = tuple(range(x.ndim - 1))
        dz = dy * g
        dxc = dz / sd
        dsd = -(dz * xc).sum(-1, keepdims=True) / sd ** 2
        dxc += dsd * xc / (x.shape[-1] * sd)
        dx = dxc - dxc.mean(-1, keepdims=True)
        return dx, (dy * z).sum(axes), dy.sum(axes)
    return y, vjp
''', ("x", "        dxc += dsd * xc / (x.shape[-1] * sd)\n", "", "variance-term"),
         ("x", "dx = dxc - dxc.mean(-1, keepdims=True)", "dx = dxc", "mean-term"),
         ("x", "/ sd ** 2", "/ sd", "variance-term|local-derivative"),
         ("x", "dx = dxc - dxc.mean(-1, keepdims=True)", "dx = dxc - dxc.sum(-1, keepdims=True)", "mean-term|reduction"),
         ("g", "(dy * z).sum(axes)", "(dz * z).sum(axes)", "local-derivative"),
         ("b", "dy.sum(axes)", "dy.sum()", "shape|reduction"),
         ("b", "dy.sum(axes)", "dz.sum(axes)", "local-derivative"))

Function("q:HTD k:HSD v:HSD", '''
def attention_softcap(q, k, v):
    s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    c = 2.0 * np.tanh(s / 2.0)
    e = np.exp(c)
    p = e / e.sum(-1, keepdims=True)
    o = p @ v
    def vjp(do):
        dp = do @ v.swapaxes(-1, -2)
        dc = p * (dp - (p * dp).sum(-1, keepdims=True))
        ds = dc * (1 - (c / 2.0) ** 2) / np.sqrt(q.shape[-1])
        return ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ do
    return o, vjp
''', ("q", "(1 - (c / 2.0) ** 2)", "(1 - c ** 2)", "local-derivative"),
         ("k", "dc * (1 - (c / 2.0) ** 2)", "dc", "local-derivative"),
         ("q", "(p * dp).sum(-1, keepdims=True)", "(p * dp).sum(-2, keepdims=True)", "reduction"),
         ("v", "p.swapaxes(-1, -2) @ do", "e.swapaxes(-1, -2) @ do", "operand|local-derivative"),
         ("k", "ds.swapaxes(-1, -2) @ q", "dc.swapaxes(-1, -2) @ q", "local-derivative|factor"))

Function("x:NC w:CV i:N<V", '''
def margin_loss(x, w, i):
    s = x @ w
    correct = s[np.arange(len(i)), i]
    m = np.maximum(0, s - correct[:, None] + 1)
    m[np.arange(len(i)), i] = 0
    L = m.sum() / len(i)
    def vjp(g):
        d = (m > 0).astype(float)
        d[np.arange(len(i)), i] = -d.sum(axis=1)
        d *= g / len(i)
        return d @ w.T, x.T @ d, None
    return L, vjp
''', ("w", "d[np.arange(len(i)), i] = -d.sum(axis=1)", "d[np.arange(len(i)), i] = -1", "missing-term|overwrite|unexplained"),
         ("w", "        d[np.arange(len(i)), i] = -d.sum(axis=1)\n", "", "missing-term|lost-path|overwrite"),
         ("x", "d *= g / len(i)", "d *= g", "factor"),
         ("w", "(m > 0).astype(float)", "np.ones_like(m)", "mask"),
         ("x", "d @ w.T", "d.T @ x", "shape|operand"))

Function("x:TC h0:C wz:CC wr:CC wh:CC", '''
def minimal_gru(x, h0, wz, wr, wh):
    sig = lambda a: 1 / (1 + np.exp(-a))
    h, mem, out = h0, [], []
    for xt in x:
        z = sig(wz @ h + xt)
        r = sig(wr @ h + xt)
        n = np.tanh(wh @ (r * h) + xt)
        mem.append((h, z, r, n))
        h = z * h + (1 - z) * n
        out.append(h)
    def vjp(dy):
        dx = np.zeros_like(x); dwz, dwr, dwh = np.zeros_like(wz), np.zeros_like(wr), np.zeros_like(wh)
        dh = np.zeros_like(h0)
        for t in range(len(x) - 1, -1, -1):
            hp, z, r, n = mem[t]
            dh = dh + dy[t]
            dn = dh * (1 - z) * (1 - n * n)
            dz = dh * (hp - n) * z * (1 - z)
            drh = wh.T @ dn
            dr = drh * hp * r * (1 - r)
            dx[t] = dn + dz + dr
            dwz += np.outer(dz, hp); dwr += np.outer(dr, hp); dwh += np.outer(dn, r * hp)
            dh = dh * z + wz.T @ dz + wr.T @ dr + drh * r
        return dx, dh, dwz, dwr, dwh
    return np.stack(out), vjp
''', ("x", "dx[t] = dn + dz + dr", "dx[t] = dn + dz", "overwrite|lost-path"),
         ("h0", " + drh * r", "", "lost-path|overwrite|missing-term"),
         ("wh", "np.outer(dn, r * hp)", "np.outer(dn, hp)", "local-derivative|operand"),
         ("h0", "wz.T @ dz", "wz @ dz", "operand"),
         ("wz", "(hp - n) * z * (1 - z)", "(hp - n) * z", "local-derivative"),
         ("wr", "dwr += np.outer(dr, hp)", "dwr += np.outer(hp, dr)", "transpose"),
         ("wz", "dh = dh * z + wz", "dh = wz", "lost-path|missing-term"))

Function("x:NC", '''
def softsign_power(x):
    d = 1 + np.abs(x)
    s = x / d
    y = s ** 3
    def vjp(dy):
        return dy * 3 * s ** 2 / d ** 2
    return y, vjp
''', ("x", "dy * 3 * s ** 2 / d ** 2", "dy * 3 * s ** 2 / d", "local-derivative|missing-term"),
         ("x", "dy * 3 * s ** 2 / d ** 2", "dy * s ** 2 / d ** 2", "factor"),
         ("x", "dy * 3 * s ** 2 / d ** 2", "dy * 3 * s / d ** 2", "local-derivative"),
         ("x", "dy * 3 * s ** 2 / d ** 2", "dy * 3 * s ** 2", "local-derivative"))

Function("x:BCT s:C", '''
def squeeze_excite(x, s):
    m = x.mean(axis=2)
    g = 1 / (1 + np.exp(-(m * s)))
    y = x * g[:, :, None]
    def vjp(dy):
        dg = (dy * x).sum(axis=2)
        da = dg * g * (1 - g)
        dm = da * s
        dx = dy * g[:, :, None] + dm[:, :, None] / x.shape[2]
        return dx, (da * m).sum(axis=0)
    return y, vjp
''', ("x", " + dm[:, :, None] / x.shape[2]", "", "overwrite|lost-path|missing-term"),
         ("x", "dm[:, :, None] / x.shape[2]", "dm[:, :, None]", "factor|reduction|missing-term"),
         ("s", "(da * m).sum(axis=0)", "(dg * m).sum(axis=0)", "local-derivative"),
         ("s", "(da * m).sum(axis=0)", "da.sum(axis=0)", "local-derivative"),
         ("x", "dy * g[:, :, None] +", "dy +", "local-derivative|missing-term"))

Function("x:T6 w:66", '''
def rope_scores(x, w):
    T, D = x.shape
    th = np.arange(T)[:, None] / 50.0 ** (np.arange(3) / 3)
    c, s = np.cos(th), np.sin(th)
    def turn(u, s):
        a, b = u[:, :3], u[:, 3:]
        return np.hstack([a * c - b * s, a * s + b * c])
    q = turn(x, s)
    k = turn(x @ w, s)
    y = q @ k.T
    def vjp(dy):
        dq, dk = dy @ k, dy.T @ q
        dxw = turn(dk, -s)
        return turn(dq, -s) + dxw @ w.T, x.T @ dxw
    return y, vjp
''', ("w", "dxw = turn(dk, -s)", "dxw = turn(dk, s)", "rotation"),
         ("w", "dxw = turn(dk, -s)", "dxw = dk", "rotation"),
         ("x", "turn(dq, -s) + dxw @ w.T", "turn(dq, -s)", "overwrite|lost-path"),
         ("x", "turn(dq, -s) + dxw @ w.T", "turn(dq, s) + dxw @ w.T", "rotation"),
         ("w", "dq, dk = dy @ k, dy.T @ q", "dq, dk = dy @ k, dy @ q", "operand"))

Function("w:NC g:NC m:NC v:NC", '''
def adam_step(w, g, m, v):
    given, v = v, np.abs(v)
    m2 = 0.9 * m + 0.1 * g
    v2 = 0.99 * v + 0.01 * g * g
    w2 = w - 0.1 * m2 / (np.sqrt(v2) + 1e-8)
    def vjp(d):
        r = np.sqrt(v2) + 1e-8
        dm2 = -0.1 * d / r
        dv2 = 0.1 * d * m2 / r ** 2 * 0.5 / np.sqrt(v2)
        return d, 0.1 * dm2 + 0.02 * g * dv2, 0.9 * dm2, 0.99 * dv2 * np.sign(given)
    return w2, vjp
''',
         ("g", " + 0.02 * g * dv2", "", "missing-term|overwrite|lost-path"),
         ("m", "0.9 * dm2", "dm2", "factor"),
         ("g", "0.1 * dm2 + 0.02", "dm2 + 0.02", "factor|missing-term|local-derivative"),
         ("v", "0.99 * dv2 * np.sign(given)", "0.99 * dv2", "local-derivative|mask"),
         ("g", "0.02 * g * dv2", "0.01 * g * dv2", "factor|local-derivative|missing-term|overwrite"))

Function("x:NC c:KC", '''
def soft_kmeans(x, c):
    d = (x ** 2).sum(1)[:, None] - 2 * x @ c.T + (c ** 2).sum(1)[None]
    a = np.exp(-d)
    a = a / a.sum(1, keepdims=True)
    y = a @ c
    def vjp(dy):
        da = dy @ c.T
        dd = -a * (da - (a * da).sum(1, keepdims=True))
        dx = 2 * x * dd.sum(1)[:, None] - 2 * dd @ c
        dc = a.T @ dy - 2 * dd.T @ x + 2 * c * dd.sum(0)[:, None]
        return dx, dc
    return y, vjp
''', ("c", "a.T @ dy - 2 * dd.T @ x", "- 2 * dd.T @ x", "overwrite|lost-path"),
         ("x", "dd = -a * (", "dd = a * (", "sign"),
         ("c", " + 2 * c * dd.sum(0)[:, None]", "", "overwrite|lost-path|missing-term"),
         ("x", "(da - (a * da).sum(1, keepdims=True))", "da", "softmax-diagonal"),
         ("c", "2 * c * dd.sum(0)", "c * dd.sum(0)", "factor|local-derivative|overwrite|missing-term"))

Function("x:NC m:NC?", '''
def inverted_dropout_mean(x, m):
    keep = 0.8
    y = (x * m / keep).mean(axis=0)
    def vjp(dy):
        return np.tile(dy, (len(x), 1)) * m / keep / len(x), None
    return y, vjp
''', ("x", "(len(x), 1)) * m / keep", "(len(x), 1)) / keep", "mask"),
         ("x", "m / keep / len(x)", "m / len(x)", "factor"),
         ("x", "(len(x), 1)) * m", "(len(x), 1)) * ~m", "inverted-mask"),
         ("x", " / len(x)", "", "factor|reduction"))

Function("img:CHW k:OC22", '''
def im2col_conv(img, k):
    C, H, W = img.shape
    O = len(k)
    oh, ow = H - 1, W - 1
    cols = np.array([img[:, i:i + 2, j:j + 2].ravel() for i in range(oh) for j in range(ow)])
    y = (cols @ k.reshape(O, -1).T).T.reshape(O, oh, ow)
    def vjp(dy):
        d = dy.reshape(O, -1).T
        dk = (d.T @ cols).reshape(k.shape)
        dcols = d @ k.reshape(O, -1)
        dimg = np.zeros_like(img)
        n = 0
        for i in range(oh):
            for j in range(ow):
                dimg[:, i:i + 2, j:j + 2] += dcols[n].reshape(C, 2, 2)
                n += 1
        return dimg, dk
    return y, vjp
''', ("img", "dimg[:, i:i + 2, j:j + 2] +=", "dimg[:, i:i + 2, j:j + 2] =", "overwrite"),
         ("k", "d = dy.reshape(O, -1).T", "d = dy.reshape(-1, O)", "head-order|permuted|operand"),
         ("k", "(d.T @ cols).reshape(k.shape)", "(d.T @ cols).reshape(k.shape) / len(cols)", "factor"),
         ("img", "dcols[n].reshape(C, 2, 2)", "dcols[n].reshape(C, 2, 2).swapaxes(1, 2)",
          "operand|transpose|permuted|head-order"))

Function("x:BTC w:VC t:BT<V", '''
def tied_lm_head(x, w, t):
    z = x @ w.T
    z = z - z.max(-1, keepdims=True)
    lse = np.log(np.exp(z).sum(-1))
    mask = np.ones(t.shape, bool)
    mask[:, 0] = False
    picked = np.take_along_axis(z, t[..., None], -1)[..., 0]
    L = ((lse - picked) * mask).sum() / mask.sum()
    def vjp(g):
        p = np.exp(z - lse[..., None])
        dz = p - np.eye(len(w))[t]
        dz = dz * mask[..., None] * g / mask.sum()
        return dz @ w, np.einsum('btv,btc->vc', dz, x), None
    return L, vjp
''', ("x", "dz * mask[..., None] * g", "dz * g", "mask"),
         ("w", "g / mask.sum()", "g / t.size", "factor"),
         ("w", "p - np.eye(len(w))[t]", "p", "missing-term|lost-path|overwrite"),
         ("w", "dz * mask[..., None] * g", "dz * ~mask[..., None] * g", "inverted-mask"),
         ("x", "dz @ w,", "-dz @ w,", "sign"),
         ("w", "'btv,btc->vc'", "'btv,btc->bvc'", "unbroadcast|shape"))
