"""Recurrent layers: one layer in one direction over a whole sequence is one operation.

    a_t = x_t Wᵢᵀ + bᵢ        the input's share of the gates: one product for all time steps
    h_t = step(a_t, h_{t−1})  one time step after the other

In the backward pass the gradient of each state h_t has two terms: dy_t from the output, and the gradient that step t +
1 returns. The steps give da_t. The other gradients follow at the end, with one product each: dWᵢ = Σ da_tᵀ x_t, dWₕ = Σ
da_tᵀ h_{t−1}, dx_t = da_t Wᵢ.

x (T, B, I)    h0 (B, H)    weight_ih Wᵢ (G·H, I)    weight_hh Wₕ (G·H, H)    bias_ih bᵢ, bias_hh bₕ (G·H,) or None
y (T, B, H), the state after each time step    h_n (B, H), the last state

G is the number of gates: 1 in an RNN, 3 in a GRU, 4 in an LSTM. Both biases are given, or neither.

``reverse`` runs from the last time step to the first. ``lengths``, integers (B,) in 0…T, are the lengths of the
sequences: entries of x beyond a length are not read, y is 0 there, and h_n is the state at the end of each sequence.
With ``reverse`` the recurrence starts at that end.

Source: backpropagation through time, Werbos (1990). Names, shapes and the order of the gates are PyTorch's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import kernels
from ..arrays import expect_floating, plain_array
from ..autograd import differentiable
from ..kernels.recurrence import beyond, places
from ..kernels.special import sigmoid
from .products import rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..typing import TensorLike, ValuesAndVjp

NONLINEARITIES = {"tanh": (np.tanh, lambda h: 1 - h * h), "relu": (lambda a: np.maximum(a, 0), lambda h: h > 0)}


@differentiable
def rnn(x: TensorLike, h0: TensorLike, weight_ih: TensorLike, weight_hh: TensorLike,
        bias_ih: TensorLike | None = None, bias_hh: TensorLike | None = None, *, nonlinearity: str = "tanh",
        lengths: ArrayLike | None = None, reverse: bool = False) -> ValuesAndVjp:
    """h_t = φ(a_t + h_{t−1} Wₕᵀ + bₕ),  φ = tanh or relu; returns (y, h_n).

        da_t = dh_t ⊙ φ′        dh_{t−1} = da_t Wₕ        with φ′ = 1 − h_t², or 1 where h_t > 0

    Shapes and the other gradients: see ``ops.recurrence``.   Source: Elman (1990); book (8.1) to (8.3).
    """
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"rnn: nonlinearity is {nonlinearity!r}, expected 'tanh' or 'relu'")
    x, lengths, ended = _checked("rnn", 1, x, {"h0": h0}, weight_ih, weight_hh, bias_ih, bias_hh, lengths)
    phi, slope = NONLINEARITIES[nonlinearity]
    a = _from_inputs(x, weight_ih, None if bias_ih is None else bias_ih + bias_hh)
    h, order = _states(len(x), h0, reverse)
    for t, before, after in order:
        h[after] = phi(a[t] + kernels.matmul(h[before], weight_hh.T))
        _keep(h[after], h[before], ended, t)

    def vjp(dys):
        dy, dh = dys
        da = np.empty_like(a)
        for t, _, after in reversed(order):
            da[t] = (dh + dy[t]) * slope(h[after])
            _keep(da[t], 0, ended, t)
            dh_before = kernels.matmul(da[t], weight_hh)
            _keep(dh_before, dh, ended, t)
            dh = dh_before
        dx, dW, db = _to_inputs(da, x, weight_ih, bias_ih)
        return dx, dh, dW, _recurrent_gradient(da, h, reverse), db, db

    return _outputs(h, ended, reverse), vjp


@differentiable
def gru(x: TensorLike, h0: TensorLike, weight_ih: TensorLike, weight_hh: TensorLike,
        bias_ih: TensorLike | None = None, bias_hh: TensorLike | None = None, *,
        lengths: ArrayLike | None = None, reverse: bool = False) -> ValuesAndVjp:
    """A gated recurrent unit; returns (y, h_n).

        [aʳ, aᶻ, aⁿ] = a_t        [uʳ, uᶻ, uⁿ] = h_{t−1} Wₕᵀ + bₕ
        r = σ(aʳ + uʳ)        z = σ(aᶻ + uᶻ)        n = tanh(aⁿ + r ⊙ uⁿ)        h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}

        daⁿ = dh_t ⊙ (1 − z) ⊙ (1 − n²)        daᶻ = dh_t ⊙ (h_{t−1} − n) ⊙ z (1 − z)        daʳ = daⁿ ⊙ uⁿ ⊙ r (1 − r)
        du = [daʳ, daᶻ, daⁿ ⊙ r]               dh_{t−1} = dh_t ⊙ z + du Wₕ                   dWₕ = Σ du_tᵀ h_{t−1}

    The reset gate r multiplies uⁿ with its bias, as in PyTorch; the paper resets h_{t−1} before the product.
    Shapes and the other gradients: see ``ops.recurrence``.   Source: Cho et al. (2014); book (8.9) to (8.11).
    """
    x, lengths, ended = _checked("gru", 3, x, {"h0": h0}, weight_ih, weight_hh, bias_ih, bias_hh, lengths)
    a = _from_inputs(x, weight_ih, bias_ih)
    h, order = _states(len(x), h0, reverse)
    T, B, H = y_shape = (len(x), *h0.shape)
    r, z, n, candidate = (np.empty(y_shape, a.dtype) for _ in range(4))          # candidate: uⁿ
    for t, before, after in order:
        u = kernels.linear(h[before], weight_hh, bias_hh).reshape(B, 3, H)
        a_r, a_z, a_n = a[t].reshape(B, 3, H).swapaxes(0, 1)
        r[t], z[t], candidate[t] = sigmoid(a_r + u[:, 0]), sigmoid(a_z + u[:, 1]), u[:, 2]
        n[t] = np.tanh(a_n + r[t] * candidate[t])
        h[after] = n[t] + z[t] * (h[before] - n[t])
        _keep(h[after], h[before], ended, t)

    def vjp(dys):
        dy, dh = dys
        da, du = np.empty((2, T, B, 3, H), a.dtype)
        for t, before, _ in reversed(order):
            dh_now = dh + dy[t]
            da[t, :, 2] = dh_now * (1 - z[t]) * (1 - n[t] * n[t])
            da[t, :, 1] = dh_now * (h[before] - n[t]) * z[t] * (1 - z[t])
            da[t, :, 0] = da[t, :, 2] * candidate[t] * r[t] * (1 - r[t])
            _keep(da[t].reshape(B, 3 * H), 0, ended, t)
            du[t] = da[t]
            du[t, :, 2] *= r[t]
            dh_before = dh_now * z[t] + kernels.matmul(du[t].reshape(B, 3 * H), weight_hh)
            _keep(dh_before, dh, ended, t)
            dh = dh_before
        dx, dW, db = _to_inputs(da.reshape(a.shape), x, weight_ih, bias_ih)
        du = du.reshape(a.shape)
        return dx, dh, dW, _recurrent_gradient(du, h, reverse), db, None if db is None else rows(du).sum(axis=0)

    return _outputs(h, ended, reverse), vjp


@differentiable
def lstm(x: TensorLike, h0: TensorLike, c0: TensorLike, weight_ih: TensorLike, weight_hh: TensorLike,
         bias_ih: TensorLike | None = None, bias_hh: TensorLike | None = None, *,
         lengths: ArrayLike | None = None, reverse: bool = False) -> ValuesAndVjp:
    """Long short-term memory; returns (y, h_n, c_n).

        [i, f, g, o] = a_t + h_{t−1} Wₕᵀ + bₕ,  σ of i, f, o, tanh of g
        c_t = f ⊙ c_{t−1} + i ⊙ g        h_t = o ⊙ tanh c_t

    c0, c_n (B, H). ``kernels.recurrence`` states the gradients of the recurrent part.
    Shapes and the other gradients: see ``ops.recurrence``.

    Source: Hochreiter and Schmidhuber (1997); book (8.5) to (8.8).
    """
    x, lengths, ended = _checked("lstm", 4, x, {"h0": h0, "c0": c0}, weight_ih, weight_hh, bias_ih, bias_hh, lengths)
    a = _from_inputs(x, weight_ih, None if bias_ih is None else bias_ih + bias_hh)
    (h, c), backward = kernels.lstm(a, h0, c0, weight_hh, lengths, reverse)

    def vjp(dys):
        da, dh0, dc0 = backward(*dys)
        dx, dW, db = _to_inputs(da, x, weight_ih, bias_ih)
        return dx, dh0, dc0, dW, _recurrent_gradient(da, h, reverse), db, db

    y, h_n = _outputs(h, ended, reverse)
    return (y, h_n, c[0 if reverse else len(x)]), vjp


# ------------------------------------------------------------------------------------------------ what they share

def _checked(operation, gates, x, states, weight_ih, weight_hh, bias_ih, bias_hh, lengths):
    """Check the shapes; return x with zeros beyond the lengths, the lengths, and a mask of what is beyond."""
    def expect(name, array, shape):
        if array.shape != shape:
            raise ValueError(f"{operation}: {name} has shape {array.shape}, expected {shape}")

    expect_floating(operation, x=x, **states, weight_ih=weight_ih, weight_hh=weight_hh)
    if x.ndim != 3:
        raise ValueError(f"{operation}: x has shape {x.shape}, expected (T, B, I): time steps, sequences, features")
    if weight_hh.ndim != 2 or weight_hh.shape[0] != gates * weight_hh.shape[1]:
        raise ValueError(f"{operation}: weight_hh has shape {weight_hh.shape}, expected ({gates}·H, H)")
    (T, B, I), H = x.shape, weight_hh.shape[1]
    expect("weight_ih", weight_ih, (gates * H, I))
    for name, state in states.items():
        expect(name, state, (B, H))
    if (bias_ih is None) != (bias_hh is None):
        raise ValueError(f"{operation}: expected bias_ih and bias_hh, or neither")
    if bias_ih is not None:
        expect("bias_ih", bias_ih, (gates * H,))
        expect("bias_hh", bias_hh, (gates * H,))
    if lengths is None:
        return x, None, None
    lengths = plain_array(operation, lengths)
    if lengths.dtype.kind not in "iu" and lengths.size:
        raise TypeError(f"{operation}: lengths are {lengths.dtype}, expected integers")
    expect("lengths", lengths, (B,))
    if lengths.size and not 0 <= lengths.min() <= lengths.max() <= T:
        raise ValueError(f"{operation}: lengths lie in {lengths.min()}…{lengths.max()}, "
                         f"expected 0…{T}, the time steps of x")
    lengths = lengths.astype(np.int64)
    ended = beyond(lengths, T)
    return np.where(ended, x.dtype.type(0), x), lengths, ended


def _from_inputs(x, weight_ih, bias):
    """a (T, B, G·H) for all time steps in one product."""
    return kernels.linear(rows(x), weight_ih, bias).reshape(*x.shape[:2], len(weight_ih))


def _to_inputs(da, x, weight_ih, bias_ih):
    """dx, dWᵢ and dbᵢ for all time steps, in one product each."""
    flat = rows(da)
    dx = kernels.matmul(flat, weight_ih).reshape(x.shape)
    return dx, kernels.matmul(flat.T, rows(x)), None if bias_ih is None else flat.sum(axis=0)


def _recurrent_gradient(du, h, reverse):
    """dWₕ from the gradients of h_{t−1} Wₕᵀ at all time steps."""
    return kernels.matmul(rows(du).T, rows(h[1:] if reverse else h[:-1]))


def _states(T, h0, reverse):
    """An array for the T + 1 states between the time steps, the initial state in it, and the order of the steps."""
    h = np.empty((T + 1, *h0.shape), h0.dtype)
    h[T if reverse else 0] = h0
    return h, places(T, reverse)


def _keep(new, old, ended, t):
    """new ← old in the sequences that ended before time step t."""
    if ended is not None:
        np.copyto(new, old, where=ended[t])


def _outputs(h, ended, reverse):
    """(y, h_n) from the states between the time steps."""
    y, h_n = (h[:-1], h[0]) if reverse else (h[1:], h[-1])
    return (y if ended is None else np.where(ended, h.dtype.type(0), y)), h_n
