"""A block of GPT with its backward pass by hand, and mistakes in it: how long does the check of a whole block take?

``functions.py`` reads this file; ``benchmarks/doctor.py --block`` measures.
"""

Function("x:248 g1:8 b1:8 Wa:8,24 ba:24, Wo:8,8 bo:8 g2:8 b2:8 Wf:8,32 bf:32, Wp:32,8 bp:8", '''
def block(x, g1, b1, Wa, ba, Wo, bo, g2, b2, Wf, bf, Wp, bp):
    B, T, C = x.shape
    H, D = 2, C // 2

    def norm(x, g, b):
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        s = np.sqrt(var + 1e-5)
        n = (x - mean) / s
        return n * g + b, n, s

    def norm_back(dy, g, n, s):
        dn = dy * g
        dx = (dn - dn.mean(-1, keepdims=True) - n * (dn * n).mean(-1, keepdims=True)) / s
        return dx, (dy * n).sum((0, 1)), dy.sum((0, 1))

    a, n1, s1 = norm(x, g1, b1)
    q, k, v = np.split(a @ Wa + ba, 3, axis=-1)
    q, k, v = (u.reshape(B, T, H, D).transpose(0, 2, 1, 3) for u in (q, k, v))
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(D)
    scores = np.where(np.tril(np.ones((T, T), bool)), scores, -np.inf)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    o = (p @ v).transpose(0, 2, 1, 3).reshape(B, T, C)
    h = x + o @ Wo + bo
    m, n2, s2 = norm(h, g2, b2)
    z = m @ Wf + bf
    t = np.tanh(0.7978845608 * (z + 0.044715 * z ** 3))
    u = 0.5 * z * (1 + t)
    y = h + u @ Wp + bp

    def vjp(dy):
        dbp = dy.sum((0, 1))
        dWp = np.einsum("btf,btc->fc", u, dy)
        du = dy @ Wp.T
        dz = du * (0.5 * (1 + t) + 0.5 * z * (1 - t ** 2) * 0.7978845608 * (1 + 3 * 0.044715 * z ** 2))
        dbf = dz.sum((0, 1))
        dWf = np.einsum("btc,btf->cf", m, dz)
        dh, dg2, db2 = norm_back(dz @ Wf.T, g2, n2, s2)
        dh = dh + dy
        dbo = dh.sum((0, 1))
        dWo = np.einsum("btc,btd->cd", o, dh)
        do = (dh @ Wo.T).reshape(B, T, H, D).transpose(0, 2, 1, 3)
        dp, dv = do @ v.transpose(0, 1, 3, 2), p.transpose(0, 1, 3, 2) @ do
        ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(D)
        dq, dk = ds @ k, ds.transpose(0, 1, 3, 2) @ q
        da = np.concatenate([w.transpose(0, 2, 1, 3).reshape(B, T, C) for w in (dq, dk, dv)], axis=-1)
        dba = da.sum((0, 1))
        dWa = np.einsum("btc,btd->cd", a, da)
        dx, dg1, db1 = norm_back(da @ Wa.T, g1, n1, s1)
        return dx + dh, dg1, db1, dWa, dba, dWo, dbo, dg2, db2, dWf, dbf, dWp, dbp
    return y, vjp
''', ("x", "dh = dh + dy", "pass", "lost-path"),
         ("Wa", "p * (dp - (p * dp).sum(-1, keepdims=True))", "p * (1 - p) * dp", "softmax-diagonal"),
         ("Wa", "dq, dk = ds @ k,", "dq, dk = ds @ q,", "operand"),
         ("x", "dx = (dn - dn.mean(-1, keepdims=True)", "dx = (dn", "mean-term"),
         ("Wf", "0.5 * z * (1 - t ** 2)", "0.5 * z * (1 - t)", "local-derivative"),
         ("Wa", "/ np.sqrt(D)\n        dq", "\n        dq", "factor"),
         ("x", "return dx + dh,", "return dx,", "lost-path"))
