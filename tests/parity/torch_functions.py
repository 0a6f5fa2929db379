"""Functions in PyTorch's form, right as they stand, each with mistakes: (input, old text, new text, codes).

Read by ``test_check_torch.py``. The code of a mistake is any name that is true by the doctor's own pages.
"""

Case("x:BC", """
class Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        y, = ctx.saved_tensors
        return g * (1 - y * y)
""", ("x", "1 - y * y", "1 - y", "local-derivative"), ("x", "g * (1 - y * y)", "1 - y * y", "upstream"))

Case("x:BC", """
class Sigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.sigmoid(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        y, = ctx.saved_tensors
        return g * y * (1 - y)
""", ("x", "g * y * (1 - y)", "g * y", "local-derivative"), ("x", "(1 - y)", "(y - 1)", "sign"))

Case("x:BC", """
class ReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        d = g.clone()
        d[x < 0] = 0
        return d
""", ("x", "        d[x < 0] = 0\n", "", "mask"), ("x", "d[x < 0]", "d[x > 0]", "inverted-mask"))

Case("x:BC", """
class LeakyReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.slope = 0.1
        return torch.where(x > 0, x, 0.1 * x)

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return torch.where(x > 0, g, ctx.slope * g)
""", ("x", "ctx.slope * g)", "torch.zeros_like(g))", "dropped"))

Case("x:BC", """
class SiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        s = torch.sigmoid(x)
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx, g):
        x, s = ctx.saved_tensors
        return g * (s + x * s * (1 - s))
""", ("x", "s + x * s * (1 - s)", "x * s * (1 - s)", "lost-path|missing-term|local-derivative"),
     ("x", "x * s * (1 - s)", "s * (1 - s)", "local-derivative"))

Case("x:BC", """
class GELU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        t = torch.tanh(0.7978845608 * (x + 0.044715 * x ** 3))
        ctx.save_for_backward(x, t)
        return 0.5 * x * (1 + t)

    @staticmethod
    def backward(ctx, g):
        x, t = ctx.saved_tensors
        inner = 0.7978845608 * (1 + 3 * 0.044715 * x ** 2)
        return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner)
""", ("x", "0.044715 * x ** 2", "0.044715 * x ** 3", "local-derivative"),
     ("x", "0.5 * x * (1 - t * t) * inner", "0.5 * x * (1 - t * t)", "local-derivative|lost-path"))

Case("x:BC", """
class Softplus(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.log1p(torch.exp(x))

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g * torch.sigmoid(x)
""", ("x", "torch.sigmoid(x)", "torch.exp(x)", "local-derivative"))

Case("x:BC+", """
class Log(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.log()

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g / x
""", ("x", "g / x", "g * x", "local-derivative"))

Case("x:BI w:OI b:O", """
class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b):
        ctx.save_for_backward(x, w)
        return x @ w.t() + b

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w, g.t() @ x, g.sum(0)
""", ("w", "g.t() @ x", "x.t() @ g", "transpose|shape"), ("b", "g.sum(0)", "g.mean(0)", "reduction|factor"),
     ("b", "g.sum(0)", "g", "unbroadcast"))

Case("x:BI w:OI", """
class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return (x @ w.t()) / x.shape[1] ** 0.5

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        g = g / x.shape[1] ** 0.5
        return g @ w, g.t() @ x
""", ("x", "        g = g / x.shape[1] ** 0.5\n", "", "factor"))

Case("x:BC", """
class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        p = torch.softmax(x, dim=-1)
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx, g):
        p, = ctx.saved_tensors
        return p * (g - (p * g).sum(-1, keepdim=True))
""", ("x", "p * (g - (p * g).sum(-1, keepdim=True))", "p * (1 - p) * g", "softmax-diagonal"),
     ("x", "(p * g).sum(-1, keepdim=True)", "(p * g).sum()", "leak|reduction"))

Case("x:BC", """
class LogSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.log_softmax(x, dim=-1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        y, = ctx.saved_tensors
        return g - y.exp() * g.sum(-1, keepdim=True)
""", ("x", "g - y.exp() * g.sum(-1, keepdim=True)", "g - y.exp() * g", "local-derivative|missing-term|softmax-diagonal"),
     ("x", "y.exp() * g.sum", "y * g.sum", "local-derivative|operand|missing-term"))

Case("x:BC gamma:C beta:C", """
class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma, beta):
        mean = x.mean(-1, keepdim=True)
        std = (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        xhat = (x - mean) / std
        ctx.save_for_backward(xhat, gamma, std)
        return gamma * xhat + beta

    @staticmethod
    def backward(ctx, g):
        xhat, gamma, std = ctx.saved_tensors
        d = g * gamma
        dx = (d - d.mean(-1, keepdim=True) - xhat * (d * xhat).mean(-1, keepdim=True)) / std
        return dx, (g * xhat).sum(0), g.sum(0)
""", ("x", " - d.mean(-1, keepdim=True)", "", "mean-term"),
     ("x", " - xhat * (d * xhat).mean(-1, keepdim=True)", "", "variance-term"),
     ("x", "d = g * gamma", "d = g", "local-derivative"),
     ("gamma", "(g * xhat).sum(0)", "(d * xhat).sum(0)", "local-derivative|factor"))

Case("x:BC gamma:C", """
class RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma):
        rms = (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        xhat = x / rms
        ctx.save_for_backward(xhat, gamma, rms)
        return gamma * xhat

    @staticmethod
    def backward(ctx, g):
        xhat, gamma, rms = ctx.saved_tensors
        d = g * gamma
        return (d - xhat * (d * xhat).mean(-1, keepdim=True)) / rms, (g * xhat).sum(0)
""", ("x", "(d - xhat * (d * xhat).mean(-1, keepdim=True)) / rms", "d / rms", "variance-term"),
     ("x", "keepdim=True)) / rms", "keepdim=True)) / rms ** 2", "row-scale|local-derivative"))

Case("x:BCT gamma:C beta:C", """
class BatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma, beta):
        mean = x.mean((0, 2), keepdim=True)
        var = x.var((0, 2), unbiased=False, keepdim=True)
        xhat = (x - mean) * torch.rsqrt(var + 1e-5)
        ctx.save_for_backward(xhat, gamma, var)
        return xhat * gamma[None, :, None] + beta[None, :, None]

    @staticmethod
    def backward(ctx, g):
        xhat, gamma, var = ctx.saved_tensors
        d = g * gamma[None, :, None]
        dx = d - d.mean((0, 2), keepdim=True) - xhat * (d * xhat).mean((0, 2), keepdim=True)
        return dx * torch.rsqrt(var + 1e-5), (g * xhat).sum((0, 2)), g.sum((0, 2))
""", ("x", "dx = d - d.mean((0, 2), keepdim=True)", "dx = d - d.mean(0, keepdim=True)", "mean-term|reduction"),
     ("beta", "g.sum((0, 2))\n", "g.mean(2).sum(0)\n", "reduction|factor"))

Case("x:BC", """
class Normalize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        n = x.norm(dim=-1, keepdim=True)
        ctx.save_for_backward(x, n)
        return x / n

    @staticmethod
    def backward(ctx, g):
        x, n = ctx.saved_tensors
        u = x / n
        return (g - u * (g * u).sum(-1, keepdim=True)) / n
""", ("x", "(g - u * (g * u).sum(-1, keepdim=True)) / n", "g / n", "variance-term|lost-path|missing-term"),
     ("x", "True)) / n", "True))", "row-scale|local-derivative"))

Case("q:TD k:SD v:SD", """
class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        p = torch.softmax(q @ k.T / q.shape[-1] ** 0.5, -1)
        ctx.save_for_backward(q, k, v, p)
        return p @ v

    @staticmethod
    def backward(ctx, g):
        q, k, v, p = ctx.saved_tensors
        dp = g @ v.T
        ds = p * (dp - (p * dp).sum(-1, keepdim=True)) / q.shape[-1] ** 0.5
        return ds @ k, ds.T @ q, p.T @ g
""", ("q", " / q.shape[-1] ** 0.5\n        return", "\n        return", "factor"),
     ("v", "p.T @ g", "ds.T @ g", "operand|local-derivative|upstream"),
     ("k", "ds.T @ q", "dp.T @ q", "local-derivative|softmax-diagonal|lost-path"))

Case("q:TD k:TD v:TD", """
class CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        scores = q @ k.transpose(0, 1) * q.shape[-1] ** -0.5
        mask = torch.ones(len(q), len(q), dtype=torch.bool).triu(1)
        p = scores.masked_fill(mask, float("-inf")).softmax(-1)
        ctx.save_for_backward(q, k, v, p)
        return p @ v

    @staticmethod
    def backward(ctx, g):
        q, k, v, p = ctx.saved_tensors
        dp = g @ v.transpose(0, 1)
        ds = p * (dp - (p * dp).sum(-1, keepdim=True)) * q.shape[-1] ** -0.5
        return ds @ k, ds.transpose(0, 1) @ q, p.transpose(0, 1) @ g
""", ("v", "p.transpose(0, 1) @ g", "p @ g", "operand|transpose"),
     ("k", "ds.transpose(0, 1) @ q", "ds @ q", "operand|transpose"))

Case("x:NC t:N<C", """
class CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, t):
        p = x.softmax(-1)
        ctx.save_for_backward(p, t)
        return -torch.log(p[torch.arange(len(t)), t]).mean()

    @staticmethod
    def backward(ctx, g):
        p, t = ctx.saved_tensors
        d = p.clone()
        d[torch.arange(len(t)), t] -= 1
        return g * d / len(t), None
""", ("x", "g * d / len(t)", "g * d", "factor"), ("x", "        d[torch.arange(len(t)), t] -= 1\n", "", "missing-term"),
     ("x", "d[torch.arange(len(t)), t] -= 1", "d[:, t] -= 1", "leak|missing-term"))

Case("x:NC t:NC", """
class MSE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, t):
        ctx.save_for_backward(x, t)
        return ((x - t) ** 2).mean()

    @staticmethod
    def backward(ctx, g):
        x, t = ctx.saved_tensors
        d = 2 * g * (x - t) / x.numel()
        return d, -d
""", ("t", "d, -d", "d, d", "sign"), ("x", "2 * g * (x - t)", "g * (x - t)", "factor"),
     ("x", "/ x.numel()", "/ len(x)", "factor|reduction"))

Case("z:N t:N?", """
class BCE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, t):
        t = t.to(z.dtype)
        ctx.save_for_backward(z, t)
        return torch.nn.functional.binary_cross_entropy_with_logits(z, t)

    @staticmethod
    def backward(ctx, g):
        z, t = ctx.saved_tensors
        return g * (z.sigmoid() - t) / z.numel(), None
""", ("z", "z.sigmoid() - t", "z - t", "local-derivative|missing-term|unexplained"))

Case("x:NC t:NC", """
class Huber(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, t):
        d = x - t
        ctx.save_for_backward(d)
        return torch.where(d.abs() < 1, 0.5 * d * d, d.abs() - 0.5).sum()

    @staticmethod
    def backward(ctx, g):
        d, = ctx.saved_tensors
        e = g * d.clamp(-1, 1)
        return e, -e
""", ("x", "g * d.clamp(-1, 1)", "g * d", "local-derivative|mask"))

Case("w:VC i:BT<V", """
class Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w, i):
        ctx.save_for_backward(i)
        ctx.rows = w.shape[0]
        return w[i]

    @staticmethod
    def backward(ctx, g):
        i, = ctx.saved_tensors
        d = torch.zeros(ctx.rows, g.shape[-1], dtype=g.dtype)
        d.index_add_(0, i.reshape(-1), g.reshape(-1, g.shape[-1]))
        return d, None
""", ("w", "d.index_add_(0, i.reshape(-1), g.reshape(-1, g.shape[-1]))", "d[i] += g", "duplicate-index"))

Case("x:TC u:CC h:C", """
class Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, u, h):
        states = [h]
        for t in range(len(x)):
            states.append(torch.tanh(x[t] + states[-1] @ u))
        ctx.states = states
        ctx.save_for_backward(u)
        return torch.stack(states[1:])

    @staticmethod
    def backward(ctx, g):
        u, = ctx.saved_tensors
        dx, du, dh = torch.zeros_like(g), torch.zeros_like(u), torch.zeros_like(g[0])
        for t in reversed(range(len(g))):
            dz = (g[t] + dh) * (1 - ctx.states[t + 1] ** 2)
            dx[t] = dz
            du += torch.outer(ctx.states[t], dz)
            dh = u @ dz
        return dx, du, dh
""", ("x", "(g[t] + dh)", "g[t]", "lost-path"), ("u", "du += torch", "du = torch", "overwrite|lost-path"),
     ("u", "torch.outer(ctx.states[t], dz)", "torch.outer(ctx.states[t + 1], dz)", "operand|local-derivative"))

Case("x:BTC", """
class Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.permute(2, 0, 1)

    @staticmethod
    def backward(ctx, g):
        return g.permute(1, 2, 0)
""", ("x", "g.permute(1, 2, 0)", "g.permute(2, 0, 1)", "permuted|shape"))

Case("x:BC s:BC", """
class Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, s):
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx, g):
        x, s = ctx.saved_tensors
        return g * s, g * x
""", ("x", "g * s, g * x", "g * x, g * s", "swapped"), ("x", "g * s, g * x", "g.mul_(s), g * x", "mutates"))

# ------------------------------------------------------------------------------------------------ by design

Case("x:BC", """
class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, g):
        return g
""")

Case("x:BC", """
class Binarize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sign(x)

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g * (x.abs() <= 1)
""")

Case("x:BC", """
class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x > 0.5).to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g / (1 + 10 * (x - 0.5).abs()) ** 2
""")

# ------------------------------------------------------------------------------------------------ right as they are

Case("x:BC", """
class Setup(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]
""")

Case("x:BC", """
class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, g):
        return 2 * g
""")

Case("x:BC", """
class TwoOutputs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, k=3):
        ctx.save_for_backward(x)
        return x * x, x.sum(0)

    @staticmethod
    def backward(ctx, g, h):
        x, = ctx.saved_tensors
        return 2 * x * g + h, None
""")

Case("x:BC", """
def changed_in_place(x):
    y = torch.zeros_like(x)
    y[:, 1:] = x[:, :-1].tanh()
    y[0] += x[1]
    return y.relu_().sort(dim=-1).values
""")

Case("q:BHTD k:BHTD v:BHTD", """
def causal(q, k, v):
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
""")

Case("x:BC t:B<C", """
def loss(x, t):
    return torch.nn.functional.cross_entropy(torch.nn.functional.gelu(x, approximate="tanh"), t)
""")

Case("x:BC", """
def in_float32(x):
    return x @ torch.ones(x.shape[1], 2) * torch.tensor(0.5)
""")

Case("x:B4", """
def mlp():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.LayerNorm(6), torch.nn.SiLU(), torch.nn.Linear(6, 2))
model = mlp()
""")

Case("x:B4", """
def normalized():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.3), torch.nn.ELU())
model = normalized()
""")

Case("x:BT4", """
def encoder():
    torch.manual_seed(0)
    return torch.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.1, batch_first=True)
model = encoder()
""")

Case("x:2T3", """
def recurrent():
    torch.manual_seed(0)
    return torch.nn.GRU(3, 4, batch_first=True)
model = recurrent()
""")

Case("x:2265", """
def convolution():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3, padding=1), torch.nn.ReLU(), torch.nn.AvgPool2d(2))
model = convolution()
""")
