"""The kernels on a compiled library: the work of NumPy before and after a call into C.

Both bindings have the same functions (matmul, attention_forward, …), which write into arrays that they receive.
``Compiled`` allocates those arrays and brings the arguments into the shapes that the library supports. Arguments that
it does not support, such as integers, go to ``reference``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, DTypeLike

    from ..typing import Array, Vjp
    from .convolution import Pair, Windows

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
MAX_AXES = 8                    # TF_MAX_AXES batch axes and the matrix
FEW_WINDOWS = 16                # fewer windows than this leave most of a vector empty
GELU_TANH, SILU, GELU = 0, 1, 2      # TF_GELU_TANH, TF_SILU, TF_GELU


class Compiled:
    """The kernels of ``library``, a binding. ``reference`` states their contracts under the same names."""

    def __init__(self, library: Any) -> None:
        self.library = library

    def matmul(self, a: Array, b: Array) -> Array:
        """``reference.matmul``; arrays of other types than float32 and float64 go to NumPy."""
        if a.dtype not in FLOATS or b.dtype != a.dtype or a.ndim > MAX_AXES or b.ndim > MAX_AXES:
            return reference.matmul(a, b)
        if a.ndim == 1 or b.ndim == 1:                                  # a vector a is a row, a vector b a column
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

    def attention(self, q: Array, k: Array, v: Array, bias: Array | None = None, keep: Array | None = None, *,
                  is_causal: bool = False, scale: float = 1.0, bias_gradient: bool = True) -> tuple[Array, Vjp]:
        """``reference.attention``. Where a mask hides NaN or infinite numbers, the reference computes."""
        if q.dtype not in FLOATS or k.dtype != q.dtype or v.dtype != q.dtype:
            return reference.attention(q, k, v, bias, keep, is_causal=is_causal, scale=scale,
                                       bias_gradient=bias_gradient)
        lead, H, T, S = q.shape[:-3], q.shape[-3], q.shape[-2], k.shape[-2]
        q4, k4, v4 = four_axes(q), four_axes(k), four_axes(v)           # (B, H, T, D), (B, G, S, D), (B, G, S, E)
        bias4, keep4 = (None if mask is None else four_axes(np.broadcast_to(mask, (*lead, H, T, S)))
                        for mask in (bias, keep))
        B, G = q4.shape[0], k4.shape[1]
        o = heads_last(B, H, T, v4.shape[3], q.dtype)
        L = np.empty((2, B, H, T), q.dtype)
        self.library.attention_forward(q4, k4, v4, bias4, keep4, o, L, scale, is_causal)
        masked = is_causal or bias is not None

        def as_reference():                             # the blocks read hidden entries too, and 0 · NaN is NaN
            return reference.attention(q, k, v, bias, keep, is_causal=is_causal, scale=scale,
                                       bias_gradient=bias_gradient)

        if masked and not np.isfinite(o).all():
            return as_reference()

        def vjp(do):
            do4 = four_axes(do)
            if q4.shape == k4.shape == v4.shape:                    # adjacent, for a projection that computed all three
                dq, dk, dv = np.empty((B, T, 3, H, q4.shape[3]), q.dtype).transpose(2, 0, 3, 1, 4)
            else:
                dq, dk, dv = (heads_last(B, H, n, width, q.dtype)
                              for n, width in ((T, q4.shape[3]), (S, q4.shape[3]), (S, v4.shape[3])))
            ds = np.empty((B, H, T, S), q.dtype) if bias_gradient and bias is not None else None
            self.library.attention_backward(q4, k4, v4, bias4, keep4, o, L, do4, dq, dk, dv, ds, scale, is_causal)
            if masked and not all(np.isfinite(d).all() for d in (dq, dk, dv)):
                return as_reference()[1](do)
            if H != G:                                                  # query heads that share a key head
                dk, dv = (d.reshape(B, G, H // G, S, d.shape[3]).sum(axis=2) for d in (dk, dv))
            return (dq.reshape(q.shape), dk.reshape(k.shape), dv.reshape(v.shape),
                    None if ds is None else ds.reshape(*lead, H, T, S))

        return o.reshape(*lead, H, T, v.shape[-1]), vjp

    # -- the rest of a training step. The library requires contiguous rows, so other layouts are copied first.

    def linear(self, x: Array, weight: Array, bias: Array | None = None) -> Array:
        """``reference.linear``; the bias is added in the product's epilogue."""
        if x.dtype not in FLOATS or weight.dtype != x.dtype or bias is None:
            y = self.matmul(x, weight.T)
            return y if bias is None else np.add(y, bias, out=y)
        y = np.empty((len(x), len(weight)), x.dtype)
        self.library.matmul(aligned(x), aligned(weight).T, y, 1.0, 0.0, whole(bias))
        return y

    def linear_gelu(self, x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, Vjp]:
        """``reference.linear_gelu``, in one product with an epilogue."""
        if x.dtype not in FLOATS or weight.dtype != x.dtype:
            return reference.linear_gelu(x, weight, bias)
        y = np.empty((len(x), len(weight)), x.dtype)
        u = np.empty_like(y)
        self.library.matmul(aligned(x), aligned(weight).T, y, 1.0, 0.0, None if bias is None else whole(bias), u)
        return y, lambda dy: self._activation_gradient(GELU_TANH, u, dy)

    def layer_norm(self, x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Vjp]:
        """``reference.layer_norm``, computed by the library."""
        if x.dtype not in FLOATS or x.size == 0:
            return reference.layer_norm(x, weight, bias, eps)
        return self._norm(x, weight, bias, eps, np.empty(len(x), x.dtype))

    def rms_norm(self, x: Array, weight: Array | None, eps: float) -> tuple[Array, Vjp]:
        """``reference.rms_norm``, computed by the library."""
        if x.dtype not in FLOATS or x.size == 0:
            return reference.rms_norm(x, weight, eps)
        y, vjp = self._norm(x, weight, None, eps, None)
        return y, lambda dy: vjp(dy)[:2]

    def _norm(self, x, weight, bias, eps, mean):
        x = whole(x)
        weight, bias = (None if p is None else whole(p) for p in (weight, bias))
        y, inverse = np.empty_like(x), np.empty(len(x), x.dtype)
        self.library.norm_forward(x, weight, bias, eps, y, mean, inverse)

        def vjp(dy):
            dx = np.empty_like(x)
            dweight, dbias = (None if p is None else np.empty_like(p) for p in (weight, bias))
            self.library.norm_backward(x, weight, mean, inverse, whole(dy), dx, dweight, dbias)
            return dx, dweight, dbias

        return y, vjp

    def softmax(self, x: Array) -> tuple[Array, Vjp]:
        """``reference.softmax``, computed by the library."""
        if x.dtype not in FLOATS or x.ndim == 0 or x.size == 0:
            return reference.softmax(x)
        rows = whole(x).reshape(-1, x.shape[-1])
        p = np.empty_like(rows)
        self.library.softmax_forward(rows, p)

        def vjp(dp):
            dx = np.empty_like(p)
            self.library.softmax_backward(p, whole(dp).reshape(p.shape), dx)
            return dx.reshape(x.shape)

        return p.reshape(x.shape), vjp

    def cross_entropy(self, logits: Array, targets: Array, smoothing: float = 0.0) -> tuple[Array, Vjp]:
        """``reference.cross_entropy``, computed by the library."""
        if logits.dtype not in FLOATS:
            return reference.cross_entropy(logits, targets, smoothing)
        logits, targets = whole(logits), whole(targets.astype(np.int64, copy=False))
        losses, sums = np.empty((2, len(targets)), logits.dtype)
        self.library.cross_entropy_forward(logits, targets, smoothing, losses, sums)

        def vjp(w):
            dlogits = np.empty_like(logits)
            self.library.cross_entropy_backward(logits, targets, smoothing, sums, whole(w), dlogits)
            return dlogits

        return losses, vjp

    def gelu(self, x: Array) -> tuple[Array, Vjp]:
        """``reference.gelu``, computed by the library."""
        return self._activation(GELU, x) if x.dtype in FLOATS else reference.gelu(x)

    def gelu_tanh(self, x: Array) -> tuple[Array, Vjp]:
        """``reference.gelu_tanh``, computed by the library."""
        return self._activation(GELU_TANH, x) if x.dtype in FLOATS else reference.gelu_tanh(x)

    def silu(self, x: Array) -> tuple[Array, Vjp]:
        """``reference.silu``, computed by the library."""
        return self._activation(SILU, x) if x.dtype in FLOATS else reference.silu(x)

    def _activation(self, kind, x):
        x = whole(x)
        y = np.empty_like(x)
        self.library.activation_forward(kind, x.reshape(-1), y.reshape(-1))
        return y, lambda dy: self._activation_gradient(kind, x, dy)

    def _activation_gradient(self, kind, x, dy):
        dx = np.empty_like(x)
        self.library.activation_backward(kind, x.reshape(-1), whole(dy).reshape(-1), dx.reshape(-1))
        return dx

    def dropout(self, x: Array, draws: Array, p: float) -> tuple[Array, Vjp]:
        """``reference.dropout``, computed by the library."""
        if x.dtype not in FLOATS:
            return reference.dropout(x, draws, p)
        draws = whole(draws).reshape(-1)

        def masked(x):
            x = whole(x)
            y = np.empty_like(x)
            self.library.dropout(x.reshape(-1), draws, p, y.reshape(-1))
            return y

        return masked(x), masked

    def embedding_gradient(self, indices: Array, dy: Array, V: int) -> Array:
        """``reference.embedding_gradient``, computed by the library."""
        if dy.dtype not in FLOATS:
            return reference.embedding_gradient(indices, dy, V)
        dW = np.empty((V, dy.shape[1]), dy.dtype)
        self.library.embedding_gradient(whole(indices.astype(np.int64, copy=False)), whole(dy), dW)
        return dW

    def conv2d(self, x: Array, weight: Array, windows: Windows, out: Pair, bias: Array | None = None) -> Array:
        """``reference.conv2d``; few windows of many channels go to the reference, which is faster with those."""
        if not self._fits(windows, out, x, weight):
            return reference.conv2d(x, weight, windows, out, bias)
        y = np.empty((len(x), len(weight), *out), x.dtype)
        self.library.conv_forward(whole(x), whole(weight), None if bias is None else whole(bias), windows.numbers(), y)
        return y

    def conv2d_input_gradient(self, dy: Array, weight: Array, windows: Windows, shape: Pair) -> Array:
        """``reference.conv2d_input_gradient``, computed by the library."""
        if not self._fits(windows, dy.shape[2:], dy, weight):
            return reference.conv2d_input_gradient(dy, weight, windows, shape)
        dx = np.empty((len(dy), windows.groups * weight.shape[1], *shape), dy.dtype)
        self.library.conv_input_gradient(whole(dy), whole(weight), windows.numbers(), dx)
        return dx

    def conv2d_weight_gradient(self, dy: Array, x: Array, windows: Windows, kernel: Pair) -> Array:
        """``reference.conv2d_weight_gradient``, computed by the library."""
        if not self._fits(windows, dy.shape[2:], dy, x):
            return reference.conv2d_weight_gradient(dy, x, windows, kernel)
        dW = np.empty((dy.shape[1], x.shape[1] // windows.groups, *kernel), x.dtype)
        self.library.conv_weight_gradient(whole(dy), whole(x), windows.numbers(), dW)
        return dW

    def _fits(self, windows, out, *arrays):
        return (out[0] * out[1] >= FEW_WINDOWS and arrays[0].dtype in FLOATS
                and all(a.dtype == arrays[0].dtype and a.size for a in arrays))

    def max_pool2d(self, x: Array, kernel: Pair, windows: Windows, out: Pair) -> tuple[Array, Array]:
        """``reference.max_pool2d``, computed by the library."""
        if x.dtype not in FLOATS:
            return reference.max_pool2d(x, kernel, windows, out)
        y = np.empty((*x.shape[:2], *out), x.dtype)
        indices = np.empty(y.shape, np.int64)
        self.library.max_pool_forward(whole(x), *kernel, windows.numbers(), y, indices)
        return y, indices

    def max_pool2d_gradient(self, dy: Array, indices: Array, shape: Pair) -> Array:
        """``reference.max_pool2d_gradient``, computed by the library."""
        if dy.dtype not in FLOATS:
            return reference.max_pool2d_gradient(dy, indices, shape)
        dx = np.empty((*dy.shape[:2], *shape), dy.dtype)
        self.library.max_pool_backward(whole(dy), indices, dx)
        return dx

    def lstm(self, a: Array, h0: Array, c0: Array, weight: Array, lengths: Array | None = None,
             reverse: bool = False) -> tuple[tuple[Array, Array], Callable[..., Any]]:
        """``recurrence.lstm``; the vjp is a kernel too."""
        if a.dtype not in FLOATS or not a.dtype == h0.dtype == c0.dtype == weight.dtype:
            return reference.lstm(a, h0, c0, weight, lengths, reverse)
        gates, weight, T = whole(a), whole(weight), len(a)
        h, c = np.empty((2, T + 1, *h0.shape), a.dtype)
        h[T if reverse else 0], c[T if reverse else 0] = h0, c0
        lengths = None if lengths is None else whole(lengths.astype(np.int64, copy=False))
        self.library.lstm_forward(gates, weight, lengths, reverse, h, c)

        def vjp(dy, dh, dc):
            da, dh, dc = np.empty_like(gates), np.array(dh, order="C"), np.array(dc, order="C")
            self.library.lstm_backward(gates, c, weight, lengths, reverse, whole(dy), da, dh, dc)
            return da, dh, dc

        return (h, c), vjp

    def block_step(self, x: Array, keys: Array, values: Array, past: int | Array, weights: Sequence[Any],
                   eps: float) -> Array:
        """``reference.block_step``, in one call."""
        given = (keys, values, *(w for w in weights if w is not None))
        if x.dtype not in FLOATS or not all(a.dtype == x.dtype and is_whole(a) for a in given):
            return reference.block_step(x, keys, values, past, weights, eps)
        y = np.array(x, order="C")
        if isinstance(past, np.ndarray):
            self.library.block_step(y, keys, values, 0, weights, eps, np.ascontiguousarray(past, np.int64))
        else:
            self.library.block_step(y, keys, values, past, weights, eps)
        return y

    def adamw(self, parameters: Sequence[tuple[Any, ...]]) -> None:
        """``reference.adamw``, one call per type of the parameters."""
        for dtype in {theta.dtype for theta, *_ in parameters}:
            known, other = [], []
            for theta, g, m, v, *numbers in parameters:
                if theta.dtype == dtype:
                    if theta.flags.f_contiguous:            # all four transposed: the step is entrywise
                        theta, g, m, v = theta.T, g.T, m.T, v.T
                    fits = dtype in FLOATS and all(is_whole(a) for a in (theta, m, v))
                    (known if fits else other).append((theta, whole(g) if fits else g, m, v, *numbers))
            self.library.adamw(known)
            reference.adamw(other)

    def sum_of_squares(self, arrays: Sequence[Array]) -> float:
        """``reference.sum_of_squares``, one call per type of the arrays."""
        total = 0.0
        for dtype in dict.fromkeys(a.dtype for a in arrays):
            same = [a for a in arrays if a.dtype == dtype]
            total += (self.library.sum_of_squares([whole(a) for a in same]) if dtype in FLOATS
                      else reference.sum_of_squares(same))
        return total


def functions(library: Any) -> dict[str, Callable[..., Any]]:
    """{name: kernel} of a binding: with these names a module is a backend."""
    kernels = Compiled(library)
    return {name: getattr(kernels, name) for name in vars(Compiled) if not name.startswith("_")}


def is_whole(a: Array) -> bool:
    """Whether ``a`` is C-contiguous and aligned, as the library requires."""
    return a.flags.c_contiguous and a.flags.aligned


def whole(a: ArrayLike) -> Array:
    """``a``, or a contiguous and aligned copy. A NumPy number, such as a sum over all axes, becomes an array."""
    return a if isinstance(a, np.ndarray) and is_whole(a) else np.array(a, order="C")


def aligned(a: Array) -> Array:
    """``a``, or an aligned copy: C requires entries at multiples of their size."""
    return a if a.flags.aligned else a.copy(order="K")


def four_axes(a: Array) -> Array:
    """(…, H, T, width) as (B, H, T, width), a view where possible."""
    if a.ndim != 4:
        B = int(np.prod(a.shape[:-3]))
        a = a[None] if a.ndim == 3 else a.reshape(B, *a.shape[-3:])
    return aligned(a)


def heads_last(B: int, H: int, T: int, width: int, dtype: DTypeLike) -> Array:
    """An array (B, H, T, width) with the memory layout (B, T, H, width), so that joining the heads needs no copy."""
    return np.empty((B, T, H, width), dtype).swapaxes(1, 2)
