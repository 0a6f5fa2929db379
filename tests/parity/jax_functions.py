"""Functions in JAX's form, right as they stand, each with mistakes: (input, old text, new text, codes).

Read by ``test_check_jax.py``. The code of a mistake is any name that is true by the doctor's own pages.
"""

Case("x:BC", """
@jax.custom_vjp
def tanh(x):
    return jnp.tanh(x)

def forward(x):
    y = jnp.tanh(x)
    return y, y

def backward(y, g):
    return g * (1 - y ** 2),

tanh.defvjp(forward, backward)
""", ("x", "1 - y ** 2", "1 - y", "local-derivative"))

Case("x:BC", """
@jax.custom_vjp
def silu(x):
    return x * jax.nn.sigmoid(x)

def forward(x):
    s = jax.nn.sigmoid(x)
    return x * s, (x, s)

def backward(saved, g):
    x, s = saved
    return g * (s + x * s * (1 - s)),

silu.defvjp(forward, backward)
""", ("x", "g * (s + x * s * (1 - s))", "g * s", "lost-path|missing-term|local-derivative"))

Case("x:BC", """
@jax.custom_vjp
def relu(x):
    return jnp.maximum(x, 0)

def forward(x):
    return jnp.maximum(x, 0), x

def backward(x, g):
    return jnp.where(x > 0, g, 0),

relu.defvjp(forward, backward)
""", ("x", "x > 0, g, 0", "x < 0, g, 0", "inverted-mask"), ("x", "jnp.where(x > 0, g, 0)", "g", "mask"))

Case("x:BC", """
@jax.custom_vjp
def gelu(x):
    return jax.nn.gelu(x)

def forward(x):
    return jax.nn.gelu(x), x

def backward(x, g):
    c = jnp.sqrt(2 / jnp.pi)
    t = jnp.tanh(c * (x + 0.044715 * x ** 3))
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - t ** 2) * c * (1 + 3 * 0.044715 * x ** 2)),

gelu.defvjp(forward, backward)
""", ("x", " * c * (1 + 3", " * (1 + 3", "local-derivative"))

Case("x:BI w:OI b:O", """
@jax.custom_vjp
def linear(x, w, b):
    return x @ w.T + b

def forward(x, w, b):
    return x @ w.T + b, (x, w)

def backward(saved, g):
    x, w = saved
    return g @ w, g.T @ x, g.sum(0)

linear.defvjp(forward, backward)
""", ("w", "g.T @ x", "x.T @ g", "transpose|shape"), ("b", "g.sum(0)", "g.mean(0)", "factor|reduction"))

Case("x:BC", """
@jax.custom_vjp
def softmax(x):
    return jax.nn.softmax(x)

def forward(x):
    p = jax.nn.softmax(x)
    return p, p

def backward(p, g):
    return p * (g - jnp.sum(p * g, axis=-1, keepdims=True)),

softmax.defvjp(forward, backward)
""", ("x", "p * (g - jnp.sum(p * g, axis=-1, keepdims=True))", "p * (1 - p) * g", "softmax-diagonal"))

Case("x:BC", """
@jax.custom_vjp
def log_softmax(x):
    return x - jax.scipy.special.logsumexp(x, axis=-1, keepdims=True)

def forward(x):
    y = log_softmax(x)
    return y, y

def backward(y, g):
    return g - jnp.exp(y) * g.sum(axis=-1, keepdims=True),

log_softmax.defvjp(forward, backward)
""", ("x", "g - jnp.exp(y) * g.sum(axis=-1, keepdims=True)", "g", "lost-path|missing-term|softmax-diagonal"))

Case("x:BC gamma:C", """
@jax.custom_vjp
def layer_norm(x, gamma):
    centered = x - x.mean(-1, keepdims=True)
    return gamma * centered / jnp.sqrt(jnp.mean(centered ** 2, -1, keepdims=True) + 1e-5)

def forward(x, gamma):
    centered = x - x.mean(-1, keepdims=True)
    std = jnp.sqrt(jnp.mean(centered ** 2, -1, keepdims=True) + 1e-5)
    return gamma * centered / std, (centered / std, gamma, std)

def backward(saved, g):
    xhat, gamma, std = saved
    d = g * gamma
    dx = (d - d.mean(-1, keepdims=True) - xhat * (d * xhat).mean(-1, keepdims=True)) / std
    return dx, (g * xhat).sum(0)

layer_norm.defvjp(forward, backward)
""", ("x", " - d.mean(-1, keepdims=True)", "", "mean-term|overwrite"),     # the use of x in its mean is not counted
     ("x", " - xhat * (d * xhat).mean(-1, keepdims=True)", "", "variance-term"),
     ("x", "d = g * gamma", "d = g", "local-derivative"))

Case("x:BC", """
@jax.custom_vjp
def rms_norm(x):
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)

def forward(x):
    r = jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)
    return x * r, (x, r)

def backward(saved, g):
    x, r = saved
    y = x * r
    return r * (g - y * jnp.mean(g * y, axis=-1, keepdims=True)),

rms_norm.defvjp(forward, backward)
""", ("x", "jnp.mean(g * y, axis=-1, keepdims=True)", "jnp.sum(g * y, axis=-1, keepdims=True)", "reduction|variance-term"),
     ("x", "r * (g", "r * r * (g", "row-scale|local-derivative"))

Case("q:TD k:SD v:SD", """
@jax.custom_vjp
def attention(q, k, v):
    return jax.nn.softmax(q @ k.T / jnp.sqrt(q.shape[-1])) @ v

def forward(q, k, v):
    p = jax.nn.softmax(q @ k.T / jnp.sqrt(q.shape[-1]))
    return p @ v, (q, k, v, p)

def backward(saved, g):
    q, k, v, p = saved
    dp = g @ v.T
    ds = p * (dp - jnp.sum(p * dp, -1, keepdims=True)) / jnp.sqrt(q.shape[-1])
    return ds @ k, ds.T @ q, p.T @ g

attention.defvjp(forward, backward)
""", ("q", ") / jnp.sqrt(q.shape[-1])\n    return ds", ")\n    return ds", "factor"),
     ("k", "ds.T @ q", "-ds.T @ q", "sign"))

Case("x:NC t:N<C", """
@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def cross_entropy(x, t):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), jnp.asarray(t)[:, None], 1))

def forward(x, t):
    return cross_entropy(x, t), jax.nn.softmax(x)

def backward(t, p, g):
    return g * (p - jax.nn.one_hot(t, p.shape[1])) / len(p),

cross_entropy.defvjp(forward, backward)
""", ("x", " / len(p)", "", "factor"), ("x", "(p - jax.nn.one_hot(t, p.shape[1]))", "p", "missing-term"))

Case("x:NC t:NC", """
@jax.custom_vjp
def mse(x, t):
    return jnp.mean((x - t) ** 2)

def forward(x, t):
    return jnp.mean((x - t) ** 2), x - t

def backward(d, g):
    e = 2 * g * d / d.size
    return e, -e

mse.defvjp(forward, backward)
""", ("t", "e, -e", "e, e", "sign"), ("x", "2 * g", "g", "factor"))

Case("x:TC u:CC", """
@jax.custom_vjp
def recurrence(x, u):
    return forward(x, u)[0]

def forward(x, u):
    def step(h, row):
        h = jnp.tanh(row + h @ u)
        return h, h
    _, states = jax.lax.scan(step, jnp.zeros(x.shape[1]), x)
    return states, (states, u)

def backward(saved, g):
    states, u = saved
    dh, du, rows = jnp.zeros(len(u)), jnp.zeros(u.shape), []
    for t in reversed(range(len(g))):
        dz = (g[t] + dh) * (1 - states[t] ** 2)
        rows.insert(0, dz)
        du = du + (jnp.outer(states[t - 1], dz) if t else 0)
        dh = u @ dz
    return jnp.stack(rows), du

recurrence.defvjp(forward, backward)
""", ("x", "(g[t] + dh)", "g[t]", "lost-path"), ("x", "dh = u @ dz", "dh = dz @ u", "operand|transpose"))

Case("w:VC i:N<V", """
@jax.custom_vjp
def embedding(w, i):
    return w[i]

def forward(w, i):
    return w[i], (i, w)

def backward(saved, g):
    i, w = saved
    return jnp.zeros_like(w).at[i].add(g), None

embedding.defvjp(forward, backward)
""", ("w", ".at[i].add(g)", ".at[i].set(g)", "duplicate-index|overwrite"))

Case("x:BTC", """
@jax.custom_vjp
def heads_first(x):
    return jnp.transpose(x, (2, 0, 1))

def forward(x):
    return jnp.transpose(x, (2, 0, 1)), None

def backward(_, g):
    return jnp.transpose(g, (1, 2, 0)),

heads_first.defvjp(forward, backward)
""", ("x", "(1, 2, 0)", "(2, 0, 1)", "permuted|shape"))

Case("x:BC", """
@jax.custom_jvp
def softplus(x):
    return jnp.log1p(jnp.exp(x))

@softplus.defjvp
def rule(primals, tangents):
    x, = primals
    return softplus(x), jax.nn.sigmoid(x) * tangents[0]
""", ("x", "jax.nn.sigmoid(x) * tangents", "jnp.exp(x) * tangents", "local-derivative"))

Case("x:BC+", """
@jax.custom_jvp
def log(x):
    return jnp.log(x)

@log.defjvp
def rule(primals, tangents):
    x, = primals
    return log(x), tangents[0] / x
""", ("x", "tangents[0] / x", "tangents[0] / x ** 2", "local-derivative"))

Case("x:BC", """
def block(x):
    h = jax.nn.gelu(x) + x
    return jnp.tanh(h - h.mean(axis=-1, keepdims=True))
""")

Case("x:BI w:OI", """
@jax.jit
def network(x, w):
    return jax.nn.logsumexp(jax.nn.relu(x @ w.T), axis=-1)
""")

Case("x:BC", """
def with_integers(x):
    order = jnp.argsort(x, axis=-1)
    return jnp.take_along_axis(x, order, axis=-1)[:, ::-1].cumsum(axis=-1)
""")
