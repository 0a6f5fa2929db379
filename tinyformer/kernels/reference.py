"""The kernels in NumPy: plain enough to read as the definition, fast enough to train with."""

from __future__ import annotations

import functools

import numpy as np

matmul = np.matmul


def attention(q, k, v, bias=None, keep=None, *, is_causal=False, scale=1.0, bias_gradient=True):
    """Softmax attention over whole score matrices, as ``(value, vjp)``.

        S = scale · Q Kᵀ + bias        P = softmax(S) along rows        O = (P ∘ keep) V

        dV = (P ∘ keep)ᵀ dO            dP = (dO Vᵀ) ∘ keep
        dS = P ∘ (dP − rowsum(dO ∘ O)) dQ = scale · dS K                dK = scale · dSᵀ Q

    q (…, H, T, D)    k (…, G, S, D)    v (…, G, S, E)    O (…, H, T, E), with G dividing H: query head h reads key head
    h // (H/G). bias broadcasts against (…, H, T, S) and may hold −inf; a row that is −inf throughout gives zeros. keep, of
    S's shape, is dropout's mask already divided by the probability of keeping. is_causal lets query t see the keys 0…t.
    vjp(dO) = (dQ, dK, dV, dS), the last summed over nothing, and None without a bias or if ``bias_gradient`` is False (then a
    backend need not hold all of it).

    Source: Vaswani et al. (2017), §3.2.1; the row sum dO∘O is Dao et al. (2022), appendix B.2.
    """
    *lead, heads, T, D = q.shape
    groups, S = k.shape[-3], k.shape[-2]
    # Query heads that share a key head stand side by side on an axis of their own; the keys broadcast along it.
    grouped = (*lead, groups, heads // groups if groups else 0)
    qg = q.reshape(*grouped, T, D)
    kg, vg = k[..., None, :, :], v[..., None, :, :]

    scores = matmul(qg * q.dtype.type(scale), kg.swapaxes(-1, -2))                      # (…, G, H/G, T, S)
    flat = scores.reshape(*lead, heads, T, S)
    if bias is not None:
        flat += bias
    if is_causal:
        flat += causal_bias(T, S, q.dtype)
    P = softmax_rows(flat, may_be_empty=bias is not None or S == 0)
    kept = (P if keep is None else P * keep).reshape(scores.shape)
    O = matmul(kept, vg)

    def vjp(dO):
        dO = dO.reshape(O.shape)
        dV = matmul(kept.swapaxes(-1, -2), dO).sum(axis=-3)
        dP = matmul(dO, vg.swapaxes(-1, -2)).reshape(P.shape)
        if keep is not None:
            dP *= keep
        dP -= np.einsum("...e,...e->...", dO, O).reshape(*lead, heads, T, 1)
        dP *= P
        dS = dP
        scaled = (dS * q.dtype.type(scale)).reshape(scores.shape)
        dQ = matmul(scaled, kg).reshape(q.shape)
        dK = matmul(scaled.swapaxes(-1, -2), qg).sum(axis=-3)
        return dQ, dK, dV, dS if bias_gradient and bias is not None else None

    return O.reshape(*lead, heads, T, v.shape[-1]), vjp


def softmax_rows(scores, may_be_empty=True):
    """exp(s − max s) / Σ exp(s − max s) along the last axis, in place. A row of −inf gives zeros if ``may_be_empty``."""
    if scores.shape[-1] == 0:
        return scores
    top = scores.max(axis=-1, keepdims=True)
    if may_be_empty:
        top[top == -np.inf] = 0
    scores -= top
    np.exp(scores, out=scores)
    total = scores.sum(axis=-1, keepdims=True)
    if may_be_empty:
        total[total == 0] = 1
    scores /= total
    return scores


@functools.lru_cache(maxsize=16)
def causal_bias(T, S, dtype):
    """(T, S): 0 where key s ≤ query t, −inf where it lies in the future. Aligned at the first key, as in PyTorch."""
    bias = np.triu(np.full((T, S), -np.inf, dtype), 1)
    bias.setflags(write=False)
    return bias
