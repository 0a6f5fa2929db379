"""Scaled dot-product attention: shape checks and masks. ``kernels.attention`` does the arithmetic."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING

import numpy as np

from .. import kernels
from ..arrays import expect_floating
from ..autograd import differentiable
from ..kernels.reference import attention_with_weights as attention_kernel_with_weights
from ..number_checks import check_fraction, check_number
from .products import rows
from .regularization import keep_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, RNGLike, TensorLike, ValueAndVjp

# Called with the weights (…, H, T, S) of every attention while it is set; viz.watch_attention sets it.
watcher: ContextVar[Callable[[Array], object] | None] = ContextVar("watcher", default=None)


@differentiable
def scaled_dot_product_attention(q: TensorLike, k: TensorLike, v: TensorLike, mask: TensorLike | None = None, *,
                                 is_causal: bool = False, scale: float | None = None, dropout_p: float = 0.0,
                                 rng: RNGLike = None) -> ValueAndVjp:
    """O = softmax(Q Kᵀ · scale + mask) V, with scale = 1/√D unless given.

    q (…, H, T, D)    k (…, G, S, D)    v (…, G, S, E)    O (…, H, T, E)

    G divides H: query head h reads key head h // (H/G) (grouped heads; G = H is ordinary multi-head attention). Arrays
    with two axes (T, D) are a single head.

    mask broadcasts to (…, H, T, S). A boolean mask is True where a query may attend to a key. A floating-point mask is
    added to the scores and gets a gradient. is_causal lets query t attend to the keys 0…t, aligned at the first key. A
    query without any key gives zeros. dropout_p is the dropout probability of the attention weights.
    ``kernels.attention`` states the gradients.

    Source: Vaswani et al. (2017), §3.2.1; grouped heads: Ainslie et al. (2023); book (9.2), (9.4), (9.5), (13.6).
    """
    q, k, v, bias, keep, options, single = _prepared(q, k, v, mask, is_causal, scale, dropout_p, rng)
    if (see := watcher.get()) is not None:
        (_, P), _ = attention_kernel_with_weights(q, k, v, bias, **options)
        see(P)
    out, backward = kernels.attention(q, k, v, bias, keep, **options)

    def vjp(dout):
        gradients = backward(dout[None] if single else dout)
        return _of_one_head(gradients) if single else gradients

    return out[0] if single else out, vjp


@differentiable
def attention_with_weights(q: TensorLike, k: TensorLike, v: TensorLike, mask: TensorLike | None = None, *,
                           is_causal: bool = False, scale: float | None = None, dropout_p: float = 0.0,
                           rng: RNGLike = None) -> ValueAndVjp:
    """(O, W): what ``scaled_dot_product_attention`` returns, and the weights W (…, H, T, S) after dropout, O = W V.

    The arguments are the same. This operation holds the whole score matrix; gradients flow back through both outputs. A
    key that the mask hides passes nothing to a query that may not attend to it, not even a NaN.
    """
    q, k, v, bias, keep, options, single = _prepared(q, k, v, mask, is_causal, scale, dropout_p, rng)
    outputs, backward = attention_kernel_with_weights(q, k, v, bias, keep, **options)
    if (see := watcher.get()) is not None:
        see(outputs[1] if keep is None else attention_kernel_with_weights(q, k, v, bias, **options)[0][1])

    def vjp(dys):
        gradients = backward(*(dy[None] if single else dy for dy in dys))
        return _of_one_head(gradients) if single else gradients

    return tuple(y[0] if single else y for y in outputs), vjp


def _prepared(q, k, v, mask, is_causal, scale, dropout_p, rng):
    """(q, k, v, bias, keep, options of the kernel, whether q, k and v were a single head), checked."""
    _check(q, k, v)
    if scale is None and q.shape[-1] == 0:
        raise ValueError(f"scaled_dot_product_attention: q has shape {q.shape}: a width of 0 has no scale 1/√D; "
                         f"expected a width of at least 1, or scale")
    single = q.ndim == 2
    if single:
        q, k, v = q[None], k[None], v[None]
    if not q.shape[:-3] == k.shape[:-3] == v.shape[:-3]:
        lead = np.broadcast_shapes(q.shape[:-3], k.shape[:-3], v.shape[:-3])
        q, k, v = (np.broadcast_to(a, lead + a.shape[-3:]) for a in (q, k, v))
    shape = (*q.shape[:-1], k.shape[-2])                                        # (…, H, T, S)
    bias = None if mask is None else _bias(mask, shape[1:] if single else shape, q.dtype)
    dropout_p = check_fraction("scaled_dot_product_attention", "dropout_p", dropout_p)
    keep = keep_mask(shape, dropout_p, q.dtype, rng) if dropout_p else None
    scale = (1 / math.sqrt(q.shape[-1]) if scale is None
             else check_number("scaled_dot_product_attention", "scale", scale))
    options = {"is_causal": is_causal, "scale": scale, "bias_gradient": mask is not None and mask.dtype != bool}
    return q, k, v, bias, keep, options, single


def _of_one_head(gradients):
    """The gradients without the axis of heads that was put before a single one."""
    return tuple(None if gradient is None else gradient[0] for gradient in gradients)


@differentiable
def residual_self_attention(h: TensorLike, Wq: TensorLike, Wk: TensorLike, Wv: TensorLike) -> ValueAndVjp:
    """y = h + softmax(Q Kᵀ) V with Q = h W_Qᵀ, K = h W_Kᵀ, V = h W_Vᵀ: one head without a scale, plus the input.

        P = softmax(Q Kᵀ)    dV = Pᵀ dy    dP = dy Vᵀ    dS = P ⊙ (dP − Σ P ⊙ dP)    dQ = dS K    dK = dSᵀ Q
        dh = dy + dQ W_Q + dK W_K + dV W_V      dW_Q = dQᵀ h, and so on: h is used four times

    h, y (…, T, C)    Wq, Wk (D, C)    Wv (C, C).   The sum in dS is over each row, from the softmax's Jacobian.

    Textbooks and articles often introduce attention in this form. Without 1/√D the softmax saturates as D grows, so
    ``scaled_dot_product_attention`` has that factor.

    Source: chapter 09, with a score for every pair of positions; without the matrices, book (15.1), (15.2).
    """
    for name, W in (("Wq", Wq), ("Wk", Wk), ("Wv", Wv)):
        if h.ndim < 2 or W.ndim != 2 or W.shape[1] != h.shape[-1] or (name == "Wk" and W.shape != Wq.shape):
            raise ValueError(f"residual_self_attention: h has shape {h.shape} and {name} {W.shape}: expected (…, T, C) "
                             f"and (D, C), with one D for Wq and Wk")
    if len(Wv) != h.shape[-1]:
        raise ValueError(f"residual_self_attention: h has shape {h.shape} and Wv {Wv.shape}: "
                         "expected (…, T, C) and (C, C)")
    mm = kernels.matmul
    q, k, v = (mm(h, W.T) for W in (Wq, Wk, Wv))
    p, softmax_backward = kernels.softmax(mm(q, k.swapaxes(-1, -2)))

    def vjp(dy):
        dv = mm(p.swapaxes(-1, -2), dy)
        ds = softmax_backward(mm(dy, v.swapaxes(-1, -2)))
        dq, dk = mm(ds, k), mm(ds.swapaxes(-1, -2), q)
        dh = dy + mm(dq, Wq) + mm(dk, Wk) + mm(dv, Wv)
        return dh, *(mm(rows(d).T, rows(h)) for d in (dq, dk, dv))

    return h + mm(p, v), vjp


def _check(q, k, v):
    expect_floating("scaled_dot_product_attention", q=q, k=k, v=v)
    for name, array in (("q", q), ("k", k), ("v", v)):
        if array.ndim < 2 or array.ndim != q.ndim:
            raise ValueError(f"scaled_dot_product_attention: {name} has shape {array.shape}, expected (…, heads, "
                             f"length, width) for q, k and v alike")
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(f"scaled_dot_product_attention: q {q.shape}, k {k.shape}, v {v.shape}: expected q and k of "
                         f"one width, k and v of one length")
    if q.ndim > 2 and (k.shape[-3] != v.shape[-3] or k.shape[-3] == 0 or q.shape[-3] % k.shape[-3]):
        raise ValueError(f"scaled_dot_product_attention: q has {q.shape[-3]} heads, k {k.shape[-3]} and v "
                         f"{v.shape[-3]}: expected k and v to have one number, which divides q's")


def _bias(mask, shape, dtype):
    """The mask as a term of the scores: a boolean mask becomes 0 where True and −inf where False."""
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("scaled_dot_product_attention: "
                         f"mask has shape {mask.shape}, expected one that broadcasts to {shape}")
    if mask.dtype == bool:
        return np.where(mask, dtype.type(0), dtype.type(-np.inf))
    if mask.dtype != dtype:
        raise TypeError(f"scaled_dot_product_attention: mask is {mask.dtype}, expected bool or {dtype}")
    return mask
