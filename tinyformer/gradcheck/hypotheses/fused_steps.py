"""The mistakes that can be made in a softmax, a normalisation or a rotation: (key, codes, what it is in words, rule)."""

from __future__ import annotations

import numpy as np

from .fused import norm_rule

LOCAL = ("local-derivative",)
SQUEEZED = "a sum or mean along an axis is then broadcast along another one, for want of keepdims=True"


def squeezed(x, axis, f=np.sum):
    """f along the last axis without keepdims, as NumPy broadcasts it in a square array; None where that cannot happen."""
    fits = x.ndim >= 2 and axis == (x.ndim - 1,) and x.shape[-1] == x.shape[-2]
    return f(x, axis=-1)[..., None, :] if fits else None


def kept(x, axis, f):
    return f(x, axis=axis, keepdims=True)


def softmax(node):
    p, axis = node.value, node.extra["axis"]

    def along(x, axis=axis):
        return x.sum(axis=axis, keepdims=True)

    says = "the softmax's Jacobian is diag(p) − p pᵀ; here only its diagonal is used"
    yield "diagonal", ("softmax-diagonal",), says, lambda dz: p * dz
    yield "diagonal2", ("softmax-diagonal",), says, lambda dz: p * (1 - p) * dz
    for other in (*((a,) for a in range(p.ndim)), tuple(range(p.ndim))):
        if other != axis:
            yield f"axis{other}", ("reduction",), "the sum of the softmax's gradient runs along the wrong axis", \
                lambda dz, other=other: p * (dz - along(p * dz, other))
    if squeezed(p, axis) is not None:
        yield "squeezed", ("keepdims",), SQUEEZED, lambda dz: p * (dz - squeezed(p * dz, axis))
    yield "mean", ("reduction",), "a mean in the softmax's gradient, where it is a sum", \
        lambda dz: p * (dz - (p * dz).mean(axis=axis, keepdims=True))
    yield "no inner p", ("missing-term",), "the sum in the softmax's gradient is that of p ∘ dp, not of dp", \
        lambda dz: p * (dz - along(dz))
    yield "plus", ("missing-term",), "the sum in the softmax's gradient is subtracted, not added", \
        lambda dz: p * (dz + along(p * dz))
    yield "no outer p", LOCAL, "the factor p of the softmax's gradient is missing", lambda dz: dz - along(p * dz)
    if (p == 0).any():
        yield "no outer p but a mask", LOCAL, "the factor p of the softmax's gradient is missing", \
            lambda dz: (p > 0) * (dz - along(p * dz))
        yield "a mask alone", LOCAL, "the softmax's derivative is missing", lambda dz: (p > 0) * dz
    yield "no last p", LOCAL, "the sum in the softmax's gradient lacks its factor p", lambda dz: p * dz - along(p * dz)
    yield "outer p twice", LOCAL, "the factor p of the softmax's gradient is there twice", \
        lambda dz: p * p * (dz - along(p * dz))
    yield "identity", LOCAL, "the softmax's derivative is missing", lambda dz: dz
    yield "square", LOCAL, "a square in the sum of the softmax's gradient", lambda dz: p * (dz - along(p * p * dz))


def log_softmax(node):
    y, axis = node.value, node.extra["axis"]
    p = np.exp(y)

    def rule(q, axis=axis, f=np.sum):
        return lambda dz: dz - q * f(dz, axis=axis, keepdims=True)
    for other in (*((a,) for a in range(p.ndim)), tuple(range(p.ndim))):
        if other != axis:
            yield f"axis{other}", ("reduction",), "the sum of the log-softmax's gradient runs along the wrong axis", \
                rule(p, other)
    if squeezed(p, axis) is not None:
        yield "squeezed", ("keepdims",), SQUEEZED, lambda dz: dz - p * squeezed(dz, axis)
    yield "mean", ("reduction",), "a mean in the log-softmax's gradient, where it is a sum", rule(p, f=np.mean)
    yield "identity", ("missing-term",), "the term p Σ dy of the log-softmax's gradient is missing", lambda dz: dz
    yield "plus", ("missing-term",), "the term p Σ dy is subtracted, not added", \
        lambda dz: dz + p * np.sum(dz, axis=axis, keepdims=True)
    for name, q in (("no p", np.ones_like(p)), ("y", y), ("u", node.operands[0]), ("p²", p * p)):
        yield name, LOCAL, "the sum in the log-softmax's gradient lacks its factor p", rule(q)
    yield "no softmax", LOCAL, "the softmax's derivative is missing, or only that of the logarithm is there", lambda dz: dz / p
    yield "diagonal", ("softmax-diagonal",), "the softmax's Jacobian is diag(p) − p pᵀ; here only its diagonal is used", \
        lambda dz: (1 - p) * dz
    yield "softmax", LOCAL, "that is the gradient of the softmax, not of its logarithm", \
        lambda dz: p * (dz - np.sum(p * dz, axis=axis, keepdims=True))


def normalised(node):
    x, v = node.operands[0], node.value
    axis, s, mean, a = (node.extra[k] for k in ("axis", "s", "mean", "a"))

    def rule(m=1.0, b=1.0, scale=None, about=None, axis=axis):
        return lambda dz: norm_rule(dz, v, s, axis, mean, a, m, b, scale, about)

    var = "the term of the normalisation's gradient that comes from the variance is missing or wrong"
    if mean:
        yield ("both", ("mean-term", "variance-term"),
               "the mean and the variance depend on the input too: two terms are missing", rule(0, 0))
        yield "mean", ("mean-term",), "the term of the normalisation's gradient that comes from the mean is missing", \
            rule(0, 1)
        yield "mean+", ("mean-term",), "the term with the mean is subtracted, not added", rule(-1, 1)
    else:
        yield "extra mean", ("mean-term",), "a mean is subtracted that this normalisation does not have", \
            lambda dz: norm_rule(dz, v, s, axis, True, a)
    yield "variance", ("variance-term",), var, rule(1, 0)
    yield "variance+", ("variance-term",), var, rule(1, -1)
    for name, about in (("x", x), ("centred", x - x.mean(axis=axis, keepdims=True))):
        yield f"variance {name}", ("variance-term",), var, rule(1, 1, None, about)

        def mixed(dz, about=about, first=True):
            g = dz - (dz.mean(axis=axis, keepdims=True) if mean else 0)
            one, two = (about, v) if first else (v, about)
            return (g - a * one * (dz * two).mean(axis=axis, keepdims=True)) / s
        yield f"variance {name} outside", ("variance-term",), var, mixed
        yield f"variance {name} inside", ("variance-term",), var, lambda dz, about=about: mixed(dz, about, False)
    yield "variance no x̂", ("variance-term",), var, \
        lambda dz: rule(1, 0)(dz) - a * (dz * v).mean(axis=axis, keepdims=True) / s
    yield "variance no x̂ inside", ("variance-term",), var, \
        lambda dz: rule(1, 0)(dz) - a * v * dz.mean(axis=axis, keepdims=True) / s
    if a != 1:
        yield "unbiased", ("variance-term",), var, rule(1, 1 / a)
    n = v.size // s.size
    yield "biased", ("variance-term",), var, rule(1, n / (n - 1))
    yield "sums", ("reduction",), "sums in the normalisation's gradient, where they are means", rule(n, n)
    yield "sum 1", ("reduction", "mean-term"), "a sum in the term with the mean, where it is a mean", rule(n, 1)
    yield "sum 2", ("reduction", "variance-term"), "a sum in the term with the variance, where it is a mean", rule(1, n)
    for name, scale in (("no 1/σ", np.ones_like(s)), ("1/σ²", 1 / s ** 2), ("1/σ³", 1 / s ** 3), ("σ", s)):
        yield name, LOCAL, "the factor 1/σ of the normalisation's gradient is missing or wrong", rule(1, 1, scale)
    yield "identity", LOCAL, "the normalisation's derivative is missing", lambda dz: dz
    if squeezed(v, axis) is not None:
        def one(dz, first, second):
            means = [(squeezed if of else kept)(x, axis, np.mean) for x, of in ((dz, first), (dz * v, second))]
            return (dz - (means[0] if mean else 0) - a * v * means[1]) / s
        for first, second in ((True, True), (True, False), (False, True)):
            yield f"squeezed {first} {second}", ("keepdims",), SQUEEZED, \
                lambda dz, first=first, second=second: one(dz, first, second)
    for other in (*((k,) for k in range(v.ndim)), tuple(range(v.ndim))):
        if other != axis:
            yield f"axis{other}", ("reduction",), "the means of the normalisation's gradient run along the wrong axis", \
                rule(axis=other)

            def only_mean(dz, other=other):
                return (dz - dz.mean(axis=other, keepdims=True) - a * v * (dz * v).mean(axis=axis, keepdims=True)) / s

            def only_variance(dz, other=other):
                return ((dz - dz.mean(axis=axis, keepdims=True) if mean else dz) - a * v * (dz * v).mean(axis=other,
                                                                                                         keepdims=True)) / s
            for name, pull in (("mean", only_mean), ("variance", only_variance)):
                yield (f"{name} axis{other}", ("reduction",),
                       f"the mean in the {name}'s term of the normalisation's gradient runs along the wrong axis", pull)


def rotated(node):
    turn, layout = node.extra["turn"], node.extra["layout"]
    h = turn.shape[-1]
    halves, neighbours = (slice(0, h), slice(h, None)), (slice(0, None, 2), slice(1, None, 2))

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

    own, other = (halves, neighbours) if layout == "halves" else (neighbours, halves)
    code = ("rotation",)
    yield "forward", code, "the gradient is rotated on, where it must be rotated back", lambda dz: turned(dz, turn, own)
    yield "none", code, "the gradient is not rotated back", lambda dz: dz
    yield "other", code, "the gradient is rotated back with the features paired in another way", \
        lambda dz: turned(dz, np.conj(turn), other)
    yield "other forward", code, "the gradient is rotated with the features paired in another way", \
        lambda dz: turned(dz, turn, other)
    for name, signs in (("both plus", (1, 1)), ("both minus", (-1, -1))):
        yield name, code, "one of the two sines in the gradient of the rotation has the wrong sign", \
            lambda dz, signs=signs: mixed(dz, *signs)
    yield "cos", code, "the part of the rotation with the sine is missing in the gradient", \
        lambda dz: turned(dz, turn.real, own)
