"""Mistakes in loops, cells, pairs and layers, as students make them: the half that is held out.

Each was written, with the codes that a teacher would accept, before the doctor was run on it. While the hypotheses were
improved, only the totals of this half were looked at, and whether its forward passes are recorded: 117 of 138 were
named and 10 misnamed. Then three defects that this half shows were repaired. ``functions.py`` reads this file and says
what ``Function`` takes; ``loops_studied.py`` is the other half.
"""

Function("xs:TV Wxh:HV Whh:HH Why:OH bh:H t:T<O", '''
def char_rnn(xs, Wxh, Whh, Why, bh, t):
    hs, ps, loss = {-1: np.zeros(len(bh))}, {}, 0.0
    for i in range(len(xs)):
        hs[i] = np.tanh(Wxh @ xs[i] + Whh @ hs[i - 1] + bh)
        y = Why @ hs[i]
        ps[i] = np.exp(y - y.max()) / np.sum(np.exp(y - y.max()))
        loss += -np.log(ps[i][t[i]])

    def vjp(dloss):
        dxs = np.zeros_like(xs)
        dWxh, dWhh, dWhy, dbh = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why), np.zeros_like(bh)
        dhnext = np.zeros_like(bh)
        for i in reversed(range(len(xs))):
            dy = ps[i].copy()
            dy[t[i]] -= 1
            dy *= dloss
            dWhy += np.outer(dy, hs[i])
            dh = Why.T @ dy + dhnext
            draw = (1 - hs[i] * hs[i]) * dh
            dbh += draw
            dWxh += np.outer(draw, xs[i])
            dWhh += np.outer(draw, hs[i - 1])
            dxs[i] = Wxh.T @ draw
            dhnext = Whh.T @ draw
        return dxs, dWxh, dWhh, dWhy, dbh, None
    return loss, vjp
''', ("Whh", "np.outer(draw, hs[i - 1])", "np.outer(draw, hs[i])", "operand"),
         ("Whh", "dh = Why.T @ dy + dhnext", "dh = Why.T @ dy", "lost-path"),
         ("bh", "(1 - hs[i] * hs[i]) * dh", "(1 - hs[i]) * dh", "local-derivative"),
         ("Wxh", "dhnext = Whh.T @ draw", "dhnext = Whh.T @ dh", "local-derivative|operand"),
         ("Wxh", "dhnext = Whh.T @ draw", "dhnext = Whh @ draw", "operand|transpose"),
         ("Why", "np.outer(dy, hs[i])", "np.outer(dy, hs[i - 1])", "operand"),
         ("Wxh", "dy[t[i]] -= 1", "dy[t[i]] -= 0", "missing-term"),
         ("bh", "dbh += draw", "dbh = draw", "overwrite|lost-path"),
         ("Wxh", "reversed(range(len(xs)))", "range(len(xs))", "leak|lost-path|permuted"),
         ("Wxh", "dy[t[i]] -= 1", "dy[t[i - 1]] -= 1", "operand|permuted"),
         ("Wxh", "(1 - hs[i] * hs[i])", "(1 - hs[i - 1] * hs[i - 1])", "local-derivative"))

Function("x:ND h:NH c:NH", '''
class LSTMCell:
    def __init__(self):
        rng = np.random.default_rng(5)
        self.W = rng.normal(size=(12, 28))
        self.b = rng.normal(size=28)

    def forward(self, x, h, c):
        self.xh = np.concatenate([x, h], axis=1)
        z = self.xh @ self.W + self.b
        i, f, o, g = np.split(z, 4, axis=1)
        s = lambda a: 1 / (1 + np.exp(-a))
        self.i, self.f, self.o, self.g = s(i), s(f), s(o), np.tanh(g)
        self.c, self.n = c, x.shape[1]
        self.c_new = self.f * c + self.i * self.g
        return self.o * np.tanh(self.c_new)

    def backward(self, dh):
        tc = np.tanh(self.c_new)
        do = dh * tc
        dc = dh * self.o * (1 - tc ** 2)
        df, di, dg = dc * self.c, dc * self.g, dc * self.i
        dz = np.hstack([di * self.i * (1 - self.i), df * self.f * (1 - self.f), do * self.o * (1 - self.o),
                        dg * (1 - self.g ** 2)])
        self.dW = self.xh.T @ dz
        self.db = dz.sum(axis=0)
        dxh = dz @ self.W.T
        return dxh[:, :self.n], dxh[:, self.n:], dc * self.f

subject = LSTMCell
''', ("W", "df, di, dg = dc * self.c", "df, di, dg = dc * self.c_new", "operand|local-derivative"),
         ("c", "dc * self.f\n", "dc\n", "local-derivative|lost-path"),
         ("W", "dh * self.o * (1 - tc ** 2)", "dh * self.o", "local-derivative"),
         ("W", "dh * self.o * (1 - tc ** 2)", "dh * self.o * (1 - self.c_new ** 2)", "local-derivative"),
         ("b", "dz.sum(axis=0)", "dz.mean(axis=0)", "factor|reduction"),
         ("W", "dc * self.g, dc * self.i", "dc * self.i, dc * self.g", "operand|swapped|local-derivative|gate-order"),
         ("b", "do * self.o * (1 - self.o)", "do * (1 - self.o ** 2)", "local-derivative"),
         ("b", "dg * (1 - self.g ** 2)", "dg * self.g * (1 - self.g)", "local-derivative"))

Function("x:TD W:DH U:HH", '''
def minimal_gated(x, W, U):
    T, H = len(x), U.shape[0]
    h = [np.zeros(H)]
    f, n = [], []
    for t in range(T):
        f.append(1 / (1 + np.exp(-(x[t] @ W + h[t] @ U))))
        n.append(np.tanh(x[t] @ W * f[t]))
        h.append((1 - f[t]) * h[t] + f[t] * n[t])

    def vjp(dy):
        dx, dW, dU, g = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U), np.zeros(H)
        for t in range(T)[::-1]:
            g = g + dy[t]
            dn = g * f[t] * (1 - n[t] ** 2)
            df = g * (n[t] - h[t]) + dn * (x[t] @ W)
            dz = df * f[t] * (1 - f[t])
            dw = dz + dn * f[t]
            dW += np.outer(x[t], dw)
            dU += np.outer(h[t], dz)
            dx[t] = W @ dw
            g = g * (1 - f[t]) + U @ dz
        return dx, dW, dU
    return np.array(h[1:]), vjp
''', ("U", "np.outer(h[t], dz)", "np.outer(h[t + 1], dz)", "operand"),
         ("U", "(n[t] - h[t]) + dn", "(n[t] - h[t + 1]) + dn", "operand|local-derivative"),
         ("W", " + U @ dz", "", "lost-path"),
         ("W", "g = g * (1 - f[t]) + U", "g = U", "lost-path"),
         ("W", "g * (n[t] - h[t]) + dn * (x[t] @ W)", "g * (n[t] - h[t])", "lost-path|missing-term|overwrite"),
         ("U", "g * (n[t] - h[t]) +", "g * n[t] +", "lost-path|missing-term|overwrite"),
         ("W", "dz + dn * f[t]", "dz + dn", "local-derivative|missing-term"),
         ("x", "g = g * (1 - f[t])", "g = g * f[t]", "operand|local-derivative"),
         ("W", "dW += np", "dW = np", "overwrite|lost-path"))

Function("x:TD U:HD V:HH R:HH", '''
def bidirectional(x, U, V, R):
    T, H = len(x), len(U)
    f, b = np.zeros((T, H)), np.zeros((T, H))
    h = np.zeros(H)
    for t in range(T):
        h = np.tanh(U @ x[t] + V @ h)
        f[t] = h
    h = np.zeros(H)
    for t in range(T - 1, -1, -1):
        h = np.tanh(U @ x[t] + R @ h)
        b[t] = h

    def vjp(dy):
        dx, dU, dV, dR = np.zeros_like(x), np.zeros_like(U), np.zeros_like(V), np.zeros_like(R)
        g = np.zeros(H)
        for t in range(T - 1, -1, -1):
            da = (g + dy[t]) * (1 - f[t] ** 2)
            dU += np.outer(da, x[t])
            dx[t] += U.T @ da
            if t > 0:
                dV += np.outer(da, f[t - 1])
            g = V.T @ da
        g = np.zeros(H)
        for t in range(T):
            da = (g + dy[t]) * (1 - b[t] ** 2)
            dU += np.outer(da, x[t])
            dx[t] += U.T @ da
            if t < T - 1:
                dR += np.outer(da, b[t + 1])
            g = R.T @ da
        return dx, dU, dV, dR
    return f + b, vjp
''', ("R", "dR += np.outer(da, b[t + 1])", "dR += np.outer(da, b[t])", "operand"),
         ("V", "dV += np.outer(da, f[t - 1])", "dV += np.outer(da, f[t])", "operand"),
         ("R", "g = R.T @ da", "g = V.T @ da", "operand"),
         ("V", "g = V.T @ da", "g = R.T @ da", "operand"),
         ("R", "(1 - b[t] ** 2)", "(1 - f[t] ** 2)", "local-derivative"),
         ("R", "dR += np.outer(da, b[t + 1])", "dR += np.outer(da, f[t + 1])", "operand"),
         ("V", "dV += np", "dV = np", "overwrite|lost-path"),
         ("U", "(g + dy[t]) * (1 - f[t] ** 2)", "dy[t] * (1 - f[t] ** 2)", "lost-path"))

Function("a:TC b:TC c:TC x:TC", '''
def selective_scan(a, b, c, x):
    decay = 1 / (1 + np.exp(-a))
    h, states = np.zeros(x.shape[1]), []
    y = np.empty_like(x)
    for t, (d, u) in enumerate(zip(decay, b * x)):
        h = d * h + u
        states.append(h)
        y[t] = c[t] * h

    def vjp(dy):
        da, db, dc, dx = (np.zeros_like(x) for _ in range(4))
        g = np.zeros(x.shape[1])
        for t in range(len(x) - 1, -1, -1):
            g = g + dy[t] * c[t]
            dc[t] = dy[t] * states[t]
            before = states[t - 1] if t > 0 else np.zeros_like(g)
            da[t] = g * before * decay[t] * (1 - decay[t])
            db[t] = g * x[t]
            dx[t] = g * b[t]
            g = g * decay[t]
        return da, db, dc, dx
    return y, vjp
''', ("a", "g * before * decay", "g * states[t] * decay", "operand|local-derivative"),
         ("a", "states[t - 1] if t > 0 else np.zeros_like(g)", "states[t - 1]", "operand|leak|local-derivative|mask"),
         ("c", "dy[t] * states[t]", "dy[t] * states[t - 1]", "operand|local-derivative"),
         ("x", "g = g * decay[t]", "g = g * a[t]", "operand|local-derivative"),
         ("x", "g = g + dy[t] * c[t]", "g = g + dy[t]", "local-derivative|lost-path|operand"),
         ("x", "g = g + dy[t] * c[t]", "g = dy[t] * c[t]", "lost-path"),
         ("x", "dx[t] = g * b[t]", "dx[t] = g * c[t]", "operand|swapped|local-derivative"),
         ("x", "g = g * decay[t]", "g = g * (1 - decay[t])", "operand|local-derivative"))

Function("x:TN v0:N w:N", '''
def leaky_neurons(x, v0, w):
    v, trace = v0.copy(), []
    for t in range(len(x)):
        v = v + 0.2 * (w * x[t] - v)
        trace.append(v)
    y = np.tanh(np.stack(trace))

    def vjp(dy):
        dx, dw, g = np.zeros_like(x), np.zeros_like(w), np.zeros_like(v0)
        for t in range(len(x) - 1, -1, -1):
            g = g + dy[t] * (1 - y[t] ** 2)
            dx[t] = 0.2 * w * g
            dw += 0.2 * x[t] * g
            g = 0.8 * g
        return dx, g, dw
    return y, vjp
''', ("v0", "g = 0.8 * g", "g = 0.2 * g", "operand|local-derivative|factor|missing-term"),
         ("v0", "g = 0.8 * g", "pass", "local-derivative|lost-path|missing-term"),
         ("w", "dw += 0.2 * x[t] * g", "dw += x[t] * g", "factor"),
         ("w", "dw += 0.2", "dw = 0.2", "overwrite"),
         ("x", "dx[t] = 0.2 * w * g", "dx[t] = 0.2 * x[t] * g", "operand|swapped|local-derivative"),
         ("x", "(1 - y[t] ** 2)", "(1 - trace[t] ** 2)", "local-derivative"),
         ("v0", "return dx, g, dw", "return dx, 0.2 * g, dw", "factor"),
         ("x", "(1 - y[t] ** 2)", "(1 - y[t - 1] ** 2)", "local-derivative"))

Function("x:NC g:C b:C", '''
def layer_norm_rows(x, g, b):
    y = []
    for row in x:
        m = sum(row) / len(row)
        s = np.sqrt(((row - m) ** 2).mean() + 1e-5)
        y.append(g * (row - m) / s + b)

    def vjp(dy):
        dx, dg, db = np.zeros_like(x), np.zeros_like(g), np.zeros_like(b)
        for i in range(len(x)):
            m, s = x[i].mean(), np.sqrt(x[i].var() + 1e-5)
            n = (x[i] - m) / s
            dn = dy[i] * g
            dx[i] = (dn - dn.mean() - n * (dn * n).mean()) / s
            dg += dy[i] * n
            db += dy[i]
        return dx, dg, db
    return np.stack(y), vjp
''', ("x", "dn - dn.mean() - n", "dn - n", "mean-term"),
         ("x", " - n * (dn * n).mean()", "", "variance-term"),
         ("x", "(dn * n).mean()", "(dn * n).sum()", "variance-term|reduction"),
         ("x", "(dn * n).mean()", "dn.mean()", "variance-term|local-derivative"),
         ("g", "dg += dy[i] * n", "dg += dy[i] * x[i]", "operand|local-derivative"),
         ("g", "dg += dy[i] * n", "dg = dy[i] * n", "overwrite"),
         ("x", "dn = dy[i] * g", "dn = dy[i]", "local-derivative"),
         ("x", "(dn * n).mean()) / s", "(dn * n).mean()) / s ** 2", "row-scale|local-derivative"))

Function("X:NI", '''
class FullyConnected:
    def __init__(self):
        rng = np.random.default_rng(2)
        self.parameters = {"W": rng.normal(size=(5, 7)), "b": rng.normal(size=(1, 7))}
        self.gradients = {"W": np.zeros((5, 7)), "b": np.zeros((1, 7))}
        self.X = []

    def forward(self, X):
        self.X.append(X)
        Z = X @ self.parameters["W"] + self.parameters["b"]
        return Z / (1 + np.exp(-Z))

    def _bwd(self, dLdy, X):
        Z = X @ self.parameters["W"] + self.parameters["b"]
        s = 1 / (1 + np.exp(-Z))
        dZ = dLdy * (s + Z * s * (1 - s))
        return dZ @ self.parameters["W"].T, X.T @ dZ, dZ.sum(axis=0, keepdims=True)

    def backward(self, dLdy):
        dX, dW, db = self._bwd(dLdy, self.X.pop())
        self.gradients["W"] += dW
        self.gradients["b"] += db
        return dX

subject = FullyConnected
''', ("W", "s + Z * s * (1 - s)", "s + s * (1 - s)", "local-derivative"),
         ("W", "s + Z * s * (1 - s)", "s", "missing-term|local-derivative|overwrite|lost-path"),
         ("b", "dZ.sum(axis=0, keepdims=True)", "dLdy.sum(axis=0, keepdims=True)", "local-derivative|lost-path"),
         ("X", "dZ @ self.parameters[\"W\"].T", "dLdy @ self.parameters[\"W\"].T", "local-derivative|lost-path"),
         ("W", "X.T @ dZ", "X.T @ dZ / X.shape[0]", "factor"),
         ("W", "s + Z * s * (1 - s)", "s + Z * s * (1 + s)", "local-derivative|missing-term"))

Function("x:67 w:33", '''
def convolve_2d(x, w):
    H, W = x.shape[0] - 2, x.shape[1] - 2
    y = np.zeros((H, W))
    for i in range(H):
        for j in range(W):
            for a in range(3):
                for b in range(3):
                    y[i, j] += x[i + a, j + b] * w[a, b]

    def vjp(dy):
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for i in range(H):
            for j in range(W):
                dw += dy[i, j] * x[i:i + 3, j:j + 3]
                dx[i:i + 3, j:j + 3] += dy[i, j] * w
        return dx, dw
    return y, vjp
''', ("x", "dx[i:i + 3, j:j + 3] += ", "dx[i:i + 3, j:j + 3] = ", "overwrite"),
         ("x", "dy[i, j] * w\n", "dy[i, j] * w.T\n", "operand|transpose"),
         ("x", "dy[i, j] * w\n", "dy[i, j] * w[::-1, ::-1]\n", "operand|permuted"),
         ("w", "dw += dy", "dw = dy", "overwrite"),
         ("w", "dy[i, j] * x[i:i + 3, j:j + 3]", "dy[i, j] * x[i:i + 3, :3]", "operand|permuted"))

Function("x:2C9", '''
class AveragePool:
    def forward(self, x):
        self.shape = x.shape
        N, C, L = x.shape
        y = np.zeros((N, C, (L - 3) // 2 + 1))
        for i in range(y.shape[2]):
            y[:, :, i] = x[:, :, 2 * i:2 * i + 3].mean(axis=2)
        return y

    def backward(self, dy):
        dx = np.zeros(self.shape)
        for i in range(dy.shape[2]):
            dx[:, :, 2 * i:2 * i + 3] += dy[:, :, i:i + 1] / 3
        return dx

subject = AveragePool
''', ("x", "+= dy[:, :, i:i + 1] / 3", "= dy[:, :, i:i + 1] / 3", "overwrite"),
         ("x", "dy[:, :, i:i + 1] / 3", "dy[:, :, i:i + 1] / 2", "factor"),
         ("x", "dx[:, :, 2 * i:2 * i + 3]", "dx[:, :, i:i + 3]", "permuted|leak"),
         ("x", "dx[:, :, 2 * i:2 * i + 3]", "dx[:, :, 2 * i:2 * i + 2]", "dropped|lost-path|overwrite|permuted"))

Function("x:NC g:C", '''
import torch

class RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, g):
        r = torch.rsqrt((x * x).mean(dim=-1, keepdim=True) + 1e-6)
        ctx.save_for_backward(x, g, r)
        return x * r * g

    @staticmethod
    def backward(ctx, dy):
        x, g, r = ctx.saved_tensors
        dn = dy * g
        dx = r * dn - x * r ** 3 * (dn * x).mean(dim=-1, keepdim=True)
        return dx, (dy * x * r).sum(dim=0)

subject = RMSNorm
''', ("x", "r ** 3", "r ** 2", "variance-term|row-scale|local-derivative"),
         ("x", "(dn * x).mean(dim=-1, keepdim=True)", "(dn * x).mean()", "reduction|leak"),
         ("x", "(dn * x).mean(dim=-1, keepdim=True)", "(dn * x).sum(dim=-1, keepdim=True)", "reduction|variance-term"),
         ("g", "(dy * x * r).sum(dim=0)", "(dy * x).sum(dim=0)", "operand|local-derivative"),
         ("x", "dn = dy * g", "dn = dy", "local-derivative"))

Function("x:TC w:C u:C", '''
import torch

class GatedCell(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, u):
        h, hs, gs = torch.zeros_like(w), [], []
        for t in range(x.shape[0]):
            g = torch.sigmoid(w * x[t] + u * h)
            h = g * h + (1 - g) * x[t]
            hs.append(h)
            gs.append(g)
        ctx.save_for_backward(x, w, u, torch.stack(hs), torch.stack(gs))
        return torch.stack(hs)

    @staticmethod
    def backward(ctx, dy):
        x, w, u, hs, gs = ctx.saved_tensors
        dx, dw, du, carry = torch.zeros_like(x), torch.zeros_like(w), torch.zeros_like(u), torch.zeros_like(w)
        for t in reversed(range(len(x))):
            before = hs[t - 1] if t > 0 else torch.zeros_like(w)
            dh = dy[t] + carry
            dz = dh * (before - x[t]) * gs[t] * (1 - gs[t])
            dw += dz * x[t]
            du += dz * before
            dx[t] = dh * (1 - gs[t]) + dz * w
            carry = dh * gs[t] + dz * u
        return dx, dw, du

subject = GatedCell
''', ("u", "du += dz * before", "du += dz * hs[t]", "operand|local-derivative"),
         ("w", "(before - x[t])", "(hs[t] - x[t])", "operand|local-derivative"),
         ("w", "(before - x[t])", "(x[t] - before)", "missing-term|sign"),
         ("x", "dh * (1 - gs[t]) + dz * w", "dz * w", "lost-path|missing-term|overwrite"),
         ("x", "carry = dh * gs[t] + dz * u", "carry = dh * gs[t]", "lost-path|missing-term"),
         ("x", "carry = dh * gs[t] + dz * u", "carry = dz * u", "lost-path|missing-term"),
         ("w", "dh = dy[t] + carry", "dh = dy[t]", "lost-path"),
         ("u", "gs[t] * (1 - gs[t])", "gs[t - 1] * (1 - gs[t - 1])", "local-derivative"))

Function("x:TI W:II", '''
import jax
import jax.numpy as jnp

@jax.custom_vjp
def rnn(x, W):
    h, out = jnp.zeros(x.shape[1]), []
    for t in range(x.shape[0]):
        h = jnp.tanh(x[t] + h @ W)
        out.append(h)
    return jnp.stack(out)

def rnn_fwd(x, W):
    y = rnn(x, W)
    return y, (x, W, y)

def rnn_bwd(kept, dy):
    x, W, y = kept
    g, dW, dx = jnp.zeros(x.shape[1]), jnp.zeros_like(W), jnp.zeros_like(x)
    for t in range(x.shape[0] - 1, -1, -1):
        da = (g + dy[t]) * (1 - y[t] ** 2)
        dx = dx.at[t].set(da)
        if t > 0:
            dW = dW + jnp.outer(y[t - 1], da)
        g = W @ da
    return dx, dW

rnn.defvjp(rnn_fwd, rnn_bwd)
subject = rnn
''', ("W", "jnp.outer(y[t - 1], da)", "jnp.outer(y[t], da)", "operand"),
         ("x", "g = W @ da", "g = W.T @ da", "operand|transpose"),
         ("W", "(g + dy[t])", "dy[t]", "lost-path"),
         ("W", "dW = dW + jnp.outer", "dW = jnp.outer", "overwrite|lost-path"),
         ("W", "jnp.outer(y[t - 1], da)", "jnp.outer(da, y[t - 1])", "transpose"),
         ("x", "dx = dx.at[t].set(da)", "dx = dx.at[t - 1].set(da)", "permuted"))

Function("E:VD W:DH U:HV ids:T<V", '''
def bigram_loss(E, W, U, ids):
    N, loss, kept = len(ids) - 1, 0.0, []
    for i in range(N):
        x = E[ids[i]]
        h = np.tanh(x @ W)
        z = h @ U
        p = np.exp(z - z.max())
        p /= p.sum()
        kept.append((x, h, p))
        loss -= np.log(p[ids[i + 1]])

    def vjp(dL):
        dE, dW, dU = np.zeros_like(E), np.zeros_like(W), np.zeros_like(U)
        for i in range(N):
            x, h, p = kept[i]
            dz = p.copy()
            dz[ids[i + 1]] -= 1
            dz = dz * dL / N
            dU += np.outer(h, dz)
            dh = (U @ dz) * (1 - h ** 2)
            dW += np.outer(x, dh)
            dE[ids[i]] += W @ dh
        return dE, dW, dU, None
    return loss / N, vjp
''', ("E", "dE[ids[i]] += W @ dh", "dE[ids[i]] = W @ dh", "duplicate-index|overwrite"),
         ("E", "dE[ids[i]] += W @ dh", "dE[ids[i + 1]] += W @ dh", "permuted|leak"),
         ("U", "dz[ids[i + 1]] -= 1", "dz[ids[i]] -= 1", "operand|permuted"),
         ("U", "dz * dL / N", "dz * dL / len(ids)", "factor"),
         ("W", "(U @ dz) * (1 - h ** 2)", "U @ dz", "local-derivative"),
         ("U", "dU += np", "dU = np", "overwrite|lost-path"),
         ("U", "dz[ids[i + 1]] -= 1", "dz -= 1", "missing-term|mask|leak"))

Function("x:NC W:CC s:L", '''
def residual_network(x, W, s):
    h = [x]
    for k in range(len(s)):
        h.append(h[k] + s[k] * np.maximum(h[k] @ W, 0))

    def vjp(dy):
        g, dW, ds = dy, np.zeros_like(W), np.zeros_like(s)
        for k in range(len(s) - 1, -1, -1):
            z = h[k] @ W
            ds[k] = (g * np.maximum(z, 0)).sum()
            dz = s[k] * g * (z > 0)
            dW += h[k].T @ dz
            g = g + dz @ W.T
        return g, dW, ds
    return h[-1], vjp
''', ("W", "z = h[k] @ W\n", "z = h[k + 1] @ W\n", "operand|local-derivative|mask|inverted-mask|dropped"),
         ("W", "dW += h[k].T", "dW += h[k + 1].T", "operand"),
         ("x", "g = g + dz @ W.T", "g = dz @ W.T", "lost-path"),
         ("s", "g = g + dz @ W.T", "pass", "lost-path"),
         ("W", "dz = s[k] * g * (z > 0)", "dz = s[k] * g", "mask"),
         ("W", "dz = s[k] * g * (z > 0)", "dz = g * (z > 0)", "local-derivative|operand|factor"),
         ("s", "(g * np.maximum(z, 0))", "(dy * np.maximum(z, 0))", "lost-path|operand"),
         ("W", "dz = s[k] * g", "dz = s[k - 1] * g", "operand|local-derivative"))

Function("w:D A:DD b:D", '''
def unrolled_descent(w, A, b):
    trace, v, lr, mu = [], np.zeros_like(w), 0.1, 0.5
    p = w
    for step in range(4):
        trace.append(p)
        v = mu * v + A @ p - b
        p = p - lr * v

    def vjp(dp):
        dA, db, dv = np.zeros_like(A), np.zeros_like(b), np.zeros_like(w)
        for step in range(3, -1, -1):
            dv = dv - lr * dp
            dA += np.outer(dv, trace[step])
            db -= dv
            dp = dp + A.T @ dv
            dv = mu * dv
        return dp, dA, db
    return p, vjp
''', ("A", "np.outer(dv, trace[step])", "np.outer(dv, trace[step - 1])", "operand"),
         ("A", "np.outer(dv, trace[step])", "np.outer(dv, p)", "operand"),
         ("w", "dp = dp + A.T @ dv", "dp = A.T @ dv", "lost-path"),
         ("b", "dv = mu * dv", "dv = np.zeros_like(w)", "lost-path"),
         ("b", "dv = mu * dv", "pass", "local-derivative|factor|missing-term"),
         ("w", "dp + A.T @ dv", "dp + A @ dv", "operand|transpose"),
         ("b", "db -= dv", "db += dv", "sign"),
         ("b", "dv = dv - lr * dp", "dv = -lr * dp", "lost-path"))

Function("x:TC", '''
def running_product(x):
    y, p = np.zeros_like(x), np.ones(x.shape[1])
    for t in range(len(x)):
        p = p * x[t]
        y[t] = p

    def vjp(dy):
        dx, g = np.zeros_like(x), np.zeros(x.shape[1])
        for t in range(len(x) - 1, -1, -1):
            g = g + dy[t]
            dx[t] = g * (y[t - 1] if t else 1)
            g = g * x[t]
        return dx
    return y, vjp
''', ("x", "g * (y[t - 1] if t else 1)", "g * y[t]", "operand|local-derivative"),
         ("x", "g = g * x[t]", "g = g * x[t - 1]", "operand|permuted|local-derivative"),
         ("x", "g = g + dy[t]", "g = dy[t]", "lost-path"),
         ("x", "g = g * x[t]", "pass", "local-derivative|lost-path"),
         ("x", "g * (y[t - 1] if t else 1)", "g", "local-derivative|missing-term"))

Function("q:TD k:TD v:TD", '''
def window_attention(q, k, v):
    T, y, P = len(q), np.zeros_like(v), []
    for t in range(T):
        lo = max(0, t - 2)
        s = np.array([q[t] @ k[j] for j in range(lo, t + 1)])
        p = np.exp(s) / np.exp(s).sum()
        P.append(p)
        for j in range(lo, t + 1):
            y[t] += p[j - lo] * v[j]

    def vjp(dy):
        dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        for t in range(T):
            lo = max(0, t - 2)
            p = P[t]
            dp = np.array([dy[t] @ v[j] for j in range(lo, t + 1)])
            ds = p * (dp - p @ dp)
            for j in range(lo, t + 1):
                dv[j] += p[j - lo] * dy[t]
                dq[t] += ds[j - lo] * k[j]
                dk[j] += ds[j - lo] * q[t]
        return dq, dk, dv
    return y, vjp
''', ("v", "dv[j] += p", "dv[j] = p", "overwrite"),
         ("k", "dk[j] += ds", "dk[j] = ds", "overwrite"),
         ("k", "ds[j - lo] * q[t]", "ds[j - lo] * q[j]", "operand|permuted|local-derivative"),
         ("q", "p * (dp - p @ dp)", "p * dp", "missing-term|softmax-diagonal|lost-path"),
         ("q", "p * (dp - p @ dp)", "p * (1 - p) * dp", "softmax-diagonal"),
         ("v", "dv[j] += p[j - lo] * dy[t]", "dv[t] += p[j - lo] * dy[t]", "permuted|leak"),
         ("v", "p[j - lo] * dy[t]", "p[0] * dy[t]", "operand|permuted|local-derivative"),
         ("v", "p[j - lo] * dy[t]", "p[j - lo] * dy[j]", "permuted|leak|operand"))

Function("x:NTD w:D", '''
def attention_pool_forward(x, w):
    outs, caches = [], []
    for n in range(len(x)):
        s = np.tanh(x[n]) @ w
        p = np.exp(s - s.max())
        p = p / p.sum()
        outs.append(p @ x[n])
        caches.append(p)
    return np.array(outs), (x, w, caches)

def attention_pool_backward(dout, cache):
    x, w, caches = cache
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for n, p in enumerate(caches):
        dp = x[n] @ dout[n]
        ds = p * (dp - np.sum(p * dp))
        h = np.tanh(x[n])
        dw += ds @ h
        dx[n] = np.outer(p, dout[n]) + np.outer(ds, w) * (1 - h ** 2)
    return dx, dw

subject = attention_pool_forward, attention_pool_backward
''', ("x", "np.outer(p, dout[n]) + np", "np", "lost-path|missing-term|overwrite"),
         ("x", "np.outer(ds, w) * (1 - h ** 2)", "np.outer(ds, w)", "local-derivative"),
         ("x", " + np.outer(ds, w) * (1 - h ** 2)", "", "lost-path|missing-term|overwrite"),
         ("w", "dw += ds @ h", "dw = ds @ h", "overwrite"),
         ("w", "dw += ds @ h", "dw += ds @ x[n]", "operand|local-derivative"),
         ("w", "p * (dp - np.sum(p * dp))", "p * (1 - p) * dp", "softmax-diagonal"),
         ("w", "p * (dp - np.sum(p * dp))", "dp - np.sum(p * dp)", "local-derivative"),
         ("w", "dp = x[n] @ dout[n]", "dp = x[0] @ dout[n]", "operand"))
