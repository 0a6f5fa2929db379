"""Wrong rules for a product of matrices or an einsum: another matrix, a transpose, a missing factor."""

from __future__ import annotations

import itertools

import numpy as np

from ... import ops
from ...graph import unbroadcast
from .fused_steps import LOCAL


def _flat2(a, left):
    return a if a.ndim >= 2 else a[None, :] if left else a[:, None]


def matmul(node, operand, pool, in_loop):
    """Yield (key, codes, message, rule) for one operand of X Y. ``pool`` holds the other arrays of the forward pass."""
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
    vector = node.operands[0].ndim == 1 or node.operands[1].ndim == 1
    for end, name in ((0, "first"), (-1, "last")) if vector and in_loop else ():    # = for += in the loop that sums
        N, alone = factor.swapaxes(-1, -2), np.zeros_like(factor.swapaxes(-1, -2))
        if N.shape[-2 if operand == 0 else -1] > 1:
            at = (..., end, slice(None)) if operand == 0 else (..., end)
            alone[at] = N[at]
            yield name, ("overwrite",), f"only the {name} term of the sum is counted (= instead of +=?)", \
                rule(alone, False, operand == 0, False)
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


def einsum(node, operand, pool):
    """Yield the same for one operand of an einsum."""
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
