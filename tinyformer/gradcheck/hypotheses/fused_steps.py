"""Frequent mistakes in the gradient of a softmax, a normalization or a rotation: (key, codes, message, rule)."""

from __future__ import annotations

import numpy as np

from .fused import norm_rule

LOCAL = ("local-derivative",)
SQUEEZED = "a sum or mean lacks keepdims=True, so NumPy broadcasts it along the wrong axis"


def squeezed(x, axis, f=np.sum):
    """f along the last axis without keepdims, as NumPy broadcasts it in a square array.

    None if the shapes do not allow it.
    """
    fits = x.ndim >= 2 and axis == (x.ndim - 1,) and x.shape[-1] == x.shape[-2]
    return f(x, axis=-1)[..., None, :] if fits else None


def kept(x, axis, f):
    """f along the axis with keepdims."""
    return f(x, axis=axis, keepdims=True)


def softmax(node):
    """Wrong rules for y = softmax(x), whose gradient is dx = p ⊙ (dy − Σ p ⊙ dy)."""
    p, axis = node.value, node.options["axis"]

    def along(x, axis=axis):
        return x.sum(axis=axis, keepdims=True)

    says = "the Jacobian of the softmax is diag(p) − p pᵀ, and only its diagonal is used"
    yield "diagonal", ("softmax-diagonal",), says, lambda dz: p * dz
    yield "diagonal2", ("softmax-diagonal",), says, lambda dz: p * (1 - p) * dz
    for other in (*((a,) for a in range(p.ndim)), tuple(range(p.ndim))):
        if other != axis:
            yield f"axis{other}", ("reduction",), "the sum in the gradient of the softmax runs along the wrong axis", \
                lambda dz, other=other: p * (dz - along(p * dz, other))
    if squeezed(p, axis) is not None:
        yield "squeezed", ("keepdims",), SQUEEZED, lambda dz: p * (dz - squeezed(p * dz, axis))
    yield "mean", ("reduction",), "the gradient of the softmax has a mean in place of a sum", \
        lambda dz: p * (dz - (p * dz).mean(axis=axis, keepdims=True))
    yield "no inner p", ("missing-term",), "the sum in the gradient of the softmax is over p ⊙ dp, not over dp", \
        lambda dz: p * (dz - along(dz))
    yield "plus", ("missing-term",), "the sum in the gradient of the softmax must be subtracted, not added", \
        lambda dz: p * (dz + along(p * dz))
    yield "no outer p", LOCAL, "the factor p in the gradient of the softmax is missing", lambda dz: dz - along(p * dz)
    if (p == 0).any():
        yield "no outer p but a mask", LOCAL, "the factor p in the gradient of the softmax is missing", \
            lambda dz: (p > 0) * (dz - along(p * dz))
        yield "a mask alone", LOCAL, "the derivative of the softmax is missing", lambda dz: (p > 0) * dz
    yield "no last p", LOCAL, "the sum in the gradient of the softmax lacks its factor p", \
        lambda dz: p * dz - along(p * dz)
    yield "outer p twice", LOCAL, "the factor p in the gradient of the softmax appears twice", \
        lambda dz: p * p * (dz - along(p * dz))
    yield "identity", LOCAL, "the derivative of the softmax is missing", lambda dz: dz
    yield "square", LOCAL, "the sum in the gradient of the softmax has p² in place of p", \
        lambda dz: p * (dz - along(p * p * dz))


def log_softmax(node):
    """Wrong rules for y = log softmax(x), whose gradient is dx = dy − p Σ dy."""
    y, axis = node.value, node.options["axis"]
    p = np.exp(y)

    def rule(q, axis=axis, f=np.sum):
        return lambda dz: dz - q * f(dz, axis=axis, keepdims=True)
    for other in (*((a,) for a in range(p.ndim)), tuple(range(p.ndim))):
        if other != axis:
            says = "the sum in the gradient of the log-softmax runs along the wrong axis"
            yield f"axis{other}", ("reduction",), says, rule(p, other)
    if squeezed(p, axis) is not None:
        yield "squeezed", ("keepdims",), SQUEEZED, lambda dz: dz - p * squeezed(dz, axis)
    yield "mean", ("reduction",), "the gradient of the log-softmax has a mean in place of a sum", rule(p, f=np.mean)
    yield "identity", ("missing-term",), "the term p Σ dy in the gradient of the log-softmax is missing", lambda dz: dz
    yield "plus", ("missing-term",), "the term p Σ dy must be subtracted, not added", \
        lambda dz: dz + p * np.sum(dz, axis=axis, keepdims=True)
    for name, q in (("no p", np.ones_like(p)), ("y", y), ("u", node.operands[0]), ("p²", p * p)):
        yield name, LOCAL, "the sum in the gradient of the log-softmax lacks its factor p", rule(q)
    yield "no softmax", LOCAL, "the derivative of the softmax is missing; only that of the logarithm is used", \
        lambda dz: dz / p
    says = "the Jacobian of the softmax is diag(p) − p pᵀ, and only its diagonal is used"
    yield "diagonal", ("softmax-diagonal",), says, lambda dz: (1 - p) * dz
    yield "softmax", LOCAL, "this is the gradient of the softmax, not of its logarithm", \
        lambda dz: p * (dz - np.sum(p * dz, axis=axis, keepdims=True))


def normalized(node):
    """Wrong rules for x̂ = (x − μ)/σ, whose gradient is dx = (g − mean(g) − x̂ mean(g ⊙ x̂))/σ."""
    x, v = node.operands[0], node.value
    axis, s, mean, a = (node.options[k] for k in ("axis", "s", "mean", "a"))

    def rule(m=1.0, b=1.0, scale=None, about=None, axis=axis):
        return lambda dz: norm_rule(dz, v, s, axis, mean, a, m, b, scale, about)

    # Division by the length of a vector has no variance; its second term is a part along the vector.
    radial = ("variance-term",) if mean or a == 1 else ("missing-term",)
    var = ("the variance's term in the gradient of the normalization" if mean or a == 1
           else "the term along the vector in the gradient of the unit vector") + " is missing or wrong"
    if mean:
        yield ("both", ("mean-term", "variance-term"),
               "the mean and the variance depend on the input too, but their two terms are missing", rule(0, 0))
        yield "mean", ("mean-term",), "the mean's term in the gradient of the normalization is missing", rule(0, 1)
        yield "mean+", ("mean-term",), "the mean's term must be subtracted, not added", rule(-1, 1)
    else:
        yield "extra mean", ("mean-term",), "the gradient subtracts a mean, but this normalization has no mean", \
            lambda dz: norm_rule(dz, v, s, axis, True, a)
    yield "variance", radial, var, rule(1, 0)
    yield "variance+", radial, var, rule(1, -1)
    for name, about in (("x", x), ("centered", x - x.mean(axis=axis, keepdims=True))):
        yield f"variance {name}", radial, var, rule(1, 1, None, about)

        def mixed(dz, about=about, first=True):
            g = dz - (dz.mean(axis=axis, keepdims=True) if mean else 0)
            one, two = (about, v) if first else (v, about)
            return (g - a * one * (dz * two).mean(axis=axis, keepdims=True)) / s
        yield f"variance {name} outside", radial, var, mixed
        yield f"variance {name} inside", radial, var, lambda dz, about=about: mixed(dz, about, False)
    yield "variance no x̂", radial, var, \
        lambda dz: rule(1, 0)(dz) - a * (dz * v).mean(axis=axis, keepdims=True) / s
    yield "variance no x̂ inside", radial, var, \
        lambda dz: rule(1, 0)(dz) - a * v * dz.mean(axis=axis, keepdims=True) / s
    if a != 1 and "missing-term" in radial:
        yield "mean", ("reduction",), "the term along the vector has a mean in place of a sum", rule(1, 1 / a)
    elif a != 1:
        yield "unbiased", radial, var, rule(1, 1 / a)
    n = v.size // s.size
    yield "biased", radial, var, rule(1, n / (n - 1))
    yield "sums", ("reduction",), "the gradient of the normalization has sums in place of means", rule(n, n)
    yield "sum 1", ("reduction", "mean-term"), "the mean's term has a sum in place of a mean", rule(n, 1)
    yield "sum 2", ("reduction", "variance-term"), "the variance's term has a sum in place of a mean", rule(1, n)
    for name, scale in (("no 1/σ", np.ones_like(s)), ("1/σ²", 1 / s ** 2), ("1/σ³", 1 / s ** 3), ("σ", s)):
        yield name, LOCAL, "the factor 1/σ in the gradient of the normalization is missing or wrong", rule(1, 1, scale)
    yield "identity", LOCAL, "the derivative of the normalization is missing", lambda dz: dz
    if squeezed(v, axis) is not None:
        def one(dz, first, second):
            means = [(squeezed if of else kept)(x, axis, np.mean) for x, of in ((dz, first), (dz * v, second))]
            return (dz - (means[0] if mean else 0) - a * v * means[1]) / s
        for first, second in ((True, True), (True, False), (False, True)):
            yield f"squeezed {first} {second}", ("keepdims",), SQUEEZED, \
                lambda dz, first=first, second=second: one(dz, first, second)
    for other in (*((k,) for k in range(v.ndim)), tuple(range(v.ndim))):
        if other != axis:
            says = "the means in the gradient of the normalization run along the wrong axis"
            yield f"axis{other}", ("reduction",), says, rule(axis=other)

            def only_mean(dz, other=other):
                return (dz - dz.mean(axis=other, keepdims=True) - a * v * (dz * v).mean(axis=axis, keepdims=True)) / s

            def only_variance(dz, other=other):
                centered = dz - dz.mean(axis=axis, keepdims=True) if mean else dz
                return (centered - a * v * (dz * v).mean(axis=other, keepdims=True)) / s
            for name, pull in (("mean", only_mean), ("variance", only_variance)):
                yield (f"{name} axis{other}", ("reduction",),
                       f"the {name}'s term in the gradient of the normalization averages along the wrong axis", pull)


def rotated(node):
    """Wrong rules for a rotation of pairs of features, whose gradient is rotated by the opposite angle."""
    turn, layout = node.options["turn"], node.options["layout"]
    h = turn.shape[-1]
    halves, interleaved = (slice(0, h), slice(h, None)), (slice(0, None, 2), slice(1, None, 2))

    def turned(dz, by, pairs):
        first, second = pairs
        z = (dz[..., first] + 1j * dz[..., second]) * by
        dx = np.empty(dz.shape)
        dx[..., first], dx[..., second] = z.real, z.imag
        return dx

    def mixed(dz, one, two):
        first, second = own
        dx = np.empty(dz.shape)
        dx[..., first] = turn.real * dz[..., first] + one * turn.imag * dz[..., second]
        dx[..., second] = turn.real * dz[..., second] + two * turn.imag * dz[..., first]
        return dx

    own, other = (halves, interleaved) if layout == "halves" else (interleaved, halves)
    code = ("rotation",)
    yield "forward", code, "the gradient is rotated forward again; rotate it by the opposite angle", \
        lambda dz: turned(dz, turn, own)
    yield "none", code, "the gradient is not rotated back", lambda dz: dz
    yield "other", code, "the gradient is rotated by the opposite angle, but in other pairs of features", \
        lambda dz: turned(dz, np.conj(turn), other)
    yield "other forward", code, "the gradient is rotated in other pairs of features, and by the wrong angle", \
        lambda dz: turned(dz, turn, other)
    for name, signs in (("both plus", (1, 1)), ("both minus", (-1, -1))):
        yield name, code, "one of the two sines in the gradient of the rotation has the wrong sign", \
            lambda dz, signs=signs: mixed(dz, *signs)
    yield "cos", code, "the sine terms are missing in the gradient of the rotation", \
        lambda dz: turned(dz, turn.real, own)
