"""Recurrent cells through time with mistakes; ``blind_mistakes.py`` says what each entry means."""

CASES = [
    ("4,3 3,5 5,5 5", """
def rnn(x, Wx, Wh, b):
    T, H = len(x), len(b)
    h = np.zeros((T + 1, H))
    for t in range(T):
        h[t + 1] = np.tanh(x[t] @ Wx + h[t] @ Wh + b)
    def vjp(dh):
        dx, dWx, dWh, db = (np.zeros_like(a) for a in (x, Wx, Wh, b))
        dnext = np.zeros(H)
        for t in reversed(range(T)):
            dz = (dh[t] + dnext) * (1 - h[t + 1] ** 2)
            dx[t] = Wx @ dz
            dWx += np.outer(x[t], dz)
            dWh += np.outer(h[t], dz)
            db += dz
            dnext = Wh @ dz
        return dx, dWx, dWh, db
    return h[1:], vjp
""", ("Wh", "dh[t] + dnext", "dh[t]", "lost-path"),
     ("Wh", "dWh += np", "dWh = np", "overwrite|lost-path"),
     ("x", "dnext = Wh @ dz", "dnext = Wh.T @ dz", "operand"),
     ("b", "(1 - h[t + 1] ** 2)", "(1 - h[t] ** 2)", "local-derivative", "operand"),
     ("Wx", " * (1 - h[t + 1] ** 2)", "", "local-derivative"),
     ("Wh", "np.outer(h[t], dz)", "np.outer(h[t + 1], dz)", "operand|local-derivative"),
     ("x", "dnext = Wh @ dz", "dnext += Wh @ dz", "leak|lost-path|overwrite", "missing-term"),
     ("b", "reversed(range(T))", "range(T)", "lost-path|leak|permuted", "operand"),
     ("Wh", "dWh += np.outer(h[t], dz)", "dWh += np.outer(dz, h[t])", "transpose")),
    ("2,4,3 2,5 3,5 5,5 5", """
class Cell:
    def __init__(self, U, W, b):
        self.U, self.W, self.b = U, W, b
        self.dU, self.dW, self.db = np.zeros_like(U), np.zeros_like(W), np.zeros_like(b)
        self.saved = []
    def step(self, x, h):
        new = np.tanh(x @ self.U + h @ self.W + self.b)
        self.saved.append((x, h, new))
        return new
    def back(self, dh):
        x, h, new = self.saved.pop()
        dz = dh * (1 - new * new)
        self.dU += x.T @ dz
        self.dW += h.T @ dz
        self.db += dz.sum(axis=0)
        return dz @ self.U.T, dz @ self.W.T
def last_state(x, h0, U, W, b):
    cell = Cell(U, W, b)
    h = h0
    for t in range(x.shape[1]):
        h = cell.step(x[:, t], h)
    saved = list(cell.saved)
    def vjp(dh):
        cell.__init__(U, W, b)
        cell.saved = list(saved)
        dx = np.zeros_like(x)
        for t in reversed(range(x.shape[1])):
            dx[:, t], dh = cell.back(dh)
        return dx, dh, cell.dU, cell.dW, cell.db
    return h, vjp
""", ("h0", "dz @ self.W.T", "dz @ self.W", "operand"),
     ("W", "self.dW += h.T @ dz", "self.dW = h.T @ dz", "overwrite|lost-path"),
     ("b", "self.db += dz.sum(axis=0)", "self.db += dz.mean(axis=0)", "reduction|factor"),
     ("x", "dx[:, t], dh = cell.back(dh)", "dx[:, t], _ = cell.back(dh)", "lost-path|operand|local-derivative",
      "overwrite"),
     ("U", "self.dU += x.T @ dz", "self.dU += x.T @ dh", "local-derivative"),
     ("U", "        cell.__init__(U, W, b)\n", "", "stale|mutates"),
     ("h0", "return dx, dh, cell.dU", "return dx, np.zeros_like(h0), cell.dU", "zero")),
    ("4,2,3 3,8 2,8 8", """
def sigmoid(v):
    return 1 / (1 + np.exp(-v))
def lstm(x, Wx, Wh, b):
    T, B, _ = x.shape
    H = Wh.shape[0]
    h, c = np.zeros((B, H)), np.zeros((B, H))
    out, cache = [], []
    for t in range(T):
        z = x[t] @ Wx + h @ Wh + b
        i, f, o = sigmoid(z[:, :H]), sigmoid(z[:, H:2 * H]), sigmoid(z[:, 2 * H:3 * H])
        g = np.tanh(z[:, 3 * H:])
        h_prev, c_prev = h, c
        c = f * c_prev + i * g
        h = o * np.tanh(c)
        cache.append((i, f, o, g, h_prev, c_prev, c))
        out.append(h)
    def vjp(dout):
        dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
        dh_next, dc_next = np.zeros((B, H)), np.zeros((B, H))
        for t in range(T - 1, -1, -1):
            i, f, o, g, h_prev, c_prev, c_now = cache[t]
            dh = dout[t] + dh_next
            tc = np.tanh(c_now)
            do = dh * tc
            dc = dh * o * (1 - tc ** 2) + dc_next
            di, df, dg = dc * g, dc * c_prev, dc * i
            dz = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g ** 2)])
            dWx += x[t].T @ dz
            dWh += h_prev.T @ dz
            db += dz.sum(0)
            dx[t] = dz @ Wx.T
            dh_next = dz @ Wh.T
            dc_next = dc * f
        return dx, dWx, dWh, db
    return np.stack(out), vjp
""", ("Wx", "(1 - tc ** 2) + dc_next", "(1 - tc ** 2)", "lost-path"),
     ("Wh", "dout[t] + dh_next", "dout[t]", "lost-path"),
     ("b", "dc_next = dc * f", "dc_next = dc", "local-derivative", "lost-path"),
     ("b", "df * f * (1 - f), do * o * (1 - o)", "do * o * (1 - o), df * f * (1 - f)", "gate-order", "permuted"),
     ("Wx", "dg * (1 - g ** 2)", "dg * g * (1 - g)", "local-derivative"),
     ("x", "dh * o * (1 - tc ** 2)", "dh * o", "local-derivative", "lost-path"),
     ("Wh", "dh * o * (1 - tc ** 2)", "dh * (1 - tc ** 2)", "local-derivative", "lost-path"),
     ("b", "dc * g, dc * c_prev", "dc * g, dc * c_now", "local-derivative|operand"),
     ("Wh", "dWh += h_prev.T", "dWh += out[t].T", "operand|local-derivative"),
     ("b", "db += dz.sum(0)", "db += dz.sum(1).sum(0)", "reduction|leak")),
    ("4,3 3,4 4,4 3,4 4,4 3,4 4,4", """
def sg(v):
    return 1.0 / (1.0 + np.exp(-v))
def gru(x, Wz, Uz, Wr, Ur, Wn, Un):
    T, H = len(x), Uz.shape[0]
    h = [np.zeros(H)]
    saved = []
    for t in range(T):
        z = sg(x[t] @ Wz + h[-1] @ Uz)
        r = sg(x[t] @ Wr + h[-1] @ Ur)
        n = np.tanh(x[t] @ Wn + (r * h[-1]) @ Un)
        saved.append((z, r, n))
        h.append((1 - z) * n + z * h[-1])
    def vjp(dh_all):
        dx = np.zeros_like(x)
        grads = {k: np.zeros_like(v) for k, v in dict(Wz=Wz, Uz=Uz, Wr=Wr, Ur=Ur, Wn=Wn, Un=Un).items()}
        carry = np.zeros(H)
        for t in reversed(range(T)):
            z, r, n = saved[t]
            hp = h[t]
            dh = dh_all[t] + carry
            dn = dh * (1 - z) * (1 - n * n)
            dz = dh * (hp - n) * z * (1 - z)
            drh = Un @ dn
            dr = drh * hp * r * (1 - r)
            carry = dh * z + drh * r + Uz @ dz + Ur @ dr
            dx[t] = Wz @ dz + Wr @ dr + Wn @ dn
            for key, d, u in (("z", dz, hp), ("r", dr, hp), ("n", dn, r * hp)):
                grads["W" + key] += np.outer(x[t], d)
                grads["U" + key] += np.outer(u, d)
        return (dx, *grads.values())
    return np.array(h[1:]), vjp
""", ("Wn", "carry = dh * z + ", "carry = ", "lost-path"),
     ("Uz", "drh * r + Uz @ dz + Ur @ dr", "drh * r + Uz @ dz", "lost-path"),
     ("Wz", "(hp - n) * z", "(n - hp) * z", "sign"),
     ("Wz", "(hp - n) * z", "hp * z", "lost-path|missing-term|overwrite", "local-derivative"),
     ("Un", '("n", dn, r * hp)', '("n", dn, hp)', "local-derivative|operand"),
     ("Wr", "drh * hp * r", "drh * r", "local-derivative"),
     ("x", " + Wr @ dr", "", "lost-path|overwrite|missing-term"),
     ("Wz", '("z", dz, hp), ("r", dr, hp)', '("z", dr, hp), ("r", dz, hp)', "gate-order|swapped", "permuted"),
     ("Un", "drh = Un @ dn", "drh = Un.T @ dn", "operand", "lost-path"),
     ("Wn", "dh * (1 - z) * (1 - n * n)", "dh * z * (1 - n * n)", "local-derivative")),
    ("5,3 u3 3", """
def leaky_integrator(u, decay, start):
    def roll_out():
        s = start
        for row in u:
            s = decay * s + row
            yield s
    states = np.array(list(roll_out()))
    def vjp(ds):
        before = np.vstack([start, states[:-1]])
        du, ddecay, acc = np.zeros_like(u), np.zeros_like(decay), np.zeros_like(start)
        for t in range(len(u) - 1, -1, -1):
            acc = acc + ds[t]
            du[t] = acc
            ddecay += acc * before[t]
            acc = acc * decay
        return du, ddecay, acc
    return states, vjp
""", ("decay", "ddecay += acc * before[t]", "ddecay += ds[t] * before[t]", "lost-path"),
     ("start", "return du, ddecay, acc", "return du, ddecay, acc / decay", "local-derivative", "row-scale"),
     ("decay", "acc * before[t]", "acc * states[t]", "local-derivative|operand"),
     ("u", "du[t] = acc\n", "du[t] = ds[t]\n", "lost-path"),
     ("start", "acc = acc + ds[t]", "acc = ds[t]", "lost-path|overwrite")),
    ("3,4 4,4 4", """
def residual_steps(x, W, b):
    h = [x]
    for _ in range(3):
        h.append(h[-1] + np.maximum(h[-1] @ W + b, 0))
    def vjp(dy):
        dW, db = np.zeros_like(W), np.zeros_like(b)
        for t in (2, 1, 0):
            dz = dy * (h[t] @ W + b > 0)
            dW += h[t].T @ dz
            db += dz.sum(0)
            dy = dy + dz @ W.T
        return dy, dW, db
    return h[-1], vjp
""", ("x", "dy = dy + dz @ W.T", "dy = dz @ W.T", "lost-path"),
     ("W", "dW += h[t].T @ dz", "dW += x.T @ dz", "operand"),
     ("b", " * (h[t] @ W + b > 0)", "", "mask|local-derivative"),
     ("x", "dy = dy + dz @ W.T", "dy += dz @ W.T", "mutates"),
     ("x", "dy = dy + dz @ W.T", "dy = dy", "lost-path"),
     ("W", "(2, 1, 0)", "(0, 1, 2)", "operand|lost-path|local-derivative", "mask")),
    ("4,3 3 3", """
def two_directions(x, a, b):
    T = len(x)
    fwd, bwd = np.zeros_like(x), np.zeros_like(x)
    for t in range(T):
        fwd[t] = np.tanh(x[t] + a * (fwd[t - 1] if t > 0 else 0))
    for t in range(T - 1, -1, -1):
        bwd[t] = np.tanh(x[t] + b * (bwd[t + 1] if t + 1 < T else 0))
    def vjp(dy):
        dx, da, db = np.zeros_like(x), np.zeros_like(a), np.zeros_like(b)
        carry = 0
        for t in range(T - 1, -1, -1):
            dz = (dy[t] + carry) * (1 - fwd[t] ** 2)
            dx[t] += dz
            if t > 0:
                da += dz * fwd[t - 1]
            carry = a * dz
        carry = 0
        for t in range(T):
            dz = (dy[t] + carry) * (1 - bwd[t] ** 2)
            dx[t] += dz
            if t + 1 < T:
                db += dz * bwd[t + 1]
            carry = b * dz
        return dx, da, db
    return fwd + bwd, vjp
""", ("x", "(1 - fwd[t] ** 2)\n            dx[t] += dz", "(1 - fwd[t] ** 2)\n            dx[t] = 0",
      "lost-path|overwrite"),
     ("b", "        for t in range(T):\n            dz = (dy[t] + carry) * (1 - bwd[t] ** 2)",
      "        for t in range(T):\n            dz = dy[t] * (1 - bwd[t] ** 2)", "lost-path"),
     ("x", "(1 - bwd[t] ** 2)\n            dx[t] += dz", "(1 - bwd[t] ** 2)\n            dx[t] = dz",
      "overwrite|lost-path"),
     ("a", "da += dz * fwd[t - 1]", "da += dz * x[t - 1]", "operand|local-derivative"),
     ("b", "        carry = 0\n        for t in range(T):", "        for t in range(T):", "leak|lost-path|stale",
      "missing-term")),
]
