"""An LSTM over a sequence in NumPy: the contract and the oracle of the compiled kernel. ``reference`` re-exports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .special import sigmoid

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array


def places(T: int, reverse: bool) -> list[tuple[int, int, int]]:
    """(t, index of the state before step t, index of the state after it) for all steps, in their order.

    The T + 1 states are between the time steps. Forward, step t leads from state t to state t + 1; in reverse, from
    state t + 1 to state t.
    """
    return [(t, t + 1, t) for t in reversed(range(T))] if reverse else [(t, t, t + 1) for t in range(T)]


def beyond(lengths: Array | None, T: int) -> Array | None:
    """(T, B, 1): True where a sequence has ended; None without lengths."""
    return None if lengths is None else (np.arange(T)[:, None] >= lengths)[:, :, None]


def lstm(a: Array, h0: Array, c0: Array, weight: Array, lengths: Array | None = None,
         reverse: bool = False) -> tuple[tuple[Array, Array], Callable[..., Any]]:
    """The recurrent part of an LSTM, as ``((h, c), vjp)``. ``a``, the input's share of the gates, is overwritten.

        [i, f, g, o] = a_t + h₋ Wᵀ,  σ of i, f, o, tanh of g        c = f ⊙ c₋ + i ⊙ g        h = o ⊙ tanh c

    a (T, B, 4H)    h0, c0 (B, H)    weight W (4H, H)    lengths integers (B,) in 0…T, or None: all T    h,
    c (T + 1, B, H).
    The subscript − is the previous step. h[t] is the state before step t and h[t + 1] the state after it; with
    ``reverse`` h[t + 1] is before step t and h[t] after it. A sequence beyond its length keeps its state.

    vjp(dy, dh, dc) returns (da, dh0, dc0). dy (T, B, H) is the gradient of the state after each step (not read beyond
    the lengths); dh, dc (B, H) are the gradients of the last states. With dh and dc now the gradients of h and c at
    each step:

        do = dh ⊙ tanh c        dc += dh ⊙ o ⊙ (1 − tanh² c)        di = dc ⊙ g        df = dc ⊙ c₋        dg = dc ⊙ i
        da = [di i(1 − i), df f(1 − f), dg (1 − g²), do o(1 − o)]        dh₋ = da W        dc₋ = dc ⊙ f

    Source: Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000).
    """
    T, B, H = len(a), *h0.shape
    order, ended = places(T, reverse), beyond(lengths, T)
    h, c = np.empty((2, T + 1, B, H), a.dtype)
    h[T if reverse else 0], c[T if reverse else 0] = h0, c0
    for t, before, after in order:
        a[t] += np.matmul(h[before], weight.T)
        gates = a[t].reshape(B, 4, H)
        gates[:, :2], gates[:, 3] = sigmoid(gates[:, :2]), sigmoid(gates[:, 3])
        i, f, g, o = gates[:, 0], gates[:, 1], np.tanh(gates[:, 2], out=gates[:, 2]), gates[:, 3]
        c[after] = f * c[before] + i * g
        h[after] = o * np.tanh(c[after])
        if ended is not None:
            np.copyto(c[after], c[before], where=ended[t])
            np.copyto(h[after], h[before], where=ended[t])

    def vjp(dy, dh, dc):
        da = np.empty_like(a)
        for t, before, after in reversed(order):
            gates, slopes = a[t].reshape(B, 4, H), da[t].reshape(B, 4, H)
            i, f, g, o = gates.swapaxes(0, 1)
            tanh_c = np.tanh(c[after])
            dh_now = dh + dy[t]
            dc_now = dc + dh_now * o * (1 - tanh_c * tanh_c)
            slopes[:, 0] = dc_now * g * i * (1 - i)
            slopes[:, 1] = dc_now * c[before] * f * (1 - f)
            slopes[:, 2] = dc_now * i * (1 - g * g)
            slopes[:, 3] = dh_now * tanh_c * o * (1 - o)
            if ended is not None:
                np.copyto(da[t], 0, where=ended[t])
            dh_before, dc_before = np.matmul(da[t], weight), dc_now * f
            if ended is not None:
                np.copyto(dh_before, dh, where=ended[t])
                np.copyto(dc_before, dc, where=ended[t])
            dh, dc = dh_before, dc_before
        return da, dh, dc

    return (h, c), vjp
