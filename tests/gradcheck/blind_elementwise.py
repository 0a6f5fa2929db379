"""Elementwise functions with mistakes; ``blind_mistakes.py`` says what each entry means."""

CASES = [
    ("4,3", """
def softplus(x):
    return np.logaddexp(0, x), lambda dy: dy / (1 + np.exp(-x))
""", ("x", "(1 + np.exp(-x))", "(1 + np.exp(x))", "local-derivative"),
     ("x", "dy / (1", "1 / (1", "upstream")),
    ("4,3", """
def gelu(x):
    k = np.sqrt(2 / np.pi)
    t = np.tanh(k * (x + 0.044715 * x ** 3))
    y = 0.5 * x * (1 + t)
    def vjp(dy):
        inner = k * (1 + 3 * 0.044715 * x ** 2)
        return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t ** 2) * inner)
    return y, vjp
""", ("x", "0.5 * (1 + t) + ", "", "lost-path|local-derivative|overwrite|missing-term"),
     ("x", "1 + 3 * 0.044715", "1 + 0.044715", "local-derivative", "lost-path"),
     ("x", "(1 - t ** 2)", "(1 - t)", "local-derivative", "lost-path")),
    ("5,3 .", """
def swish(x, beta):
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))
    s = sigmoid(beta * x)
    def backward(g):
        slope = s * (1 - s)
        dx = g * (s + beta * x * slope)
        dbeta = np.sum(g * x * slope * x)
        return dx, dbeta
    return x * s, backward
""", ("beta", "np.sum(g * x * slope * x)", "g * x * slope * x", "unbroadcast", "shape|returns"),
     ("beta", "slope * x)", "slope)", "local-derivative"),
     ("x", "(s + beta * x * slope)", "(s + x * slope)", "local-derivative", "lost-path|factor"),
     ("x", "slope = s * (1 - s)", "slope = s * (1 + s)", "local-derivative", "lost-path|missing-term|sign")),
    ("6,4", """
def hardtanh(x):
    y = x.copy()
    y[y > 1] = 1
    y[y < -1] = -1
    def vjp(dy):
        inside = (x > -1) & (x < 1)
        return dy * inside
    return y, vjp
""", ("x", "(x > -1) & (x < 1)", "x < 1", "mask"),
     ("x", "(x > -1) & (x < 1)", "np.abs(x) > 1", "inverted-mask"),
     ("x", "(x > -1) & (x < 1)", "(x > 0) & (x < 1)", "dropped")),
    ("4,4", """
ALPHA = 0.7
def elu_one(v):
    if v > 0:
        return v
    return ALPHA * (np.exp(v) - 1)
def slope_one(v):
    if v > 0:
        return 1.0
    return ALPHA * np.exp(v)
def elu(x):
    y = np.vectorize(elu_one)(x)
    return y, lambda dy: dy * np.vectorize(slope_one)(x)
""", ("x", "    return ALPHA * np.exp(v)", "    return ALPHA * (np.exp(v) - 1)", "local-derivative"),
     ("x", "    return ALPHA * np.exp(v)", "    return 0.0", "dropped", "local-derivative"),
     ("x", "        return 1.0", "        return v", "local-derivative")),
    ("+4,3 4,3", """
def power(base, exponent):
    y = base ** exponent
    def vjp(dy):
        return dy * exponent * base ** (exponent - 1), dy * y * np.log(base)
    return y, vjp
""", ("base", "(exponent - 1)", "exponent", "local-derivative"),
     ("exponent", "dy * y * np.log(base)", "dy * y", "local-derivative")),
    ("4,3 +4,3", """
def ratio(a, b):
    out = a / b
    def vjp(g):
        da = g / b
        db = -g * a / (b * b)
        return da, db
    return out, vjp
""", ("b", "-g * a", "g * a", "sign"),
     ("b", "(b * b)", "b", "local-derivative", "sign"),
     ("a", "return da, db", "return db, da", "swapped"),
     ("a", "g / b", "g * b", "local-derivative|operand")),
    ("4,3 4,3", """
def angle(y, x):
    r2 = x ** 2 + y ** 2
    return np.arctan2(y, x), lambda d: (d * x / r2, -d * y / r2)
""", ("y", "(d * x / r2, -d * y / r2)", "(-d * y / r2, d * x / r2)", "swapped"),
     ("x", "-d * y / r2", "-d * y / np.sqrt(r2)", "local-derivative"),
     ("x", "-d * y / r2", "d * y / r2", "sign")),
    ("6,3 3 3", """
def sig(z):
    return 1.0 / (1.0 + np.exp(-z))
def affine_sigmoid(x, scale, shift):
    s = sig(x * scale + shift)
    def vjp(dy):
        dz = dy * s * (1 - s)
        return dz * scale, (dz * x).sum(0), dz.sum(0)
    return s, vjp
""", ("scale", "(dz * x).sum(0)", "(dy * x).sum(0)", "local-derivative"),
     ("shift", "dz.sum(0)", "dz.mean(0)", "reduction|factor"),
     ("shift", "dz.sum(0)", "dz[0]", "unbroadcast", "reduction|dropped|lost-path"),
     ("x", "dz * scale, (", "dz, (", "local-derivative", "operand")),
    ("4,3 +3", """
def soft_abs(x, eps):
    y = np.sqrt(x * x + eps)
    def vjp(dy):
        dx = dy * x / y
        deps = np.einsum("nc,nc->c", dy, 0.5 / y)
        return dx, deps
    return y, vjp
""", ("x", "dy * x / y", "dy * 0.5 / y", "local-derivative"),
     ("x", "dy * x / y", "dy * 2 * x / y", "factor"),
     ("eps", "0.5 / y", "x / y", "swapped|local-derivative")),
    ("4,5 4,5", """
def larger(a, b):
    first = a >= b
    def vjp(dy):
        da = np.zeros_like(a)
        db = np.zeros_like(b)
        da[first] = dy[first]
        db[~first] = dy[~first]
        return da, db
    return np.where(first, a, b), vjp
""", ("b", "db[~first] = dy[~first]", "db[...] = dy", "mask"),
     ("a", "da[first] = dy[first]", "da[~first] = dy[~first]", "inverted-mask|swapped")),
    ("5,4", """
def mish(x):
    sp = np.log1p(np.exp(x))
    t = np.tanh(sp)
    def vjp(dy):
        return dy * (t + x * (1 - t * t) / (1 + np.exp(-x)))
    return x * t, vjp
""", ("x", "(t + x * (1 - t * t) / (1 + np.exp(-x)))", "t", "lost-path|local-derivative|overwrite|missing-term"),
     ("x", " / (1 + np.exp(-x))", "", "local-derivative", "lost-path")),
    ("5,4", """
LAM = 0.5
def shrink(x):
    y = np.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if x[i, j] > LAM:
                y[i, j] = x[i, j] - LAM
            elif x[i, j] < -LAM:
                y[i, j] = x[i, j] + LAM
    def vjp(dy):
        dx = np.zeros_like(x)
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                if abs(x[i, j]) > LAM:
                    dx[i, j] = dy[i, j]
        return dx
    return y, vjp
""", ("x", "if abs(x[i, j]) > LAM", "if True", "mask"),
     ("x", "if abs(x[i, j]) > LAM", "if x[i, j] > LAM", "dropped"),
     ("x", "dx[i, j] = dy[i, j]", "dx[i, j] = dy[j % 5, i % 4]", "permuted|leak", "mask")),
    ("4,5", """
def cumulative(x):
    def vjp(dy):
        return np.cumsum(dy[:, ::-1], axis=1)[:, ::-1]
    return np.cumsum(x, axis=1), vjp
""", ("x", "np.cumsum(dy[:, ::-1], axis=1)[:, ::-1]", "np.cumsum(dy, axis=1)", "leak|operand",
      "lost-path|reduction|permuted"),
     ("x", "axis=1)[:, ::-1]", "axis=1)", "permuted"),
     ("x", "np.cumsum(dy[:, ::-1], axis=1)[:, ::-1]", "dy", "lost-path|overwrite", "reduction|unbroadcast|upstream")),
    ("+5", """
def running_product(x):
    y = np.empty_like(x)
    acc = 1.0
    for t in range(len(x)):
        acc = acc * x[t]
        y[t] = acc
    def vjp(dy):
        dx = np.zeros_like(x)
        for t in range(len(x)):
            for s in range(t, len(x)):
                dx[t] += dy[s] * y[s] / x[t]
        return dx
    return y, vjp
""", ("x", "range(t, len(x))", "range(t, t + 1)", "lost-path|overwrite"),
     ("x", "range(t, len(x))", "range(len(x))", "leak"),
     ("x", "y[s] / x[t]", "y[s]", "local-derivative")),
    ("6,3 u.", """
def ema(x, a):
    h = np.zeros((len(x) + 1, x.shape[1]))
    for t in range(len(x)):
        h[t + 1] = a * h[t] + (1 - a) * x[t]
    def vjp(dy):
        dx, da, carry = np.zeros_like(x), 0.0, np.zeros(x.shape[1])
        for t in reversed(range(len(x))):
            g = dy[t] + carry
            dx[t] = (1 - a) * g
            da += np.sum(g * (h[t] - x[t]))
            carry = a * g
        return dx, np.asarray(da)
    return h[1:], vjp
""", ("x", "dy[t] + carry", "dy[t]", "lost-path", "overwrite"),
     ("x", "carry = a * g", "carry = g", "local-derivative", "lost-path"),
     ("a", "(h[t] - x[t])", "h[t]", "lost-path|overwrite|missing-term"),
     ("a", "da += np", "da = np", "overwrite|lost-path"),
     ("x", "(1 - a) * g", "a * g", "factor|local-derivative")),
    ("5,4", """
def sine_wave(x):
    return np.sin(3 * x), lambda dy: 3 * np.cos(3 * x) * dy
""", ("x", "np.cos(3 * x)", "np.cos(x)", "local-derivative"),
     ("x", "3 * np.cos", "np.cos", "factor")),
    ("5,4 5,4", """
class Blend:
    def forward(self, a, b):
        self.a, self.b = a, b
        self.g = np.exp(-a * a)
        return self.g * a + (1 - self.g) * b
    def backward(self, dy):
        dg = dy * (self.a - self.b)
        da = dy * self.g + dg * (-2 * self.a * self.g)
        db = dy * (1 - self.g)
        return da, db
def blend(a, b):
    layer = Blend()
    return layer.forward(a, b), layer.backward
""", ("a", "dy * self.g + dg * (-2 * self.a * self.g)", "dy * self.g", "lost-path|overwrite|missing-term",
      "local-derivative"),
     ("a", "(-2 * self.a * self.g)", "(-2 * self.a)", "local-derivative", "lost-path"),
     ("b", "dy * (1 - self.g)", "dy * self.g", "local-derivative|operand", "factor|missing-term|swapped")),
]
