"""An LSTM through time in NumPy: the contract and the oracle of the compiled one. ``reference`` hands it on."""

from __future__ import annotations

import numpy as np

from .special import sigmoid


def places(T, reverse):
    """(t, where the state before t stands, where the one after it), in the order in which the times are walked.

    States have T + 1 places, between the times: walked forward, state t is before time t; backward, it is after it.
    """
    return [(t, t + 1, t) for t in reversed(range(T))] if reverse else [(t, t, t + 1) for t in range(T)]


def beyond(lengths, T):
    """(T, B, 1): True where a sequence has ended; None if none of them ends before T."""
    return None if lengths is None else (np.arange(T)[:, None] >= lengths)[:, :, None]


def lstm(a, h0, c0, weight, lengths=None, reverse=False):
    """The recurrent part of an LSTM, as ``((h, c), vjp)``; ``a`` is what the inputs give to the gates, and is overwritten.

        [i, f, g, o] = a_t + h₋ Wᵀ,  σ of i, f, o, tanh of g        c = f ⊙ c₋ + i ⊙ g        h = o ⊙ tanh c

    a (T, B, 4H)    h0, c0 (B, H)    weight W (4H, H)    lengths integers (B,) in 0…T, or None: all T    h, c (T + 1, B, H).
    The subscript − is the time before, or with ``reverse`` the time after. h[t] stands before time t and h[t + 1] after it,
    with ``reverse`` the other way round. A sequence beyond its length keeps its state.

    vjp(dy, dh, dc), with dy (T, B, H) for the state that each time makes (not read beyond the lengths) and dh, dc (B, H) for
    the last states, returns (da, dh0, dc0). With dh and dc what has arrived at h and c:

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
