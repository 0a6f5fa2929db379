"""The seam's functions on a compiled library: what NumPy has to do before and after a call into C.

Both bindings offer the same functions (matmul, attention_forward, …), which write into arrays that they are given. ``Compiled``
makes those arrays, brings shapes into the few forms that the library knows, and leaves what it does not know, such as
integers, to the reference.
"""

from __future__ import annotations

import numpy as np

from . import reference

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
MAX_AXES = 8                    # TF_MAX_AXES batch axes and the matrix


class Compiled:
    """The kernels of ``library``, a binding. Their contracts are those of the functions of the same name in ``reference``."""

    def __init__(self, library):
        self.library = library

    def matmul(self, a, b):
        if a.dtype not in FLOATS or b.dtype != a.dtype or a.ndim > MAX_AXES or b.ndim > MAX_AXES:
            return reference.matmul(a, b)
        if a.ndim == 1 or b.ndim == 1:                                  # a vector is a row on the left, a column on the right
            z = self.matmul(a[None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b)
            z = z[..., 0] if b.ndim == 1 else z
            return z if a.ndim > 1 else z[..., 0, :] if b.ndim > 1 else z[..., 0]
        lead = a.shape[:-2]
        if b.shape[:-2] != lead:
            lead = np.broadcast_shapes(lead, b.shape[:-2])
            a, b = np.broadcast_to(a, lead + a.shape[-2:]), np.broadcast_to(b, lead + b.shape[-2:])
        c = np.empty((*lead, a.shape[-2], b.shape[-1]), a.dtype)
        self.library.matmul(aligned(a), aligned(b), c)
        return c

    def attention(self, q, k, v, bias=None, keep=None, *, is_causal=False, scale=1.0, bias_gradient=True):
        if q.dtype not in FLOATS or k.dtype != q.dtype or v.dtype != q.dtype:
            return reference.attention(q, k, v, bias, keep, is_causal=is_causal, scale=scale, bias_gradient=bias_gradient)
        lead, H, T, S = q.shape[:-3], q.shape[-3], q.shape[-2], k.shape[-2]
        q4, k4, v4 = four_axes(q), four_axes(k), four_axes(v)           # (B, H, T, D), (B, G, S, D), (B, G, S, E)
        bias4, keep4 = (None if mask is None else four_axes(np.broadcast_to(mask, (*lead, H, T, S))) for mask in (bias, keep))
        B, G = q4.shape[0], k4.shape[1]
        o = heads_last(B, H, T, v4.shape[3], q.dtype)
        L = np.empty((B, H, T), q.dtype)
        self.library.attention_forward(q4, k4, v4, bias4, keep4, o, L, scale, is_causal)

        def vjp(do):
            do4 = four_axes(do)
            dq, dk, dv = (heads_last(B, H, n, width, q.dtype)
                          for n, width in ((T, q4.shape[3]), (S, q4.shape[3]), (S, v4.shape[3])))
            ds = np.empty((B, H, T, S), q.dtype) if bias_gradient and bias is not None else None
            self.library.attention_backward(q4, k4, v4, bias4, keep4, o, L, do4, dq, dk, dv, ds, scale, is_causal)
            if H != G:                                                  # query heads that share a key head
                dk, dv = (d.reshape(B, G, H // G, S, d.shape[3]).sum(axis=2) for d in (dk, dv))
            return (dq.reshape(q.shape), dk.reshape(k.shape), dv.reshape(v.shape),
                    None if ds is None else ds.reshape(*lead, H, T, S))

        return o.reshape(*lead, H, T, v.shape[-1]), vjp


def aligned(a):
    """``a``, or a copy of it where its entries do not lie at multiples of their size, as C wants them."""
    return a if a.flags.aligned else a.copy()


def four_axes(a):
    """(…, H, T, width) as (B, H, T, width), a view where possible."""
    if a.ndim != 4:
        B = int(np.prod(a.shape[:-3]))
        a = a[None] if a.ndim == 3 else a.reshape(B, *a.shape[-3:])
    return aligned(a)


def heads_last(B, H, T, width, dtype):
    """An array (B, H, T, width) that lies in memory as (B, T, H, width): joining the heads again then needs no copy."""
    return np.empty((B, T, H, width), dtype).swapaxes(1, 2)
