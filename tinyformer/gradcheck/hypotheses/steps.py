"""Frequent mistakes in one step: wrong rules for the gradient of one node of the tape.

Each is (key, codes, message, rule). The same mistake at another node of the same kind has the same key.
"""

from __future__ import annotations

import itertools

import numpy as np

from ... import ops
from ...graph import unbroadcast
from . import indices
from .fused_steps import LOCAL, SQUEEZED, log_softmax, normalized, rotated, softmax
from .places import gathered


def mistakes(node, operand, pool):
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
        yield from _matmul(node, operand, pool)
    elif kind == "einsum":
        yield from _einsum(node, operand, pool)
    elif kind == "written":
        yield from indices.written(node, operand)
    elif kind == "concatenate":
        yield from indices.joined(node, operand)
    elif kind in ("getitem", "take"):
        yield from _getitem(node)
    elif kind in ("repeat", "tile", "broadcast_to"):
        yield from _repeated(node)
    elif kind == "sliding_window_view":
        yield from _windows(node)
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
        yield from _moved(node)
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


def _flat2(a, left):
    return a if a.ndim >= 2 else a[None, :] if left else a[:, None]


def _matmul(node, operand, pool):
    X, Y = _flat2(node.operands[0], True), _flat2(node.operands[1], False)
    shape, plain = node.operands[operand].shape, (X, Y)[operand].shape
    out = (*np.broadcast_shapes(X.shape[:-2], Y.shape[:-2]), X.shape[-2], Y.shape[-1])
    factor = Y if operand == 0 else X

    def rule(M, turn_z, z_first, turn):
        def pull(dz):
            Z = np.asarray(dz).reshape(out)
            Z = Z.swapaxes(-1, -2) if turn_z else Z
            product = Z @ M if z_first else M @ Z
            product = product.swapaxes(-1, -2) if turn else product
            summed = unbroadcast(product, plain)
            return summed.reshape(shape)
        return pull

    def sizes(M, turn_z, z_first, turn):
        z = out[:-2] + (out[-2:][::-1] if turn_z else out[-2:])
        a, b = (z, M.shape) if z_first else (M.shape, z)
        if a[-1] != b[-2]:
            return False
        product = (a[-2], b[-1])[::-1] if turn else (a[-2], b[-1])
        return product == plain[-2:]

    forward = node.operands[1 - operand]
    others = [(n, a.reshape(factor.shape) if a.shape == forward.shape else a) for n, a in enumerate(pool)
              if a.ndim == forward.ndim and sorted(a.shape) == sorted(forward.shape)]
    others = [(n, a) for n, a in others if a.ndim == factor.ndim and sorted(a.shape) == sorted(factor.shape)
              and a is not factor and not np.array_equal(a, factor)]
    for n, a in enumerate(pool):
        if a.size == factor.size and a.shape != factor.shape and sum(k > 1 for k in a.shape) >= 3 and factor.ndim == 2:
            N = a.reshape(factor.shape).swapaxes(-1, -2)
            yield f"heads{n}", ("head-order",), "the product uses an array whose axes were merged in the wrong order", \
                rule(N, False, operand == 0, False)
    for axis in range(-2, 0):
        yield f"flip{axis}", ("operand",), "a matrix in the product is reversed along an axis", rule(
            np.flip(factor.swapaxes(-1, -2), axis), False, operand == 0, False)
    yield "ones", LOCAL, "the other matrix of the product is missing", rule(
        np.ones_like(factor).swapaxes(-1, -2), False, operand == 0, False)
    first = operand == 0                                    # dX = dZ Yᵀ, dY = Xᵀ dZ: whether dZ stands on the left
    for n, M in [(-1, factor), *others]:
        for turn_m, turn_z, z_first, turn in itertools.product((False, True), repeat=4):
            own, form = n == -1, (turn_m, turn_z, z_first, turn)
            if own and form in ((True, False, first, False), (False, True, not first, True)) or turn and not own:
                continue                                    # the true rule, and its transpose taken twice
            N = M.swapaxes(-1, -2) if turn_m else M
            if sizes(N, turn_z, z_first, turn):
                code = ("transpose",) if own and form == (True, False, first, True) else ("operand",)
                says = ("a matrix in the product is transposed and should not be, or the other way round" if own else
                        "the product uses a different matrix than the forward pass")
                yield f"{n}{form}", code, says, rule(N, turn_z, z_first, turn)


def _einsum(node, operand, pool):
    terms, out, values = node.options["terms"], node.options["out"], node.operands
    sizes = {a: n for t, v in zip(terms, values) for a, n in zip(t, v.shape)}

    def rule(j=None, other=None, letters=None):
        """The true rule with ``other`` in place of operand j, or with the letters of operand j in another order."""
        changed = [other if k == j and other is not None else v for k, v in enumerate(values)]
        named = [letters if k == j and letters is not None else t for k, t in enumerate(terms)]
        equation = f"{','.join(named)}->{out}"
        vjp, shape = ops.einsum.raw(equation, *changed)[1], np.shape(changed[operand])
        return lambda dz: unbroadcast(vjp(np.asarray(dz))[1 + operand], shape)

    for j, value in enumerate(values):
        if j == operand:
            continue
        yield f"no {j}", LOCAL, "one factor of the product is missing", rule(j, np.ones_like(value))
        for axis in range(value.ndim):
            yield f"flip {j} {axis}", ("operand",), "a factor of the product is reversed along an axis", \
                rule(j, np.flip(value, axis))
        for n, other in enumerate(pool):
            if other.shape == value.shape and not np.array_equal(other, value):
                yield f"{j} {n}", ("operand",), "the product uses a different array than the forward pass", \
                    rule(j, other)
        for order in _orders(terms[j], sizes):
            yield f"{j} {order}", ("operand",), "a factor of the product has its axes in another order", \
                rule(j, letters=order)
    true = node.pulls[operand]
    for order in _orders(terms[operand], sizes):
        axes = [terms[operand].index(a) for a in order]
        code = ("transpose",) if sum(a != k for k, a in enumerate(axes)) == 2 else ("permuted",)
        yield f"own {order}", code, "the result of the product has its axes in another order", \
            lambda dz, axes=axes: true(dz).transpose(axes)
    for order in _orders(out, sizes):
        axes = [out.index(a) for a in order]
        yield f"out {order}", ("operand",), "the upstream gradient enters the product with its axes in another order", \
            lambda dz, axes=axes: true(np.asarray(dz).transpose(axes))


def _orders(letters, sizes):
    """The other orders of the letters in which every axis keeps its length."""
    return ["".join(order) for order in itertools.permutations(letters)
            if "".join(order) != letters and all(sizes[a] == sizes[b] for a, b in zip(order, letters))]


def _repeated(node):
    """Repeated entries: their gradient is the sum over the copies."""
    X, source = node.operands[0], node.source
    copies = source.size // max(X.size, 1)
    if copies < 2 or source.size != copies * X.size or (np.bincount(source.reshape(-1),
                                                                    minlength=X.size) != copies).any():
        return
    firsts = np.unique(source.reshape(-1), return_index=True)[1]
    says = "the gradient of a repeated entry is the sum over all its copies, not the gradient of one copy"
    yield "first", ("overwrite",), says, lambda dz: np.ravel(dz)[firsts].reshape(X.shape)
    lasts = source.size - 1 - np.unique(source.reshape(-1)[::-1], return_index=True)[1]
    yield "last", ("overwrite",), says, lambda dz: np.ravel(dz)[lasts].reshape(X.shape)
    for axis in range(X.ndim):
        if source.ndim == X.ndim and source.shape[axis] == copies * X.shape[axis]:
            n = X.shape[axis]
            lead, rest = X.shape[:axis], X.shape[axis + 1:]
            for name, shape, summed in (("repeat", (*lead, n, copies, *rest), axis + 1),
                                        ("tile", (*lead, copies, n, *rest), axis)):
                yield name, ("reduction",), "the backward pass sums over groups that are not the copies of one entry", \
                    lambda dz, shape=shape, summed=summed: np.asarray(dz).reshape(shape).sum(axis=summed)


def _windows(node):
    """Overlapping windows: the gradient of an entry is the sum over the windows that contain it."""
    X, source = node.operands[0], node.source
    for axis in range(source.ndim):
        for name, step in (("last", 1), ("first", -1)):
            order = np.moveaxis(source, axis, 0)[::step].reshape(-1)

            def written(dz, axis=axis, step=step, order=order):
                dx = np.zeros(X.size)
                dx[order] = np.moveaxis(np.asarray(dz), axis, 0)[::step].reshape(-1)
                return dx.reshape(X.shape)
            yield (f"{name} {axis}", ("overwrite",),
                   "the gradients of overlapping windows overwrite each other (= instead of +=)", written)


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


def _getitem(node):
    yield from gathered(node)
    X, source = node.operands[0], node.source.reshape(-1)
    width = X.size // max(len(X), 1)
    rows = source[::max(width, 1)] // max(width, 1)
    if source.size == X.size and (source == np.repeat(rows * width, width) + np.tile(np.arange(width), len(X))).all():
        says = ("the forward pass takes rows, and the backward pass takes rows again; "
                "add each gradient to the row it came from instead (np.add.at)")
        yield "again", ("permuted",), says, lambda dz: np.reshape(dz, X.shape)[rows]
    for axis in range(X.ndim):                              # one entry along an axis was taken
        taken = node.value.shape == X.shape[:axis] + X.shape[axis + 1:]
        if X.shape[axis] > 1 and taken and len(np.unique(source)) == len(source):
            yield f"all {axis}", ("mask",), "the gradient must go only to the entries that the forward pass takes", \
                lambda dz, axis=axis: np.broadcast_to(np.expand_dims(dz, axis), X.shape)
    if len(np.unique(source)) < len(source):
        def once(dz):
            dx = np.zeros(X.size)
            dx[source] = np.ravel(dz)
            return dx.reshape(X.shape)
        yield ("once", ("duplicate-index",),
               "rows that are taken several times get their last gradient, not the sum (np.add.at)", once)

        def meaned(dz):
            counts = np.maximum(np.bincount(source, minlength=X.size), 1).reshape(X.shape)
            return node.pulls[0](dz) / counts
        says = "rows that are taken several times get the mean of their gradients, not the sum"
        yield "mean", ("duplicate-index",), says, meaned


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


def _moved(node):
    X, source = node.operands[0], node.source
    if np.unique(source).size != X.size or source.size != X.size or X.size < 2:
        return
    # An axis of length 1, which np.stack makes, does not count.
    code = ("head-order",) if max(sum(n > 1 for n in a.shape) for a in (X, source)) >= 3 else ("transpose",)
    says = "the backward pass splits, merges or moves axes in the wrong order"
    yield "reshape", ("permuted",) if code == ("transpose",) else code, says, lambda dz: dz.reshape(X.shape)
    for axes in itertools.permutations(range(X.ndim)):
        if X.ndim > 2 and axes != tuple(range(X.ndim)) and tuple(X.shape[a] for a in axes) == X.shape:
            yield f"own{axes}", code, says, lambda dz, axes=axes: node.pulls[0](dz).transpose(axes)
    for axes in itertools.permutations(range(source.ndim)):
        if axes != tuple(range(source.ndim)):
            yield f"transpose{axes}", code, says, lambda dz, axes=axes: dz.transpose(axes).reshape(X.shape)
    if source.ndim >= 3:
        for axis in range(source.ndim):
            yield f"flip{axis}", code, says, lambda dz, axis=axis: node.pulls[0](np.flip(dz, axis))


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
        return
    if len(levels) < 2 and np.size(slope) > 2 and not (kind == "multiply" and node.parents[1 - operand] is not None):
        return
    code = ("factor",) if np.ndim(slope) == 0 and kind in ("multiply",
                                                           "divide") and node.parents[1 - operand] is None else LOCAL
    says = f"the derivative of the step {kind} is missing or wrong"
    with np.errstate(all="ignore"):
        forms = {"1": np.ones(np.shape(slope) and z.shape), "slope²": slope * slope, "1/slope": 1 / slope, "−": -slope,
                 "z": z, "1 − z": 1 - z, "1 + z": 1 + z, "z²": z * z,
                 "1 − z²": 1 - z * z, "z(1 − z)": z * (1 - z), "u": u, "1 − u": 1 - u, "u²": u * u, "1 − u²": 1 - u * u,
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
            yield name, (("sign",) if name == "−" and kind not in ("multiply", "divide") else code if scaled
                         else LOCAL), \
                "the constant factor of a step is missing or wrong" if scaled else says, by(form)
    for n, other in enumerate(pool):
        if other.shape == np.shape(slope):
            yield f"pool{n}", LOCAL, f"the factor in the gradient of {kind} is the wrong array", by(other)


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
