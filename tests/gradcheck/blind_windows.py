"""Convolution, pooling, padding and image operations with mistakes; see ``blind_mistakes.py``."""

CASES = [
    ("8 3", """
def conv1d(x, w):
    K = len(w)
    n = len(x) - K + 1
    y = np.array([x[i:i + K] @ w for i in range(n)])
    def vjp(dy):
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for i in range(n):
            dx[i:i + K] += dy[i] * w
            dw += dy[i] * x[i:i + K]
        return dx, dw
    return y, vjp
""", ("x", "dx[i:i + K] += dy[i] * w", "dx[i:i + K] = dy[i] * w", "overwrite|lost-path"),
     ("x", "dy[i] * w", "dy[i] * w[::-1]", "operand|permuted"),
     ("w", "dw += dy[i] * x[i:i + K]", "dw += dy[i] * x[i]", "operand|local-derivative|unbroadcast", "reduction"),
     ("w", "dw += dy", "dw = dy", "overwrite|lost-path")),
    ("2,7,3 4,3,3 4", """
class Conv1d:
    def __init__(self, w, b, stride=2):
        self.w, self.b, self.stride = w, b, stride
    def forward(self, x):
        self.x = x
        K = self.w.shape[1]
        self.T = (x.shape[1] - K) // self.stride + 1
        self.cols = np.stack([x[:, t * self.stride:t * self.stride + K] for t in range(self.T)], axis=1)
        return np.einsum("btkc,okc->bto", self.cols, self.w) + self.b
    def backward(self, dy):
        K = self.w.shape[1]
        dw = np.einsum("bto,btkc->okc", dy, self.cols)
        db = dy.sum(axis=(0, 1))
        dcols = np.einsum("bto,okc->btkc", dy, self.w)
        dx = np.zeros_like(self.x)
        for t in range(self.T):
            s = t * self.stride
            dx[:, s:s + K] += dcols[:, t]
        return dx, dw, db
def strided_conv(x, w, b):
    layer = Conv1d(w, b)
    return layer.forward(x), layer.backward
""", ("x", "s = t * self.stride\n", "s = t\n", "permuted|leak|operand", "overwrite|lost-path"),
     ("x", "dx[:, s:s + K] += dcols", "dx[:, s:s + K] = dcols", "overwrite|lost-path"),
     ("b", "dy.sum(axis=(0, 1))", "dy.sum(axis=0)[0]", "reduction|lost-path|unbroadcast|overwrite", "dropped"),
     ("w", 'dw = np.einsum("bto,btkc->okc", dy, self.cols)',
      'dw = np.einsum("bto,btkc->okc", dy, self.cols) / dy.shape[0]', "factor|reduction")),
    ("1,4,4 2,1,3,3", """
def conv2d(image, kernels):
    C, H, W = image.shape
    O, _, kh, kw = kernels.shape
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros((O, H, W))
    for o in range(O):
        for i in range(H):
            for j in range(W):
                out[o, i, j] = np.sum(padded[:, i:i + kh, j:j + kw] * kernels[o])
    def backward(dout):
        dpadded = np.zeros_like(padded)
        dkernels = np.zeros_like(kernels)
        for o in range(O):
            for i in range(H):
                for j in range(W):
                    dpadded[:, i:i + kh, j:j + kw] += dout[o, i, j] * kernels[o]
                    dkernels[o] += dout[o, i, j] * padded[:, i:i + kh, j:j + kw]
        return dpadded[:, 1:-1, 1:-1], dkernels
    return out, backward
""", ("image", "return dpadded[:, 1:-1, 1:-1], dkernels", "return dpadded[:, :-2, :-2], dkernels", "permuted|leak",
      "operand"),
     ("image", "return dpadded[:, 1:-1, 1:-1], dkernels", "return dpadded, dkernels", "shape"),
     ("image", "dout[o, i, j] * kernels[o]", "dout[o, j, i] * kernels[o]", "permuted|operand|leak", "transpose"),
     ("image", "dout[o, i, j] * kernels[o]", "dout[o, i, j] * kernels[o, :, ::-1, ::-1]", "operand|permuted"),
     ("kernels", "dkernels[o] += dout", "dkernels[o] = dout", "overwrite|lost-path"),
     ("image", "dpadded[:, i:i + kh, j:j + kw] += dout[o, i, j] * kernels[o]",
      "dpadded[:, i:i + kh, j:j + kw] += dout[0, i, j] * kernels[o]", "leak|operand|lost-path")),
    ("5,3 5", """
def causal_depthwise(x, w0):
    w = np.tanh(w0)
    K = len(w)
    T = len(x)
    y = np.zeros_like(x)
    for t in range(T):
        for k in range(K):
            if t - k >= 0:
                y[t] += w[k] * x[t - k]
    def vjp(dy):
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for t in range(T):
            for k in range(K):
                if t - k < 0:
                    break
                dx[t - k] += w[k] * dy[t]
                dw[k] += dy[t] @ x[t - k]
        return dx, dw * (1 - w ** 2)
    return y, vjp
""", ("x", "dx[t - k] += w[k] * dy[t]", "dx[t] += w[k] * dy[t - k]", "leak|operand", "permuted"),
     ("w0", "dw * (1 - w ** 2)", "dw", "local-derivative"),
     ("w0", "dw * (1 - w ** 2)", "dw * (1 - w0 ** 2)", "local-derivative"),
     ("x", "dx[t - k] += w[k]", "dx[t - k] = w[k]", "overwrite|lost-path")),
    ("2,6,6", """
def max_pool(x):
    B, H, W = x.shape
    y = np.zeros((B, H // 2, W // 2))
    where = {}
    for b in range(B):
        for i in range(0, H, 2):
            for j in range(0, W, 2):
                window = x[b, i:i + 2, j:j + 2]
                r, c = np.unravel_index(window.argmax(), (2, 2))
                where[b, i // 2, j // 2] = (b, i + r, j + c)
                y[b, i // 2, j // 2] = window[r, c]
    def vjp(dy):
        dx = np.zeros_like(x)
        for out, source in where.items():
            dx[source] += dy[out]
        return dx
    return y, vjp
""", ("x", "dx[source] += dy[out]", "dx[source[0], source[1] // 2 * 2, source[2] // 2 * 2] += dy[out]",
      "permuted|mask", "dropped|leak"),
     ("x", "        for out, source in where.items():\n            dx[source] += dy[out]",
      "        dx += dy.repeat(2, 1).repeat(2, 2)", "mask"),
     ("x", "dx[source] += dy[out]", "dx[source] = dy.mean()", "reduction|leak", "permuted"),
     ("x", "        for out, source in where.items():\n            dx[source] += dy[out]",
      "        dx += dy.repeat(2, 1).repeat(2, 2) / 4", "mask", "reduction")),
    ("7,3", """
def max_pool_overlapping(x):
    T = len(x) - 2
    win = np.lib.stride_tricks.sliding_window_view(x, 3, axis=0)
    arg = win.argmax(-1)
    y = win.max(-1)
    def vjp(dy):
        dx = np.zeros_like(x)
        cols = np.arange(x.shape[1])
        for t in range(T):
            dx[t + arg[t], cols] += dy[t]
        return dx
    return y, vjp
""", ("x", "dx[t + arg[t], cols] += dy[t]", "dx[t + arg[t], cols] = dy[t]", "overwrite|duplicate-index|lost-path"),
     ("x", "dx[t + arg[t], cols] += dy[t]", "dx[arg[t], cols] += dy[t]", "permuted|leak", "mask|dropped"),
     ("x", "dx[t + arg[t], cols] += dy[t]", "dx[t:t + 3] += dy[t]", "mask")),
    ("2,6,4", """
def average_pool(x):
    B, T, C = x.shape
    y = x.reshape(B, T // 3, 3, C).mean(axis=2)
    def vjp(dy):
        return np.repeat(dy, 3, axis=1) / 3
    return y, vjp
""", ("x", "axis=1) / 3", "axis=1)", "factor|reduction"),
     ("x", "np.repeat(dy, 3, axis=1)", "np.tile(dy, (1, 3, 1))", "permuted|leak", "operand")),
    ("2,4,4,3", """
def global_average(x):
    y = x.mean(axis=(1, 2))
    def vjp(dy):
        n = x.shape[1] * x.shape[2]
        return np.broadcast_to(dy[:, None, None, :] / n, x.shape)
    return y, vjp
""", ("x", "n = x.shape[1] * x.shape[2]", "n = x.shape[1]", "factor|reduction"),
     ("x", "dy[:, None, None, :] / n", "dy.mean(0) / n", "leak|reduction|operand")),
    ("3,4", """
def upsample(x):
    H, W = x.shape
    y = np.zeros((2 * H, 2 * W))
    for i in range(2 * H):
        for j in range(2 * W):
            y[i, j] = x[i // 2, j // 2]
    def vjp(dy):
        dx = np.zeros_like(x)
        for i in range(2 * H):
            for j in range(2 * W):
                dx[i // 2, j // 2] += dy[i, j]
        return dx
    return y, vjp
""", ("x", "dx[i // 2, j // 2] += dy[i, j]", "dx[i // 2, j // 2] = dy[i, j]",
      "overwrite|duplicate-index|unbroadcast|lost-path"),
     ("x", "dx[i // 2, j // 2] += dy[i, j]", "dx[i // 2, j // 2] += dy[i, j] / 4", "factor|reduction")),
    ("4,5", """
def pad_edges(x):
    y = np.pad(x, ((1, 1), (0, 0)), mode="edge")
    def vjp(dy):
        dx = dy[1:-1].copy()
        dx[0] += dy[0]
        dx[-1] += dy[-1]
        return dx
    return y, vjp
""", ("x", "        dx[0] += dy[0]\n        dx[-1] += dy[-1]\n", "", "overwrite|lost-path|unbroadcast|missing-term"),
     ("x", "dx[0] += dy[0]", "dx[0] = dy[0]", "overwrite|lost-path"),
     ("x", "dy[1:-1].copy()", "dy[2:].copy()", "permuted|leak")),
    ("4,2,2 2,2,3,3", """
def transposed_conv(x, w):
    y = np.zeros((x.shape[0], 5, 3))
    for n in range(x.shape[0]):
        for i in range(2):
            for c in range(2):
                y[n, 2 * i:2 * i + 3] += x[n, i, c] * w[i, c]
    def vjp(dy):
        dx = np.zeros_like(x)
        dw = np.zeros_like(w)
        for n in range(x.shape[0]):
            for i in range(2):
                for c in range(2):
                    patch = dy[n, 2 * i:2 * i + 3]
                    dx[n, i, c] = np.sum(patch * w[i, c])
                    dw[i, c] += patch * x[n, i, c]
        return dx, dw
    return y, vjp
""", ("w", "dw[i, c] += patch", "dw[i, c] = patch", "overwrite|lost-path"),
     ("x", "np.sum(patch * w[i, c])", "np.sum(patch)", "local-derivative", "operand"),
     ("x", "np.sum(patch * w[i, c])", "np.sum(patch * w[c, i])", "operand"),
     ("x", "np.sum(patch * w[i, c])", "np.mean(patch * w[i, c])", "reduction|factor")),
    ("6 .", """
def total_variation(x, eps):
    d = x[1:] - x[:-1]
    r = np.sqrt(d * d + eps * eps)
    def vjp(g):
        s = g * d / r
        dx = np.zeros_like(x)
        dx[1:] += s
        dx[:-1] -= s
        return dx, np.asarray(g * np.sum(eps / r))
    return r.sum(), vjp
""", ("x", "        dx[:-1] -= s\n", "", "lost-path|overwrite|missing-term"),
     ("x", "dx[:-1] -= s", "dx[:-1] += s", "missing-term|sign"),
     ("x", "dx[:-1] -= s", "dx[:-1] = -s", "overwrite|lost-path"),
     ("eps", "np.sum(eps / r)", "np.sum(1 / r)", "factor|local-derivative")),
]
