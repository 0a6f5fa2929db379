"""How near vectors are: unit vectors, squared distances, and the contrastive loss of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import expect_floating
from ..autograd import differentiable
from ..number_checks import check_integer, check_number

if TYPE_CHECKING:
    from ..typing import TensorLike, ValueAndVjp


@differentiable
def normalize(x: TensorLike, *, axis: int = -1, eps: float = 1e-12) -> ValueAndVjp:
    """u = x / max(‖x‖, ε) along ``axis``: vectors of length 1.

    dx = (du − u (u · du)) / ‖x‖: the part of du along u changes only the length, which is divided out. Where ‖x‖ ≤ ε,
    dx = du / ε.

    x floats of any shape with at least one axis; u has its shape.   Source: book (20.1), (20.2).
    """
    expect_floating("normalize", x=x)
    axis = check_integer("normalize", "axis", axis)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"normalize: axis is {axis}, but x has shape {x.shape}: expected an axis of it")
    eps = x.dtype.type(check_number("normalize", "eps", eps, above=0))
    top = np.abs(x).max(axis=axis, keepdims=True, initial=0)                    # so that squares stay in range
    top = np.where(top > 0, top, 1)
    length = top * np.sqrt(((x / top) ** 2).sum(axis=axis, keepdims=True))
    divisor = np.maximum(length, eps)
    u = x / divisor

    def vjp(du):
        along = (u * du).sum(axis=axis, keepdims=True)
        return (du - np.where(length > eps, along, 0) * u) / divisor

    return u, vjp


@differentiable
def squared_distances(x: TensorLike, c: TensorLike) -> ValueAndVjp:
    """D_nk = ‖x_n − c_k‖².   dx_n = 2 Σ_k dD_nk (x_n − c_k),   dc_k = −2 Σ_n dD_nk (x_n − c_k).

    x (N, C)    c (K, C)    D (N, K). The differences are computed, not ‖x‖² − 2 x·c + ‖c‖², which loses digits where
    the two are close; that takes N·K·C numbers of memory.   Source: Snell et al. (2017); book (20.7), (20.8).
    """
    expect_floating("squared_distances", x=x, c=c)
    if x.ndim != 2 or c.ndim != 2 or x.shape[1] != c.shape[1]:
        raise ValueError(f"squared_distances: x has shape {x.shape} and c {c.shape}: expected (N, C) and (K, C)")
    difference = x[:, None] - c                                                 # (N, K, C)

    def vjp(dD):
        weighted = 2 * dD[:, :, None] * difference
        return weighted.sum(axis=1), -weighted.sum(axis=0)

    return (difference * difference).sum(axis=2), vjp


@differentiable
def contrastive_loss(a: TensorLike, b: TensorLike, logit_scale: TensorLike, *, within: bool = False) -> ValueAndVjp:
    """Row n of a and row n of b are a pair: the mean cross-entropy of finding each vector's partner, in nats.

    S = e^t z zᵀ with z = [a; b], the 2N vectors; P = softmax(S) by rows; I⁺ is 1 at the partner, 0 elsewhere.

        L = −mean_i ln P_{i, partner of i}
        dS = (P − I⁺) dL / 2N,   dz = (dS + dSᵀ) z e^t,   dt = Σ dS ⊙ S

    The candidates of a vector are the N of the other kind, as in CLIP: then L is half the cross-entropy of the rows of
    e^t a bᵀ plus half that of its columns, against the diagonal. With ``within`` they are all others, those of its own
    kind too, as in SimCLR.

    a, b (N, C), usually of length 1    logit_scale t = ln 1/τ, one number, for the temperature τ    L one number.

    Source: Radford et al. (2021); with ``within`` Chen et al. (2020), NT-Xent; book (20.3) to (20.5).
    """
    expect_floating("contrastive_loss", a=a, b=b)
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"contrastive_loss: a has shape {a.shape} and b {b.shape}: expected (N, C) for both")
    t = np.asarray(logit_scale, a.dtype)
    if t.ndim:
        raise ValueError(f"contrastive_loss: logit_scale has shape {t.shape}, expected one number")
    N, scale = len(a), np.exp(t)
    if N == 0:                                              # the mean of nothing
        return a.dtype.type(np.nan), lambda dL: (np.zeros_like(a), np.zeros_like(b), np.zeros_like(t))
    z = np.concatenate([a, b])                                                  # (2N, C)
    own = np.arange(2 * N) // N                             # 0 for rows of a, 1 for rows of b
    excluded = np.eye(2 * N, dtype=bool) if within else own[:, None] == own
    S = scale * (z @ z.T)                                                       # (2N, 2N)
    partner = (np.arange(2 * N), (np.arange(2 * N) + N) % (2 * N))
    masked = np.where(excluded, -np.inf, S)
    top = masked.max(axis=1, keepdims=True)
    P = np.exp(masked - top)
    total = P.sum(axis=1, keepdims=True)
    P /= total
    loss = (np.log(total) + top)[:, 0] - S[partner]

    def vjp(dL):
        dS = P.copy()
        dS[partner] -= 1
        dS *= dL / a.dtype.type(2 * N)
        dz = ((dS + dS.T) @ z) * scale
        return dz[:N], dz[N:], np.asarray((dS * S).sum(), a.dtype)

    return loss.mean(), vjp
