"""Frequent mistakes in one step: wrong rules for the gradient of one node of the tape.

Each is (key, codes, message, rule). The same mistake at another node of the same kind has the same key.
"""

from __future__ import annotations

import itertools

import numpy as np

from ...graph import unbroadcast
from . import indices, products
from .fused_steps import LOCAL, SQUEEZED, log_softmax, normalized, rotated, softmax


def mistakes(node, operand, pool, in_loop):
    """Yield the wrong rules for one operand of a node. ``pool`` holds the other arrays of the forward pass."""
    kind = node.kind
    if kind == "softmax":
        yield from softmax(node)
        yield from _other_softmax(node, pool)
    elif kind == "log_softmax":
        yield from log_softmax(node)
    elif kind == "normalized":
        yield from normalized(node)
    elif kind == "rotated":
        yield from rotated(node)
    elif kind == "matmul":
        yield from products.matmul(node, operand, pool, in_loop)
    elif kind == "einsum":
        yield from products.einsum(node, operand, pool)
    elif kind == "written":
        yield from indices.written(node, operand)
    elif kind == "concatenate":
        yield from indices.joined(node, operand)
    elif kind in ("getitem", "take"):
        yield from indices.taken(node)
    elif kind in ("repeat", "tile", "broadcast_to"):
        yield from indices.repeated(node)
    elif kind == "sliding_window_view":
        yield from indices.windows(node)
    elif kind == "cumsum":
        axis = node.options["axis"]
        yield "forward", ("permuted",), "the gradient of a cumulative sum runs forward: sum it from the end", \
            lambda dz: np.cumsum(dz, axis)
    elif kind in ("max", "min"):
        yield from _extreme(node)
    elif kind in ("sum", "mean"):
        yield from _reduced(node)
    elif node.slopes is not None:
        yield from _elementwise(node, operand, pool)
    elif node.source is not None:
        yield from indices.rearranged(node)
    if node.source is not None:
        yield from indices.moved(node)


def _other_softmax(node, pool):
    """The gradient p ⊙ (dp − Σ p ⊙ dp) with another array in the place of one p or of both."""
    p, axis = node.value, node.options["axis"]
    says = "the gradient of the softmax uses another array in the place of p"
    for n, other in enumerate(pool):
        if other.shape == p.shape and not np.array_equal(other, p):
            for key, outer, inner in (("both", other, other), ("outer", other, p), ("inner", p, other)):
                yield f"pool{n}{key}", LOCAL, says, lambda dz, outer=outer, inner=inner: outer * (
                    dz - (inner * dz).sum(axis=axis, keepdims=True))


def _reduced(node):
    """A sum or mean along the last axis: its gradient is a column, and here it is broadcast as a row."""
    X, slope = node.operands[0], node.slopes[0]
    kept = np.ndim(node.value) == X.ndim
    for axis in range(X.ndim if not kept and np.ndim(node.value) == X.ndim - 1 else 0):
        if X.shape[:axis] + X.shape[axis + 1:] == node.value.shape:
            yield f"axis{axis}", ("reduction",), "the gradient of a sum or mean is spread along the wrong axis", \
                lambda dz, axis=axis: slope * np.expand_dims(dz, axis)
    if node.options["axis"] in (-1, X.ndim - 1, (-1,), (X.ndim - 1,)) and X.ndim > 1 and X.shape[-1] == X.shape[-2] > 1:
        yield "squeezed", ("keepdims",), SQUEEZED, lambda dz: slope * np.reshape(dz, (*X.shape[:-2], 1, X.shape[-1]))


def _extreme(node):
    X, slope = node.operands[0], node.slopes[0]
    axis = node.options["axis"]

    def spread(dz):
        return np.expand_dims(dz, tuple(range(X.ndim)) if axis is None else axis) if np.ndim(dz) != X.ndim else dz
    yield "all", ("mask",), f"the gradient of {node.kind} must go only to the entry that {node.kind} selects", \
        lambda dz: np.broadcast_to(spread(dz), X.shape)
    yield "others", ("inverted-mask",), \
        f"the gradient of {node.kind} must go to the entry that {node.kind} selects, not to the others", \
        lambda dz: (slope == 0) * spread(dz)


def _elementwise(node, operand, pool):
    slopes, kind, z = node.slopes, node.kind, node.value
    # As NumPy's numbers, which divide by zero without an exception.
    slope, u = (np.float64(v) if isinstance(v, (int, float)) else v for v in (slopes[operand], node.operands[operand]))
    shape = np.shape(u)

    def by(s):
        return lambda dz: unbroadcast(np.asarray(np.broadcast_to(dz * s, z.shape)), shape)

    if np.shape(u) != z.shape and np.size(u) < z.size:          # the forward pass broadcasts it
        yield from _broadcast(z.shape, shape, slope)
    if np.ndim(slope) == 0 and (abs(slope) == 1 or kind in ("add", "subtract")):
        return
    levels = np.unique(slope)
    if len(levels) == 2 and levels[0] == 0 or kind in ("maximum", "minimum", "where", "clip"):
        top = levels[-1]
        says = f"the gradient passes through {kind} where the derivative is 0: a mask is missing"
        yield "mask", ("mask",), says, by(top)
        yield "inverted", ("inverted-mask",), f"the mask in the gradient of {kind} is inverted", \
            by(top * (slope == 0))
        yield "mask 1", ("mask",), says, by(1.0)
        for n, other in enumerate(pool):
            if other.shape == np.shape(slope):
                yield f"pool{n}", LOCAL, f"the mask in the gradient of {kind} is that of another array", \
                    by(top * (other > 0))
        return
    started = kind == "multiply" and (node.parents[1 - operand] is not None or not np.any(slope))   # a first state, 0
    if len(levels) < 2 and np.size(slope) > 2 and not started:
        return
    code = ("factor",) if np.ndim(slope) == 0 and kind in ("multiply",
                                                           "divide") and node.parents[1 - operand] is None else LOCAL
    says = f"the derivative of the step {kind} is missing or wrong"
    with np.errstate(all="ignore"):
        forms = {"1": np.ones(np.shape(slope) and z.shape), "slope²": slope * slope, "1/slope": 1 / slope, "−": -slope,
                 "z": z, "1 − z": 1 - z, "1 + z": 1 + z, "z²": z * z,
                 "1 − z²": 1 - z * z, "(1 − z)²": (1 - z) ** 2, "z(1 − z)": z * (1 - z),
                 "u": u, "1 − u": 1 - u, "u²": u * u, "1 − u²": 1 - u * u,
                 "u(1 − u)": u * (1 - u),
                 "u·slope": u * slope, "z·slope": z * slope, "slope/u": slope / u, "slope/z": slope / z, "1/u": 1 / u,
                 "|slope|": np.abs(slope),
                 "1 − slope": 1 - slope, "1 + slope": 1 + slope, "2 slope": 2 * slope, "slope/2": slope / 2,
                 "√slope": np.sqrt(np.abs(slope)),
                 "exp(u)": np.exp(u), "1 − tanh²u": 1 - np.tanh(u) ** 2,
                 "σ'": np.exp(-np.abs(u)) / (1 + np.exp(-np.abs(u))) ** 2,
                 "σ": 1 / (1 + np.exp(-u)), "cos": np.cos(u), "sin": np.sin(u), "exp(slope)": np.exp(slope)}
        squashed = {"tanh": lambda a: 1 - a * a, "sigmoid": lambda a: a * (1 - a)}.get(kind)
        for n, other in enumerate(pool if squashed else ()):
            if other.shape == np.shape(slope):
                forms[f"slope at pool{n}"] = squashed(other)
    for name, form in forms.items():
        if np.isfinite(form).all() and not (np.shape(form) == np.shape(slope) and np.allclose(form, slope, rtol=1e-6)):
            scaled = code == ("factor",) and np.ndim(form) == 0
            yield name, (("sign",) if name == "−" else code if scaled
                         else LOCAL), \
                "the constant factor of a step is missing or wrong" if scaled else says, by(form)
    for n, other in enumerate(pool):
        if other.size == np.size(slope) and _long(other) == _long(slope):     # x[:, None] and x count as one
            yield f"pool{n}", LOCAL if other.shape == np.shape(slope) else ("operand",), \
                f"the factor in the gradient of {kind} is the wrong array", by(other.reshape(np.shape(slope)))


def _long(array):
    """The lengths of the axes that have more than one entry."""
    return [n for n in np.shape(array) if n > 1]


def _broadcast(whole, shape, slope):
    axes = tuple(range(len(whole) - len(shape))) + tuple(len(whole) - len(shape) + k for k, n in enumerate(shape)
                                                         if n == 1 and whole[len(whole) - len(shape) + k] != 1)
    says = "the forward pass broadcasts an operand, so its gradient is the sum over "

    def full(dz):
        return np.broadcast_to(dz * slope, whole)
    for place in (0, -1):
        yield f"take{place}", ("unbroadcast",), says + "the broadcast axes, not one position of them", \
            lambda dz, place=place: _take(full(dz), axes, place).reshape(shape)
    yield "mean", ("reduction",), says + "the broadcast axes, not the mean", \
        lambda dz: full(dz).mean(axis=axes).reshape(shape)
    for other in itertools.combinations(range(len(whole)), len(axes)):
        rest = tuple(n for k, n in enumerate(whole) if k not in other)
        if other != axes and int(np.prod(rest)) == int(np.prod(shape)) and rest == tuple(n for n in shape if n != 1):
            yield f"sum{other}", ("reduction",), says + "the broadcast axes, not over other axes", \
                lambda dz, other=other: full(dz).sum(axis=other).reshape(shape)
            yield f"mean{other}", ("reduction",), says + "the broadcast axes, not the mean over other axes", \
                lambda dz, other=other: full(dz).mean(axis=other).reshape(shape)


def _take(array, axes, place):
    for axis in sorted(axes, reverse=True):
        array = array.take(place, axis)
    return array
