"""Matrix products, where most of the time goes. All but ``einsum`` and ``sparse_linear`` call ``kernels.matmul``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import expect_floating
from ..autograd import Tensor, differentiable
from ..kernels import linear as rows_linear, linear_gelu as rows_linear_gelu, matmul as mm

if TYPE_CHECKING:
    from ..typing import Array, TensorLike, ValueAndVjp


def rows(x: Array) -> Array:
    """x with all axes but the last merged: (…, C) → (N, C)."""
    return x.reshape(-1, x.shape[-1]) if x.size else x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])


@differentiable(method="__matmul__", multilinear=True, selective=True)
def matmul(x: TensorLike, y: TensorLike) -> ValueAndVjp:
    """z = x y over the last two axes.   dx = dz yᵀ, dy = xᵀ dz.   Book (1.8).

    x (…, M, K) or (K,)    y (…, K, N) or (K,)    z (…, M, N)

    Leading axes broadcast. A vector x is a row and a vector y a column; z lacks the corresponding axis.
    """
    z = mm(x, y)

    def vjp(dz, wanted=(True, True)):
        X = x[None, :] if x.ndim == 1 else x                                    # (…, M, K)
        Y = y[:, None] if y.ndim == 1 else y                                    # (…, K, N)
        dZ = dz[..., None] if y.ndim == 1 else dz                               # (…, M, N)
        dZ = dZ[..., None, :] if x.ndim == 1 else dZ
        dx = mm(dZ, Y.swapaxes(-1, -2)) if wanted[0] else None
        dy = mm(X.swapaxes(-1, -2), dZ) if wanted[1] else None
        if dx is not None and x.ndim == 1:
            dx = dx[..., 0, :]
        return dx, dy[..., 0] if dy is not None and y.ndim == 1 else dy

    return z, vjp


Tensor.__rmatmul__ = lambda self, other: matmul(other, self)


@differentiable(multilinear=True, selective=True)
def linear(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> ValueAndVjp:
    """y = x Wᵀ + b.   dx = dy W,  dW = dyᵀ x,  db = Σ dy over all rows.   Book (1.6) to (1.8).

    x (…, in)    weight W (out, in)    bias b (out,) or None    y (…, out)
    """
    _check_linear("linear", x, weight, bias)
    flat = rows(x)                                                              # (N, in)
    y, biased = rows_linear(flat, weight, bias), bias is not None

    def vjp(dy, wanted=(True, True, biased)):
        dy, (for_x, for_weight, for_bias) = rows(dy), wanted                    # (N, out)
        dx = mm(dy, weight).reshape(x.shape) if for_x else None
        dW = mm(dy.T, flat) if for_weight else None
        db = dy.sum(axis=0) if for_bias else None
        return dx, dW, db

    return y.reshape(*x.shape[:-1], weight.shape[0]), vjp


@differentiable(selective=True)
def linear_gelu(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> ValueAndVjp:
    """y = GELU(u), u = x Wᵀ + b, in one kernel.

    This is ``gelu(linear(x, W, b), approximate="tanh")`` without writing u to memory.

    du = GELU′(u) dy; dx, dW and db follow from du as in ``linear``.   Shapes as in ``linear``.
    """
    _check_linear("linear_gelu", x, weight, bias)
    flat = rows(x)                                                              # (N, in)
    (y, gelu_backward), biased = rows_linear_gelu(flat, weight, bias), bias is not None

    def vjp(dy, wanted=(True, True, biased)):
        du, (for_x, for_weight, for_bias) = gelu_backward(rows(dy)), wanted     # (N, out)
        dx = mm(du, weight).reshape(x.shape) if for_x else None
        return dx, mm(du.T, flat) if for_weight else None, du.sum(axis=0) if for_bias else None

    return y.reshape(*x.shape[:-1], weight.shape[0]), vjp


def _check_linear(operation, x, weight, bias):
    expect_floating(operation, x=x, weight=weight, bias=bias)
    if weight.ndim != 2:
        raise ValueError(f"{operation}: weight has shape {weight.shape}, expected (out, in)")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        have = "no axis" if x.ndim == 0 else f"{x.shape[-1]} features in its last axis"
        raise ValueError(f"{operation}: x has {have}, but weight is {weight.shape}: expected {weight.shape[1]}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"{operation}: bias has shape {bias.shape}, "
                         f"but weight is {weight.shape}: expected {weight.shape[:1]}")


@differentiable(multilinear=True)
def einsum(equation: str, *arrays: TensorLike) -> ValueAndVjp:
    """Einstein summation, such as ``einsum("bthd,bshd->bhts", q, k)``; ``…`` and equations without ``->`` are refused.

    The gradient of an operand is the einsum of dy with the other operands, with the letters of the operand on the
    right. A letter that only this operand has was summed over, so dy is repeated along it. An axis of length 1
    broadcasts, and the engine sums its gradient.
    """
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or "." in equation or len(terms) != len(arrays):
        raise ValueError(f"einsum: got {equation!r} for {len(arrays)} operands; "
                         "expected explicit letters, a term for each operand and '->'")
    if len({array.dtype for array in arrays}) > 1:
        raise TypeError(f"einsum: inputs are {', '.join(str(array.dtype) for array in arrays)}; expected one type")
    if any(len(set(term)) != len(term) for term in terms):
        raise ValueError(f"einsum: {equation!r} takes a diagonal (a letter twice in one term), which is not supported")
    sizes = {}
    for term, array in zip(terms, arrays):
        for letter, n in zip(term, array.shape):
            if sizes.get(letter, 1) == 1:                   # a length of 1 broadcasts against the others
                sizes[letter] = n

    def vjp(dy):
        gradients = []
        for i, (term, array) in enumerate(zip(terms, arrays)):
            others = [t for j, t in enumerate(terms) if j != i]
            seen = set(out).union(*others)
            kept = "".join(letter for letter in term if letter in seen)
            dx = np.einsum(f"{','.join([out, *others])}->{kept}", dy, *(a for j, a in enumerate(arrays) if j != i))
            summed = tuple(axis for axis, letter in enumerate(term) if letter not in seen)
            gradients.append(np.broadcast_to(np.expand_dims(dx, summed), tuple(sizes[letter] for letter in term)))
        return (None, *gradients)

    return np.einsum(equation, *arrays), vjp


@differentiable
def sparse_linear(rows: TensorLike, columns: TensorLike, values: TensorLike, weight: TensorLike, bias: TensorLike, *,
                  N: int) -> ValueAndVjp:
    """y = X Wᵀ + b for a sparse matrix X (N, F): y[n] = b + Σ xᵢ W[:, columnᵢ] over the entries of row n.

        dW[:, f] = Σ xᵢ dy[rowᵢ] over the entries of column f       db = Σ dy       dxᵢ = dy[rowᵢ] · W[:, columnᵢ]

    rows, columns: integers (entries,)    values (entries,)    weight (K, F)    bias (K,)    y (N, K)

    X has values[i] at (rows[i], columns[i]). All other entries are 0, cost nothing and have no gradient.
    """
    K, F = weight.shape
    if bias.shape != (K,):
        raise ValueError(f"sparse_linear: bias has shape {bias.shape}, "
                         f"expected ({K},), an entry for each row of weight")
    if not rows.shape == columns.shape == values.shape == (len(rows),):
        raise ValueError(f"sparse_linear: rows, columns and values have shapes {rows.shape}, {columns.shape} and "
                         f"{values.shape}, expected one shape (entries,)")
    for name, places, end in (("rows", rows, N), ("columns", columns, F)):
        if len(places) and not (0 <= places.min() and places.max() < end):
            raise ValueError(f"sparse_linear: {name} lie in {places.min()}…{places.max()}, expected 0…{end - 1}")
    y = np.stack([np.bincount(rows, values * weight[k, columns], N) for k in range(K)], axis=-1)
    y = y.astype(weight.dtype) + bias

    def vjp(dy):
        dW = np.stack([np.bincount(columns, values * dy[rows, k], F) for k in range(K)]).astype(weight.dtype)
        dvalues = np.einsum("ik,ki->i", dy[rows], weight[:, columns])
        return None, None, dvalues, dW, dy.sum(axis=0)

    return y, vjp
