"""Mistakes in loops, cells, pairs and layers, as students make them: the half that the hypotheses were improved on.

Each was written, with the codes that a teacher would accept, before the doctor was run on it. ``functions.py`` reads
this file and says what ``Function`` takes; ``loops_held_out.py`` is the other half.
"""

Function("x:NTD h0:NH Wx:DH Wh:HH b:H", '''
def rnn_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    h = np.zeros((N, T, len(b)))
    cache, prev = [], h0
    for t in range(T):
        new = np.tanh(x[:, t] @ Wx + prev @ Wh + b)
        cache.append((x[:, t], prev, new))
        prev = new
        h[:, t] = new
    return h, (cache, x, h0, Wx, Wh, b)

def rnn_backward(dh, cache):
    cache, x, h0, Wx, Wh, b = cache
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dprev = np.zeros_like(h0)
    T = x.shape[1]
    for t in range(T - 1, -1, -1):
        xt, prev, new = cache[t]
        da = (dh[:, t] + dprev) * (1 - new ** 2)
        dx[:, t] = da @ Wx.T
        dWx += xt.T @ da
        dWh += prev.T @ da
        db += da.sum(axis=0)
        dprev = da @ Wh.T
    return dx, dprev, dWx, dWh, db

subject = rnn_forward, rnn_backward
''', ("Wh", "dWh += prev.T @ da", "dWh += new.T @ da", "operand"),
         ("Wx", "(1 - new ** 2)", "(1 - prev ** 2)", "local-derivative"),
         ("Wh", "dh[:, t] + dprev", "dh[:, t]", "lost-path"),
         ("Wx", "dWx += xt.T @ da", "dWx = xt.T @ da", "overwrite|lost-path"),
         ("x", "dprev = da @ Wh.T", "dprev = da @ Wh", "operand|transpose"),
         ("b", "db += da.sum(axis=0)", "db += da.mean(axis=0)", "factor|reduction"),
         ("Wx", "range(T - 1, -1, -1)", "range(T)", "leak|lost-path|permuted"),
         ("x", "range(T - 1, -1, -1)", "range(T - 1, 0, -1)", "dropped|lost-path"),
         ("Wh", "cache[t]", "cache[t - 1]", "operand|local-derivative|permuted"),
         ("Wx", "* (1 - new ** 2)", "* (1 - new) ** 2", "local-derivative"),
         ("h0", "return dx, dprev,", "return dx, dh[:, 0],", "lost-path|local-derivative|operand"))

Function("x:TD U:4HD V:4HH b:4H", '''
def lstm(x, U, V, b):
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    T, H = len(x), b.shape[1]
    h, c = np.zeros((T + 1, H)), np.zeros((T + 1, H))
    gates = np.zeros((T, 4, H))
    for t in range(T):
        z = U @ x[t] + V @ h[t] + b
        i, f, o, g = sigmoid(z[0]), sigmoid(z[1]), sigmoid(z[2]), np.tanh(z[3])
        gates[t] = i, f, o, g
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])

    def vjp(dy):
        dx, dU, dV, db = np.zeros_like(x), np.zeros_like(U), np.zeros_like(V), np.zeros_like(b)
        dh, dc = np.zeros(H), np.zeros(H)
        for t in reversed(range(T)):
            i, f, o, g = gates[t]
            dh = dh + dy[t]
            tc = np.tanh(c[t + 1])
            dc = dc + dh * o * (1 - tc ** 2)
            dz = np.array([dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dh * tc * o * (1 - o), dc * i * (1 - g ** 2)])
            dU += dz[:, :, None] * x[t]
            dV += dz[:, :, None] * h[t]
            db += dz
            dx[t] = (U * dz[:, :, None]).sum(axis=(0, 1))
            dh = (V * dz[:, :, None]).sum(axis=(0, 1))
            dc = dc * f
        return dx, dU, dV, db
    return h[1:], vjp
''', ("V", "dz[:, :, None] * h[t]", "dz[:, :, None] * h[t + 1]", "operand"),
         ("b", "dc * c[t] * f", "dc * c[t + 1] * f", "operand|local-derivative"),
         ("U", "dc = dc * f", "dc = np.zeros(H)", "lost-path"),
         ("U", "dc = dc * f", "pass", "local-derivative|lost-path"),
         ("b", "dc = dc + dh * o", "dc = dh * o", "lost-path"),
         ("b", "o * (1 - tc ** 2)", "o", "local-derivative"),
         ("b", "tc = np.tanh(c[t + 1])", "tc = np.tanh(c[t])", "local-derivative|operand"),
         ("b", "dh * tc * o", "dh * c[t + 1] * o", "local-derivative|operand"),
         ("b", "db += dz", "db = dz", "overwrite|lost-path"),
         ("b", "dc * i * (1 - g ** 2)", "dc * i * g * (1 - g)", "local-derivative"),
         ("x", "dh = dh + dy[t]", "dh = dy[t]", "lost-path"),
         ("U", "dc * g * i * (1 - i), dc * c[t] * f * (1 - f)", "dc * c[t] * f * (1 - f), dc * g * i * (1 - i)",
          "gate-order"))

Function("x:ND h:NH", '''
class GRUCell:
    def __init__(self):
        rng = np.random.default_rng(1)
        self.params = {"Wz": rng.normal(size=(5, 7)), "Uz": rng.normal(size=(7, 7)), "Wr": rng.normal(size=(5, 7)),
                       "Ur": rng.normal(size=(7, 7)), "Wn": rng.normal(size=(5, 7)), "Un": rng.normal(size=(7, 7))}
        self.grads = {}

    def forward(self, x, h):
        p = self.params
        self.x, self.h = x, h
        self.z = 1 / (1 + np.exp(-(x @ p["Wz"] + h @ p["Uz"])))
        self.r = 1 / (1 + np.exp(-(x @ p["Wr"] + h @ p["Ur"])))
        self.hu = h @ p["Un"]
        self.n = np.tanh(x @ p["Wn"] + self.r * self.hu)
        return (1 - self.z) * self.n + self.z * h

    def backward(self, dy):
        p, x, h, z, r, n = self.params, self.x, self.h, self.z, self.r, self.n
        dz = dy * (h - n) * z * (1 - z)
        da = dy * (1 - z) * (1 - n ** 2)
        dr = da * self.hu * r * (1 - r)
        dhu = da * r
        self.grads = {"Wz": x.T @ dz, "Uz": h.T @ dz, "Wr": x.T @ dr, "Ur": h.T @ dr, "Wn": x.T @ da, "Un": h.T @ dhu}
        dx = dz @ p["Wz"].T + dr @ p["Wr"].T + da @ p["Wn"].T
        dh = dy * z + dz @ p["Uz"].T + dr @ p["Ur"].T + dhu @ p["Un"].T
        return dx, dh

subject = GRUCell
''', ("h", "dh = dy * z + dz", "dh = dz", "lost-path|missing-term|overwrite"),
         ("h", " + dr @ p[\"Ur\"].T", "", "lost-path|overwrite"),
         ("Wz", "dy * (h - n) * z", "dy * (n - h) * z", "sign"),
         ("Un", "h.T @ dhu", "h.T @ da", "local-derivative|lost-path|operand"),
         ("Wr", "da * self.hu * r", "da * h * r", "operand|local-derivative"),
         ("Wn", "dy * (1 - z) * (1 - n ** 2)", "dy * z * (1 - n ** 2)", "operand|local-derivative"),
         ("Wz", "dy * (h - n) * z * (1 - z)", "dy * h * z * (1 - z)",
          "missing-term|lost-path|operand|local-derivative"),
         ("h", "dhu @ p[\"Un\"].T", "da @ p[\"Un\"].T", "local-derivative"))

Function("x:TC a:", '''
def moving_average(x, a):
    y = np.zeros_like(x)
    y[0] = x[0]
    for t in range(1, len(x)):
        y[t] = a * y[t - 1] + (1 - a) * x[t]

    def vjp(dy):
        dx, da = np.zeros_like(x), 0.0
        g = np.zeros(x.shape[1])
        for t in range(len(x) - 1, 0, -1):
            g = g + dy[t]
            dx[t] = (1 - a) * g
            da += (g * (y[t - 1] - x[t])).sum()
            g = a * g
        dx[0] = g + dy[0]
        return dx, np.array(da)
    return y, vjp
''', ("a", "(g * (y[t - 1] - x[t]))", "(g * (y[t] - x[t]))", "operand|local-derivative|permuted"),
         ("a", "y[t - 1] - x[t]", "y[t - 1]", "missing-term|lost-path|overwrite"),
         ("a", "y[t - 1] - x[t]", "y[t - 1] + x[t]", "missing-term|sign"),
         ("a", "da += ", "da = ", "overwrite"),
         ("x", "g = a * g", "g = np.zeros_like(g)", "lost-path"),
         ("x", "g = a * g", "g = (1 - a) * g", "operand|local-derivative|factor"),
         ("x", "dx[0] = g + dy[0]", "dx[0] = dy[0]", "lost-path|overwrite"),
         ("x", "dx[0] = g + dy[0]", "dx[0] = (1 - a) * (g + dy[0])", "local-derivative|factor|row-scale"),
         ("x", "g = g + dy[t]", "g = g + dy[t - 1]", "permuted|leak"),
         ("x", "dx[t] = (1 - a) * g", "dx[t] = (1 - a) * dy[t]", "lost-path|local-derivative"))

Function("X:ND W:DC t:N<C", '''
def softmax_loss_naive(X, W, t):
    N, C = X.shape[0], W.shape[1]
    loss, P = 0.0, np.zeros((N, C))
    for i in range(N):
        s = X[i] @ W
        s = s - s.max()
        p = np.exp(s) / np.exp(s).sum()
        P[i] = p
        loss += -np.log(p[t[i]])
    loss = loss / N + 0.1 * (W * W).sum()

    def vjp(dloss):
        dX, dW = np.zeros_like(X), np.zeros_like(W)
        for i in range(N):
            for j in range(C):
                g = P[i, j] - (j == t[i])
                dW[:, j] += g * X[i]
                dX[i] += g * W[:, j]
        dW = dW / N + 0.2 * W
        return dX * dloss / N, dW * dloss, None
    return loss, vjp
''', ("W", "dW / N + 0.2 * W", "dW / N + 0.1 * W", "factor|missing-term"),
         ("W", "dW / N + 0.2 * W", "dW / N", "missing-term|lost-path|overwrite"),
         ("W", "dW / N + 0.2 * W", "dW + 0.2 * W", "factor|missing-term"),
         ("W", "dW[:, j] += g", "dW[:, j] = g", "overwrite"),
         ("X", "dX[i] += g", "dX[i] = g", "overwrite"),
         ("W", "P[i, j] - (j == t[i])", "P[i, j]", "missing-term"),
         ("W", "P[i, j] - (j == t[i])", "P[i, j] * (j != t[i]) - (j == t[i])",
          "missing-term|local-derivative|softmax-diagonal"),
         ("X", "dX * dloss / N", "dX * dloss", "factor"),
         ("X", "dX * dloss / N", "dX * dloss / C", "factor"),
         ("W", "P[i, j] - (j == t[i])", "P[i, j] - (j == t[0])", "operand|permuted|leak"))

Function("q:TD k:TD v:TE", '''
def linear_attention(q, k, v):
    S, states, y = np.zeros((q.shape[1], v.shape[1])), [], []
    for t in range(len(q)):
        S = S + np.outer(k[t], v[t])
        states.append(S)
        y.append(q[t] @ S)

    def vjp(dy):
        dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        dS = np.zeros_like(S)
        for t in range(len(q) - 1, -1, -1):
            dq[t] = states[t] @ dy[t]
            dS = dS + np.outer(q[t], dy[t])
            dk[t] = dS @ v[t]
            dv[t] = dS.T @ k[t]
        return dq, dk, dv
    return np.stack(y), vjp
''', ("q", "states[t] @ dy[t]", "states[t - 1] @ dy[t]", "operand"),
         ("q", "states[t] @ dy[t]", "S @ dy[t]", "operand"),
         ("k", "dS = dS + np.outer", "dS = np.outer", "lost-path"),
         ("k", "dS @ v[t]", "np.outer(q[t], dy[t]) @ v[t]", "lost-path|operand"),
         ("v", "dS.T @ k[t]", "dS.T @ q[t]", "operand"),
         ("v", "dS + np.outer(q[t], dy[t])", "dS + np.outer(k[t], dy[t])", "operand"),
         ("k", "range(len(q) - 1, -1, -1)", "range(len(q))", "leak|lost-path|permuted"),
         ("k", "dS @ v[t]", "dS @ v[t - 1]", "operand|permuted"))

Function("x:ND", '''
class BatchNorm:
    def __init__(self):
        self.gamma = np.array([0.5, 1.5, -1.0, 2.0, 0.7])
        self.beta = np.zeros(5)

    def forward(self, x):
        self.mu = x.mean(axis=0)
        self.var = x.var(axis=0)
        self.std = np.sqrt(self.var + 1e-5)
        self.x, self.xhat = x, (x - self.mu) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dy):
        N = len(dy)
        self.dgamma = (dy * self.xhat).sum(axis=0)
        self.dbeta = dy.sum(axis=0)
        dxhat = dy * self.gamma
        dvar = (dxhat * (self.x - self.mu) * -0.5 * self.std ** -3).sum(axis=0)
        dmu = (-dxhat / self.std).sum(axis=0)
        return dxhat / self.std + dvar * 2 * (self.x - self.mu) / N + dmu / N

subject = BatchNorm
''', ("x", "dmu / N", "dmu", "mean-term|reduction"),
         ("x", "* 2 * (self.x - self.mu) / N", "* (self.x - self.mu) / N", "variance-term"),
         ("x", "self.std ** -3", "self.std ** -2", "variance-term"),
         ("x", " + dmu / N", "", "mean-term"),
         ("gamma", "(dy * self.xhat).sum(axis=0)", "(dy * self.x).sum(axis=0)", "operand|local-derivative"),
         ("x", "dxhat = dy * self.gamma", "dxhat = dy", "local-derivative"),
         ("beta", "self.dbeta = dy.sum(axis=0)", "self.dbeta = dy.mean(axis=0)", "factor|reduction"),
         ("x", "/ N + dmu / N", "/ (N - 1) + dmu / N", "variance-term|reduction"))

Function("inputs:NI", '''
class Layer_Dense:
    def __init__(self):
        rng = np.random.default_rng(3)
        self.weights = rng.normal(size=(5, 7))
        self.biases = rng.normal(size=(1, 7))

    def forward(self, inputs):
        self.inputs = inputs
        self.z = inputs @ self.weights + self.biases
        self.output = np.where(self.z > 0, self.z, 0.1 * self.z)

    def backward(self, dvalues):
        dz = dvalues * np.where(self.z > 0, 1, 0.1)
        self.dweights = self.inputs.T @ dz
        self.dbiases = np.sum(dz, axis=0, keepdims=True)
        self.dinputs = dz @ self.weights.T

subject = Layer_Dense
''', ("weights", "np.where(self.z > 0, 1, 0.1)", "(self.z > 0)", "dropped|mask|local-derivative"),
         ("inputs", "dz @ self.weights.T", "dvalues @ self.weights.T", "local-derivative|lost-path|mask"),
         ("biases", "np.sum(dz, axis=0, keepdims=True)", "np.sum(dz, axis=0)", "keepdims"),
         ("biases", "np.sum(dz, axis=0, keepdims=True)", "np.mean(dz, axis=0, keepdims=True)", "factor|reduction"),
         ("weights", "np.where(self.z > 0, 1, 0.1)", "np.where(self.output < 0, 1, 0.1)",
          "inverted-mask|local-derivative"),
         ("weights", "self.inputs.T @ dz", "self.inputs.T @ dz / len(dz)", "factor"))

Function("x:2C8 w:FC3 b:F", '''
def conv_forward(x, w, b):
    N, C, L = x.shape
    F, _, K = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    M = (L + 2 - K) // 2 + 1
    out = np.zeros((N, F, M))
    for n in range(N):
        for f in range(F):
            for i in range(M):
                out[n, f, i] = np.sum(xp[n, :, 2 * i:2 * i + K] * w[f]) + b[f]
    return out, (xp, w, b)

def conv_backward(dout, cache):
    xp, w, b = cache
    N, F, M = dout.shape
    K = w.shape[2]
    dxp, dw, db = np.zeros_like(xp), np.zeros_like(w), np.zeros_like(b)
    for n in range(N):
        for f in range(F):
            for i in range(M):
                dw[f] += dout[n, f, i] * xp[n, :, 2 * i:2 * i + K]
                dxp[n, :, 2 * i:2 * i + K] += dout[n, f, i] * w[f]
                db[f] += dout[n, f, i]
    return dxp[:, :, 1:-1], dw, db

subject = conv_forward, conv_backward
''', ("x", "dxp[n, :, 2 * i:2 * i + K] += ", "dxp[n, :, 2 * i:2 * i + K] = ", "overwrite"),
         ("x", "dxp[:, :, 1:-1]", "dxp[:, :, :-2]", "permuted"),
         ("w", "dw[f] += dout", "dw[f] = dout", "overwrite"),
         ("w", "dout[n, f, i] * xp[n, :, 2 * i:2 * i + K]", "dout[n, f, i] * xp[n, :, i:i + K]", "operand|permuted"),
         ("x", "dxp[n, :, 2 * i:2 * i + K]", "dxp[n, :, i:i + K]", "permuted|leak"),
         ("x", "+= dout[n, f, i] * w[f]", "+= dout[n, f, i] * w[f][:, ::-1]", "operand|permuted"),
         ("b", "db[f] += dout", "db[f] = dout", "overwrite"),
         ("x", "+= dout[n, f, i] * w[f]", "+= dout[n, f, i] * w[n]", "operand"))

Function("x:2C6", '''
def max_pool(x):
    N, C, L = x.shape
    y = np.zeros((N, C, L // 2))
    for n in range(N):
        for c in range(C):
            for i in range(L // 2):
                y[n, c, i] = x[n, c, 2 * i:2 * i + 2].max()

    def vjp(dy):
        dx = np.zeros_like(x)
        for n in range(N):
            for c in range(C):
                for i in range(L // 2):
                    k = x[n, c, 2 * i:2 * i + 2].argmax()
                    dx[n, c, 2 * i + k] = dy[n, c, i]
        return dx
    return y, vjp
''', ("x", "dx[n, c, 2 * i + k]", "dx[n, c, 2 * i:2 * i + 2]", "mask"),
         ("x", ".argmax()", ".argmin()", "inverted-mask"),
         ("x", "dx[n, c, 2 * i + k]", "dx[n, c, i + k]", "permuted|leak"),
         ("x", "= dy[n, c, i]", "= dy[n, c, i] / 2", "factor"))

Function("x:TD U:HD V:HH", '''
import torch

class Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, U, V):
        h = [torch.zeros(V.shape[0], dtype=x.dtype)]
        for t in range(len(x)):
            h.append(torch.tanh(U @ x[t] + V @ h[-1]))
        ctx.save_for_backward(x, U, V, torch.stack(h))
        return torch.stack(h[1:])

    @staticmethod
    def backward(ctx, dy):
        x, U, V, h = ctx.saved_tensors
        dx, dU, dV = torch.zeros_like(x), torch.zeros_like(U), torch.zeros_like(V)
        carry = torch.zeros_like(h[0])
        for t in range(len(x) - 1, -1, -1):
            da = (dy[t] + carry) * (1 - h[t + 1] ** 2)
            dx[t] = U.T @ da
            dU += torch.outer(da, x[t])
            dV += torch.outer(da, h[t])
            carry = V.T @ da
        return dx, dU, dV

subject = Recurrence
''', ("V", "torch.outer(da, h[t])", "torch.outer(da, h[t + 1])", "operand"),
         ("U", "(1 - h[t + 1] ** 2)", "(1 - h[t] ** 2)", "local-derivative"),
         ("x", "dy[t] + carry", "dy[t]", "lost-path"),
         ("U", "carry = V.T @ da", "carry = carry + V.T @ da", "lost-path|missing-term|local-derivative|leak"),
         ("V", "carry = V.T @ da", "carry = V @ da", "operand|transpose"),
         ("U", "dU += torch", "dU = torch", "overwrite|lost-path"),
         ("x", "U.T @ da", "U.T @ dy[t]", "local-derivative|lost-path"))

Function("a:TC b:TC", '''
import jax
import jax.numpy as jnp

@jax.custom_vjp
def scan(a, b):
    h, out = jnp.zeros(a.shape[1]), []
    for t in range(a.shape[0]):
        h = a[t] * h + b[t]
        out.append(h)
    return jnp.stack(out)

def scan_fwd(a, b):
    h = scan(a, b)
    return h, (a, b, h)

def scan_bwd(kept, dh):
    a, b, h = kept
    g, da, db = jnp.zeros(a.shape[1]), [], []
    for t in range(a.shape[0] - 1, -1, -1):
        g = g + dh[t]
        prev = h[t - 1] if t else jnp.zeros(a.shape[1])
        da.append(g * prev)
        db.append(g)
        g = g * a[t]
    return jnp.stack(da[::-1]), jnp.stack(db[::-1])

scan.defvjp(scan_fwd, scan_bwd)
subject = scan
''', ("a", "da.append(g * prev)", "da.append(g * h[t])", "operand|local-derivative"),
         ("b", "jnp.stack(db[::-1])", "jnp.stack(db)", "permuted"),
         ("b", "g = g * a[t]", "g = g * a[t - 1]", "operand|local-derivative"),
         ("b", "g = g * a[t]", "g = 0 * g", "lost-path"),
         ("b", "g = g * a[t]", "g = g * 1", "local-derivative"),
         ("a", "da.append(g * prev)", "da.append(dh[t] * prev)", "lost-path|operand|local-derivative"))

Function("E:VD W:DC ids:NL<V", '''
def bag_of_embeddings(E, W, ids):
    N, L = ids.shape
    h = np.zeros((N, E.shape[1]))
    for n in range(N):
        for l in range(L):
            h[n] += E[ids[n, l]] / L
    y = np.tanh(h @ W)

    def vjp(dy):
        dz = dy * (1 - y * y)
        dW, dh, dE = h.T @ dz, dz @ W.T, np.zeros_like(E)
        for n in range(N):
            for l in range(L):
                dE[ids[n, l]] += dh[n] / L
        return dE, dW, None
    return y, vjp
''', ("E", "dE[ids[n, l]] += dh", "dE[ids[n, l]] = dh", "duplicate-index|overwrite"),
         ("E", "+= dh[n] / L", "+= dh[n]", "factor|reduction"),
         ("E", "+= dh[n] / L", "+= dh[n] / N", "factor|reduction"),
         ("E", "dE[ids[n, l]] +=", "dE[ids[n]] +=", "duplicate-index|overwrite|factor|leak|mask"),
         ("E", "dE[ids[n, l]]", "dE[ids[0, l]]", "permuted|leak|operand"),
         ("E", "dE[ids[n, l]]", "dE[ids[n, 0]]", "permuted|leak|overwrite|operand"))

Function("x:NC W:3CC", '''
def deep(x, W):
    h = [x]
    for l in range(len(W)):
        h.append(np.maximum(h[-1] @ W[l], 0))

    def vjp(dy):
        dW, g = np.zeros_like(W), dy
        for l in range(len(W) - 1, -1, -1):
            g = g * (h[l + 1] > 0)
            dW[l] = h[l].T @ g
            g = g @ W[l].T
        return g, dW
    return h[-1], vjp
''', ("W", "dW[l] = h[l].T @ g", "dW[l] = h[l + 1].T @ g", "operand"),
         ("W", "(h[l + 1] > 0)", "(h[l] > 0)", "mask|local-derivative|inverted-mask|dropped"),
         ("x", "g = g @ W[l].T", "g = g @ W[l]", "operand|transpose"),
         ("x", "g = g @ W[l].T", "g = g @ W[l - 1].T", "operand"),
         ("W", "g = g * (h[l + 1] > 0)", "pass", "mask"),
         ("W", "h[l].T @ g", "g.T @ h[l]", "transpose"),
         ("x", "g = g * (h[l + 1] > 0)", "g = g * (h[-1] > 0)", "mask|local-derivative|dropped|inverted-mask"))

Function("x:NC W:CC", '''
def euler(x, W):
    states, s, dt = [x], x, 0.3
    for step in range(4):
        s = s + dt * np.tanh(s @ W)
        states.append(s)

    def vjp(dy):
        g, dW = dy, np.zeros_like(W)
        for step in reversed(range(4)):
            s = states[step]
            da = dt * g * (1 - np.tanh(s @ W) ** 2)
            dW += s.T @ da
            g = g + da @ W.T
        return g, dW
    return s, vjp
''', ("W", "s = states[step]", "s = states[step + 1]", "operand|local-derivative"),
         ("W", "g = g + da @ W.T", "g = da @ W.T", "lost-path"),
         ("W", "g = g + da @ W.T", "pass", "lost-path"),
         ("W", "dW += s.T @ da", "dW = s.T @ da", "overwrite|lost-path"),
         ("W", "da = dt * g", "da = g", "factor"),
         ("W", "da = dt * g", "da = dt * dy", "lost-path|operand|upstream"),
         ("x", "g = g + da @ W.T", "g = g + da @ W", "operand|transpose"),
         ("W", "reversed(range(4))", "range(4)", "lost-path|leak|permuted|operand"))

Function("A:SS+ B:TS+ p:S+", '''
def hmm_likelihood(A, B, p):
    alphas, scales = [], []
    alpha = p * B[0]
    for t in range(len(B)):
        if t:
            alpha = (alpha @ A) * B[t]
        c = alpha.sum()
        alpha = alpha / c
        alphas.append(alpha)
        scales.append(c)
    loss = np.log(np.array(scales)).sum()

    def vjp(dL):
        dA, dB = np.zeros_like(A), np.zeros_like(B)
        dalpha = np.zeros_like(p)
        for t in range(len(B) - 1, -1, -1):
            c, alpha = scales[t], alphas[t]
            du = (dalpha - (dalpha * alpha).sum()) / c + dL / c
            before = alphas[t - 1] @ A if t else p
            dB[t] = du * before
            if t:
                dA += np.outer(alphas[t - 1], du * B[t])
                dalpha = A @ (du * B[t])
        return dA, dB, du * B[0]
    return loss, vjp
''', ("A", "np.outer(alphas[t - 1], du * B[t])", "np.outer(alphas[t], du * B[t])", "operand"),
         ("A", "np.outer(alphas[t - 1], du * B[t])", "np.outer(alphas[t - 1], du)", "local-derivative|operand"),
         ("B", "(dalpha - (dalpha * alpha).sum()) / c", "dalpha / c", "missing-term|lost-path|overwrite"),
         ("A", "dA += np", "dA = np", "overwrite|lost-path"),
         ("B", "dalpha = A @ (du * B[t])", "dalpha = A.T @ (du * B[t])", "operand|transpose"),
         ("B", "/ c + dL / c", "+ dL / c", "local-derivative"),
         ("B", "/ c + dL / c", "/ c + dL", "local-derivative"))

Function("q:TD k:TD v:TE", '''
def causal_rows(q, k, v):
    T, D = q.shape
    P, y = np.zeros((T, T)), np.zeros((T, v.shape[1]))
    for t in range(T):
        s = k[:t + 1] @ q[t] / np.sqrt(D)
        e = np.exp(s - s.max())
        P[t, :t + 1] = e / e.sum()
        y[t] = P[t, :t + 1] @ v[:t + 1]

    def vjp(dy):
        dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
        for t in range(T):
            p = P[t, :t + 1]
            dp = v[:t + 1] @ dy[t]
            ds = p * (dp - (p * dp).sum()) / np.sqrt(D)
            dv[:t + 1] += np.outer(p, dy[t])
            dq[t] = ds @ k[:t + 1]
            dk[:t + 1] += np.outer(ds, q[t])
        return dq, dk, dv
    return y, vjp
''', ("v", "dv[:t + 1] += ", "dv[:t + 1] = ", "overwrite"),
         ("k", "dk[:t + 1] += ", "dk[:t + 1] = ", "overwrite"),
         ("q", "p * (dp - (p * dp).sum())", "p * (1 - p) * dp", "softmax-diagonal"),
         ("q", "(dp - (p * dp).sum())", "(dp - (p * dp).mean())", "reduction|softmax-diagonal"),
         ("k", "np.outer(ds, q[t])", "np.outer(ds, k[t])", "operand"),
         ("q", "(p * dp).sum()) / np.sqrt(D)", "(p * dp).sum())", "factor"),
         ("q", "ds @ k[:t + 1]", "ds @ q[:t + 1]", "operand"),
         ("v", "dv[:t + 1] += np.outer(p, dy[t])", "dv[t] += p[-1] * dy[t]", "lost-path|overwrite|dropped"))

Function("x:NTC", '''
def time_normalized(x):
    y = np.zeros_like(x)
    for n in range(len(x)):
        for t in range(x.shape[1]):
            row = x[n, t]
            y[n, t] = row / np.sqrt((row ** 2).sum())

    def vjp(dy):
        dx = np.zeros_like(x)
        for n in range(len(x)):
            for t in range(x.shape[1]):
                row = x[n, t]
                s = np.sqrt((row ** 2).sum())
                dx[n, t] = dy[n, t] / s - row * (dy[n, t] * row).sum() / s ** 3
        return dx
    return y, vjp
''', ("x", "s = np.sqrt((row ** 2).sum())", "s = np.sqrt((x[n] ** 2).sum())",
          "reduction|row-scale|leak|local-derivative|variance-term"),
         ("x", " - row * (dy[n, t] * row).sum() / s ** 3", "", "variance-term|missing-term|lost-path"),
         ("x", "/ s ** 3", "/ s ** 2", "variance-term|missing-term|local-derivative|row-scale"),
         ("x", "- row * (dy[n, t] * row).sum()", "- row * dy[n, t].sum()", "local-derivative|operand|variance-term"))
