"""The kernels in NumPy: readable as definitions, and fast enough for training."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .convolution import conv2d as conv2d, conv2d_input_gradient as conv2d_input_gradient  # kernels of this module,
from .convolution import conv2d_weight_gradient as conv2d_weight_gradient                  # in files of their own
from .convolution import max_pool2d as max_pool2d, max_pool2d_gradient as max_pool2d_gradient
from .recurrence import lstm as lstm
from .special import normal, sigmoid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import DTypeLike

    from ..typing import Array, Vjp

matmul = np.matmul


def attention(q: Array, k: Array, v: Array, bias: Array | None = None, keep: Array | None = None, *,
              is_causal: bool = False, scale: float = 1.0, bias_gradient: bool = True) -> tuple[Array, Vjp]:
    """Softmax attention over whole score matrices, as ``(value, vjp)``.

        S = scale · Q Kᵀ + bias        P = softmax(S) along rows        O = (P ⊙ keep) V

        dV = (P ⊙ keep)ᵀ dO            dP = (dO Vᵀ) ⊙ keep
        dS = P ⊙ (dP − rowsum(dO ⊙ O)) dQ = scale · dS K                dK = scale · dSᵀ Q

    q (…, H, T, D)    k (…, G, S, D)    v (…, G, S, E)    O (…, H, T, E), with G dividing H: query head h reads key head
    h // (H/G). bias broadcasts to (…, H, T, S) and may hold −inf; a row of −inf gives zeros. keep, of the shape of S,
    is dropout's mask, already divided by the probability of keeping. is_causal lets query t attend to the keys 0…t.

    vjp(dO) = (dQ, dK, dV, dS). dS has the full shape (…, H, T, S). It is None without a bias or if ``bias_gradient`` is
    False, so that a backend need not store it.

    Where the mask makes S −inf, the key is hidden: even a NaN or an infinite number in the key, value, query or
    gradient does not reach O, dQ, dK, dV or dS. (In an ordinary product 0 · NaN is NaN.)

    Source: Vaswani et al. (2017), §3.2.1; the row sum of dO ⊙ O: Dao et al. (2022), appendix B.2.
    """
    (O, _), backward = attention_with_weights(q, k, v, bias, keep, is_causal=is_causal, scale=scale,
                                              bias_gradient=bias_gradient)
    return O, lambda dO: backward(dO, None)


def attention_with_weights(q: Array, k: Array, v: Array, bias: Array | None = None, keep: Array | None = None, *,
                           is_causal: bool = False, scale: float = 1.0,
                           bias_gradient: bool = True) -> tuple[tuple[Array, Array], Callable[..., Any]]:
    """``attention``, which also returns the weights W = P ⊙ keep (…, H, T, S), as ``((O, W), vjp)``.

    vjp(dO, dW) = (dQ, dK, dV, dS), with dP = (dO Vᵀ + dW) ⊙ keep and dS = P ⊙ (dP − rowsum(dO ⊙ O) − rowsum(dW ⊙ W)).
    dW may be None, which means zeros. Hidden keys are hidden here too.
    """
    *lead, heads, T, D = q.shape
    groups, S = k.shape[-3], k.shape[-2]
    # Query heads that share a key head get an axis of their own; the keys broadcast along that axis.
    grouped = (*lead, groups, heads // groups if groups else 0)
    qg = q.reshape(*grouped, T, D)
    kg, vg = k[..., None, :, :], v[..., None, :, :]

    scores = matmul(qg * q.dtype.type(scale), kg.swapaxes(-1, -2))                      # (…, G, H/G, T, S)
    flat = scores.reshape(*lead, heads, T, S)
    if bias is not None:
        flat += bias
    if is_causal:
        flat += causal_bias(T, S, q.dtype)
    hidden = None if bias is None and not is_causal else _hidden(bias, is_causal, scores.shape, flat.shape)
    if hidden is not None:
        np.copyto(scores, -np.inf, where=hidden)                                        # also where a NaN was added
    P = softmax_rows(flat, may_be_empty=bias is not None or S == 0)
    if hidden is not None:
        np.copyto(P.reshape(scores.shape), 0, where=hidden)                             # also in a row of NaN
    weights = P if keep is None else P * keep
    kept = weights.reshape(scores.shape)
    O = _product_of_seen(kept, vg, hidden)

    def vjp(dO, dW):
        dO = dO.reshape(O.shape)
        hidden_t = None if hidden is None else hidden.swapaxes(-1, -2)
        dV = _product_of_seen(kept.swapaxes(-1, -2), dO, hidden_t).sum(axis=-3)
        dP = matmul(dO, vg.swapaxes(-1, -2)).reshape(P.shape)
        row_sums = np.einsum("...e,...e->...", dO, O).reshape(*lead, heads, T, 1)
        if dW is not None:
            if hidden is not None:
                dW = np.where(np.broadcast_to(hidden, scores.shape).reshape(P.shape), dW.dtype.type(0), dW)
            dP += dW
            row_sums += np.einsum("...s,...s->...", dW, weights)[..., None]
        if keep is not None:
            dP *= keep
        dP -= row_sums
        dP *= P
        if hidden is not None:
            np.copyto(dP.reshape(scores.shape), 0, where=hidden)
        dS = dP
        scaled = (dS * q.dtype.type(scale)).reshape(scores.shape)
        dQ = _product_of_seen(scaled, kg, hidden).reshape(q.shape)
        dK = _product_of_seen(scaled.swapaxes(-1, -2), qg, hidden_t).sum(axis=-3)
        return dQ, dK, dV, dS if bias_gradient and bias is not None else None

    return (O.reshape(*lead, heads, T, v.shape[-1]), weights), vjp


def _hidden(bias, is_causal, shape, flat):
    """Where the mask is −inf: boolean, broadcasts to ``shape`` (…, G, H/G, T, S). ``flat`` is (…, H, T, S)."""
    causal: Any = ~np.tri(*shape[-2:], dtype=bool) if is_causal else False
    return causal if bias is None else np.broadcast_to(bias == -np.inf, flat).reshape(shape) | causal


def _product_of_seen(weights, x, hidden):
    """weights · x, where the ``hidden`` weights, which are 0, ignore NaN and infinity in x."""
    y = matmul(weights, x)
    if hidden is None or np.isfinite(y).all():
        return y
    wild = ~np.isfinite(x)
    reads_wild = matmul((~hidden).astype(x.dtype), wild.astype(x.dtype)) > 0
    return np.where(reads_wild, y, matmul(weights, np.where(wild, x.dtype.type(0), x)))


# ------------------------------------------------------------------------------------------------ layers of a network

def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """y = x Wᵀ + b.   x (N, in)    weight W (out, in)    bias b (out,) or None    y (N, out)"""
    y = matmul(x, weight.T)
    if bias is not None:
        y += bias
    return y


def linear_gelu(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, Vjp]:
    """y = GELU(x Wᵀ + b) in the tanh form, as ``(y, vjp)``: vjp(dy) = du, the gradient of the GELU's argument u."""
    return gelu_tanh(linear(x, weight, bias))


def layer_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Vjp]:
    """y = γ ⊙ x̂ + β,  x̂ = (x − μ)/σ,  σ² = mean (x − μ)² + ε of each row.   x (N, C); weight γ, bias β (C,) or None.

    vjp(dy) = (dx, dγ, dβ):   dx = (g − mean g − x̂ ⊙ mean(g ⊙ x̂)) / σ with g = γ ⊙ dy,   dγ = Σ dy ⊙ x̂,   dβ = Σ dy.
    """
    xhat = x - _row_mean(x)
    xhat -= _row_mean(xhat)                                                     # the rounding error of a large mean
    inverse = _inverse_deviation(xhat, eps)                                     # (N, 1): 1/σ
    xhat *= inverse
    y = xhat if weight is None else xhat * weight
    if bias is not None:
        y = y + bias

    def vjp(dy):
        g = dy if weight is None else dy * weight
        dx = g - _row_mean(g)
        dx -= xhat * _row_mean(g, xhat)
        dx *= inverse
        dweight = None if weight is None else np.einsum("nc,nc->c", dy, xhat)
        return dx, dweight, None if bias is None else dy.sum(axis=0)

    return y, vjp


def rms_norm(x: Array, weight: Array | None, eps: float) -> tuple[Array, Vjp]:
    """y = γ ⊙ x̂,  x̂ = x/r,  r² = mean x² + ε of each row.   x (N, C); weight γ (C,) or None.

    vjp(dy) = (dx, dγ):   dx = (g − x̂ ⊙ mean(g ⊙ x̂)) / r with g = γ ⊙ dy,   dγ = Σ dy ⊙ x̂.
    """
    inverse = _inverse_deviation(x, eps)                                        # (N, 1): 1/r
    xhat = x * inverse
    y = xhat if weight is None else xhat * weight

    def vjp(dy):
        g = dy if weight is None else dy * weight
        dx = g - xhat * _row_mean(g, xhat)
        dx *= inverse
        return dx, None if weight is None else np.einsum("nc,nc->c", dy, xhat)

    return y, vjp


def _inverse_deviation(d, eps):
    """1/√(mean d² + ε) of each row, as a column. Where the squares over- or underflow, d is scaled by its maximum."""
    with np.errstate(over="ignore", under="ignore"):
        variance = _row_mean(d, d) + d.dtype.type(eps)
    if np.all((variance > 1e-25) & (variance < np.inf)):
        return 1 / np.sqrt(variance)
    top = np.abs(d).max(axis=1, keepdims=True, initial=0)
    top[top == 0] = 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 / np.hypot(top * np.sqrt(_row_mean(d / top, d / top)), math.sqrt(eps))


def _row_mean(x, y=None):
    """The mean of each row of x, or of x ⊙ y, as a column. (einsum needs no temporary for the product.)"""
    total = np.einsum("nc->n", x) if y is None else np.einsum("nc,nc->n", x, y)
    return (total / x.shape[-1]).astype(x.dtype, copy=False)[:, None]


def softmax(x: Array) -> tuple[Array, Vjp]:
    """p = softmax along the last axis, as ``(p, vjp)``: dx = p ⊙ (dp − Σ p ⊙ dp). A row of −inf gives zeros."""
    p = softmax_rows(x.copy())

    def vjp(dp):
        # p sums to 1 only up to rounding, which would let an offset of dp through. The second subtraction removes it.
        dp = dp - np.sum(p * dp, axis=-1, keepdims=True)
        return p * (dp - np.sum(p * dp, axis=-1, keepdims=True))

    return p, vjp


def cross_entropy(logits: Array, targets: Array, smoothing: float = 0.0) -> tuple[Array, Vjp]:
    """−Σᵥ tᵥ ln pᵥ of each row, p = softmax(logits), as ``(losses, vjp)``.

    logits (N, V), V ≥ 1    targets integers (N,); t is ε/V, plus 1 − ε at the target; a row with a negative target
    has loss 0    losses (N,)    vjp(w) = dlogits = w (p − t), with w (N,) the gradient of each row's loss.
    """
    V, counted = logits.shape[1], targets >= 0
    label, each = np.where(counted, targets, 0), np.arange(len(targets))
    with np.errstate(over="ignore"):                        # a difference beyond all numbers: p is 0
        shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=1, keepdims=True)
    logp = shifted[each, label] - np.log(total[:, 0])
    if smoothing:
        mean_logp = (shifted * shifted.dtype.type(1 / V)).sum(axis=1) - np.log(total[:, 0])
        logp = (1 - smoothing) * logp + smoothing * mean_logp

    def vjp(w):
        d = p / total
        d[each, label] -= 1 - smoothing
        if smoothing:
            d -= smoothing / V
        d *= np.where(counted, w, w.dtype.type(0))[:, None]
        return d

    return np.where(counted, -logp, logits.dtype.type(0)), vjp


def block_step(x: Array, keys: Array, values: Array, past: int | Array, weights: Sequence[Any], eps: float) -> Array:
    """One layer of a Transformer at one new position of each row, without a gradient.

        x ← x + W_proj attention(norm₁(x))        x ← x + W_out GELU(W_fc norm₂(x))        GELU in its tanh form

    x (B, C), C = H·D    keys, values (B, H, room, D): ``past`` previous positions,
    behind which this position is written; an array (B,) has a number for each row
    weights     γ and β of norm₁, W_qkv (3C, C) and its bias, W_proj (C, C) and its bias, γ and β of norm₂, W_fc (F, C)
                and its bias, W_out (C, F) and its bias: a tuple, with None for a missing bias or γ    returns x (B, C)
    """
    gamma1, beta1, qkv, b_qkv, proj, b_proj, gamma2, beta2, fc, b_fc, out, b_out = weights
    B, H, _, D = keys.shape
    q, k, v = linear(layer_norm(x, gamma1, beta1, eps)[0], qkv, b_qkv).reshape(B, 3, H, D).swapaxes(0, 1)
    heads = np.empty_like(q)                                                    # (B, H, D)
    ragged = isinstance(past, np.ndarray)
    for rows, p in [(slice(b, b + 1), p) for b, p in enumerate(past)] if ragged else [(slice(None), past)]:
        keys[rows, :, p], values[rows, :, p] = k[rows], v[rows]
        seen = keys[rows, :, :p + 1], values[rows, :, :p + 1]
        heads[rows] = attention(q[rows, :, None], *seen, scale=1 / math.sqrt(D))[0][:, :, 0]
    x = x + linear(heads.reshape(x.shape), proj, b_proj)
    return x + linear(linear_gelu(layer_norm(x, gamma2, beta2, eps)[0], fc, b_fc)[0], out, b_out)


# ------------------------------------------------------------------------------------------------ entry by entry

def silu(x: Array) -> tuple[Array, Vjp]:
    """y = x σ(x), as ``(y, vjp)``: dx = σ(x) (1 + x (1 − σ(x))) dy."""
    s = sigmoid(x)
    return x * s, lambda dy: dy * (s * (1 + x * (1 - s)))


def gelu(x: Array) -> tuple[Array, Vjp]:
    """y = x Φ(x), as ``(y, vjp)``: dx = (Φ(x) + x φ(x)) dy. Φ and φ: normal distribution function and density."""
    cdf, density = normal(x)
    return x * cdf, lambda dy: dy * (cdf + x * density)


def gelu_tanh(x: Array) -> tuple[Array, Vjp]:
    """y = x h with h = (1 + tanh u)/2, u = √(2/π) (x + 0.044715 x³), as ``(y, vjp)``.

    dx = (h + 2 x h (1 − h) u′) dy. Beyond |x| = 100, and in float32 long before, h is 0 or 1: y is 0 or x, and dx is 0
    or dy, exactly.
    """
    # In place: on a laptop this layer is limited by memory bandwidth, and each temporary is another pass over memory.
    a, c = math.sqrt(2 / math.pi), 0.044715
    near = np.clip(x, -100, 100)                # beyond, h is 0 or 1, and 0 times an x³ that overflows would be NaN
    square = near * near
    half = np.asarray(square * (a * c))         # becomes h; NumPy returns plain numbers for arrays without axes
    half += a
    half *= near
    np.tanh(half, out=half)
    half += 1
    half *= 0.5

    def vjp(dy):
        slope = square * (6 * a * c)            # 2u′
        slope += 2 * a
        slope *= near
        slope *= 1 - half
        slope += 1
        slope *= half
        slope *= dy
        return slope

    return x * half, vjp


def dropout(x: Array, draws: Array, p: float) -> tuple[Array, Vjp]:
    """y = x / (1 − p) where the draw is at least p, else 0, as ``(y, vjp)``.

    draws float32 in [0, 1), of x's shape.
    """
    keep = (draws >= np.float32(p)).astype(x.dtype) * x.dtype.type(1 / (1 - p))
    return x * keep, lambda dy: dy * keep


def embedding_gradient(indices: Array, dy: Array, V: int) -> Array:
    """dW (V, C) with dW[v] = Σ dy over the positions with index v.   indices integers (N,) in 0…V−1    dy (N, C)"""
    dW = np.zeros((V, dy.shape[1]), dy.dtype)
    if indices.size:
        # Sorted by index, the gradients of a row are adjacent and one pass sums them; np.add.at would be slower.
        order = np.argsort(indices, kind="stable")
        ordered = indices[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        dW[ordered[starts]] = np.add.reduceat(dy[order], starts, axis=0)
    return dW


# ------------------------------------------------------------------------------------------------ over all parameters

def adamw(parameters: Sequence[tuple[Any, ...]]) -> None:
    """One step of AdamW, in place, for each (θ, g, m, v, lr, decay, β₁, β₂, ε, 1 − β₁ᵗ, 1 − β₂ᵗ):

        θ ← (1 − lr decay) θ      m ← m + (1 − β₁)(g − m)      v ← β₂ v + (1 − β₂) g²
        θ ← θ − lr m̂ / (√v̂ + ε)    with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
    """
    # One ufunc a line, all in place: every parameter is read at every step, and temporaries would cost a third more.
    scratch = {}
    for theta, g, m, v, lr, decay, beta1, beta2, eps, correction1, correction2 in parameters:
        flat = scratch.get(theta.dtype)                     # one scratch array for all parameters stays in the cache
        if flat is None or flat.size < theta.size:
            flat = scratch[theta.dtype] = np.empty(theta.size, theta.dtype)
        s = flat[:theta.size].reshape(theta.shape)
        if decay:
            theta *= 1 - lr * decay

        np.subtract(g, m, out=s)                            # m ← m + (1 − β₁)(g − m)
        s *= 1 - beta1
        m += s

        np.multiply(g, 1 - beta2, out=s)                    # v ← β₂ v + (1 − β₂) g²
        s *= g
        v *= beta2
        v += s

        np.sqrt(v, out=s)                                   # s = √v̂ + ε
        s *= 1 / math.sqrt(correction2)
        s += eps
        np.divide(m, s, out=s)                              # θ ← θ − lr m̂ / s
        s *= lr / correction1
        theta -= s


def sum_of_squares(arrays: Sequence[Array]) -> float:
    """Σ x² over all entries of all arrays, which have one type; a Python float."""
    flat = [a.reshape(-1) for a in arrays]
    with np.errstate(over="ignore", invalid="ignore"):
        total = sum(float(a @ a) for a in flat)
    if math.isfinite(total) and total > 1e-20:
        return total
    # The squares of float32 numbers above 10¹⁹ or below 10⁻¹⁹ overflow or underflow: another pass, in double.
    return sum(float(np.square(a, dtype=np.float64).sum()) for a in flat)


# ------------------------------------------------------------------------------------------------ parts

def softmax_rows(scores: Array, may_be_empty: bool = True) -> Array:
    """exp(s − max s) / Σ exp(s − max s) along the last axis, in place.

    A row of −inf gives zeros if ``may_be_empty``.
    """
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
def causal_bias(T: int, S: int, dtype: DTypeLike) -> Array:
    """(T, S): 0 where key s ≤ query t, −inf for later keys. Aligned at the first key, as in PyTorch."""
    bias = np.triu(np.full((T, S), -np.inf, dtype), 1)
    bias.setflags(write=False)
    return bias
