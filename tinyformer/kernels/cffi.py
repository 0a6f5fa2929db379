"""The C++ kernels through cffi: the same library, opened as plain C.

``tinyformer._native`` exports the functions of csrc/tinyformer.h in addition to its Python module. So there is one copy
of the kernels and one thread pool. ``Library`` is for cffi what csrc/python.h is for pybind11, with the same checks;
compare the two. csrc/tinyformer.h states the contract of each function. cffi releases the GIL during every call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .native import library as _native          # first: without that library cffi is not needed

import cffi
import numpy as np

from .compiled import functions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..typing import Array

ffi: Any = cffi.FFI()
ffi.cdef(_native.declarations.partition("from here */")[2].partition("/* to here")[0].replace("TF_EXPORT", ""))
C: Any = ffi.dlopen(_native.__file__)

# cffi looks functions and types up at their first use, under a lock. A child of fork would wait forever for that lock
# if another thread held it at the fork. So everything is looked up here, at the import.
for _name in dir(C):
    getattr(C, _name)
VOID, VOIDS, INT64, INT64S, DOUBLE = map(ffi.typeof, ("void *", "void *[]", "int64_t *", "int64_t[]", "double *"))
EPILOGUE, MATRICES, TENSOR4, ATTENTION, CONV, LSTM, BLOCK, PARAMETERS = map(ffi.typeof, (
    "tf_epilogue *", "tf_matrices *", "tf_tensor4 *", "tf_attention *", "tf_conv *", "tf_lstm *", "tf_block *",
    "tf_parameter[]"))

TYPES = {np.dtype(np.float32): C.TF_FLOAT32, np.dtype(np.float64): C.TF_FLOAT64}


class Products:
    """The matrix product and attention of ``C``, a library opened by cffi."""

    def __init__(self, C: Any) -> None:
        self.C = C
        for name in ("tf_matmul", "tf_attention_forward", "tf_attention_backward", "tf_message"):
            getattr(C, name)                                            # looked up now, as above

    def matmul(self, a: Array, b: Array, c: Array, alpha: float = 1.0, beta: float = 0.0, bias: Array | None = None,
               preactivation: Array | None = None, residual: Array | None = None) -> None:
        """c ← α a b + β c, with the epilogue of csrc/tinyformer.h.

        c gets the bias, then GELU if there is a ``preactivation`` array for its argument, then the residual.
        """
        type, batch = _type("a", a), a.shape[:-2]
        if a.ndim < 2:
            raise ValueError("a has fewer than two axes")
        _type("b", b)
        _type("c", c)
        M, K, N = *a.shape[-2:], b.shape[-1] if b.ndim else 0
        if b.shape != (*batch, K, N) or c.shape != (*batch, M, N):
            raise ValueError("a, b and c do not have the shapes (…, M, K), (…, K, N) and (…, M, N)")
        epilogue = ffi.new(EPILOGUE)
        if bias is not None:
            _expect("bias", bias, (N,))
            _expect_contiguous("bias", bias)
            epilogue.bias = _pointer("bias", bias, type)
        for name, array in (("preactivation", preactivation), ("residual", residual)):
            if array is not None:
                pointer = _pointer(name, array, type, written=name == "preactivation")
                if array.shape != c.shape or array.strides != c.strides:
                    raise ValueError(f"{name} is not laid out as c")
                setattr(epilogue, name, pointer)
        matrices, alive = [], []
        for name, array in (("a", a), ("b", b), ("c", c)):
            *lead, row, column = (step // array.itemsize for step in array.strides)
            if array is c:
                row, column = row if M > 1 else N, column if N > 1 else 1
            alive.append(ffi.new(INT64S, lead or 1))
            matrices.append(ffi.new(MATRICES, (_pointer(name, array, type, array is c), row, column, alive[-1])))
        self._check("matmul",
                    self.C.tf_matmul(type, len(batch), ffi.new(INT64S, batch or 1), M, N, K, alpha, matrices[0],
                                     matrices[1], beta, matrices[2], epilogue))

    def attention_forward(self, q: Array, k: Array, v: Array, bias: Array | None, keep: Array | None, o: Array,
                          L: Array, scale: float, is_causal: bool) -> None:
        """o ← softmax attention, L ← the maximum and the sum of each row, for the backward pass."""
        type, a = _type("q", q), _sizes(q, k, v, scale, is_causal)
        scores = (a.B, a.H, a.T, a.S)
        self._check("attention", self.C.tf_attention_forward(
            type, a, _tensor4("q", q, type), _tensor4("k", k, type), _tensor4("v", v, type),
            _tensor4("bias", bias, type, scores),
            _tensor4("keep", keep, type, scores), _tensor4("o", o, type, (a.B, a.H, a.T, a.E), True),
            _row_sums(a, type, L)))

    def attention_backward(self, q: Array, k: Array, v: Array, bias: Array | None, keep: Array | None, o: Array,
                           L: Array, do: Array, dq: Array, dk: Array, dv: Array, ds: Array | None, scale: float,
                           is_causal: bool) -> None:
        """dq, dk, dv and, unless None, ds ← the gradients of attention, from its output, L and do."""
        type, a = _type("q", q), _sizes(q, k, v, scale, is_causal)
        scores, out = (a.B, a.H, a.T, a.S), (a.B, a.H, a.T, a.E)
        self._check("attention", self.C.tf_attention_backward(
            type, a, _tensor4("q", q, type), _tensor4("k", k, type), _tensor4("v", v, type),
            _tensor4("bias", bias, type, scores),
            _tensor4("keep", keep, type, scores), _tensor4("o", o, type, out), _row_sums(a, type, L),
            _tensor4("dO", do, type, out), _tensor4("dq", dq, type, (a.B, a.H, a.T, a.D), True),
            _tensor4("dk", dk, type, (a.B, a.H, a.S, a.D), True),
            _tensor4("dv", dv, type, (a.B, a.H, a.S, a.E), True), _tensor4("ds", ds, type, scores, True)))

    def _check(self, what, code):
        _check(what, code, self.C)


class Library(Products):
    """The functions of ``tinyformer._native``, called through cffi."""

    def __init__(self) -> None:
        super().__init__(C)

    def isa(self) -> str:
        """The instruction set of the kernels, such as avx2."""
        return _text(C.tf_isa())

    def use_isa(self, name: str) -> None:
        """Use another instruction set. Raises ValueError if this processor or build lacks it."""
        _check(f"use_isa {name}", C.tf_use_isa(name.encode()))

    def set_num_threads(self, n: int) -> None:
        """Use at most ``n`` threads."""
        _check("set_num_threads", C.tf_set_num_threads(n))

    def get_num_threads(self) -> int:
        """The maximum number of threads."""
        return C.tf_get_num_threads()

    def threading(self) -> str:
        """How the library makes threads: pool or openmp."""
        return _text(C.tf_threading())

    def peak(self, type: int, rounds: int) -> int:
        """Run multiply-adds on one thread, for benchmarks, and return their number."""
        return C.tf_peak(type, rounds)

    def norm_forward(self, x: Array, weight: Array | None, bias: Array | None, eps: float, y: Array, mean: Array | None,
                     inverse: Array) -> None:
        """y ← layer normalization of the rows of x, or RMS normalization if ``mean`` is None; inverse ← 1/σ."""
        type, (N, C_) = _type("x", x), _matrix("x", x)
        _check("norm", C.tf_norm_forward(
            type, N, C_, _whole("x", x, type, (N, C_)), _whole("weight", weight, type, (C_,)),
            _whole("bias", bias, type, (C_,)), eps, _whole("y", y, type, (N, C_), True),
            _whole("mean", mean, type, (N,), True), _whole("inverse", inverse, type, (N,), True)))

    def norm_backward(self, x: Array, weight: Array | None, mean: Array | None, inverse: Array, dy: Array, dx: Array,
                      dweight: Array | None, dbias: Array | None) -> None:
        """dx, dweight and dbias ← the gradients of the normalization."""
        type, (N, C_) = _type("x", x), _matrix("x", x)
        _check("norm", C.tf_norm_backward(
            type, N, C_, _whole("x", x, type, (N, C_)), _whole("weight", weight, type, (C_,)),
            _whole("mean", mean, type, (N,)),
            _whole("inverse", inverse, type, (N,)), _whole("dy", dy, type, (N, C_)),
            _whole("dx", dx, type, (N, C_), True),
            _whole("dweight", dweight, type, (C_,), True), _whole("dbias", dbias, type, (C_,), True)))

    def softmax_forward(self, x: Array, y: Array) -> None:
        """y ← softmax of the rows of x."""
        type, shape = _type("x", x), _matrix("x", x)
        _check("softmax",
               C.tf_softmax_forward(type, *shape, _whole("x", x, type, shape), _whole("y", y, type, shape, True)))

    def softmax_backward(self, y: Array, dy: Array, dx: Array) -> None:
        """dx ← y ⊙ (dy − Σ y ⊙ dy) for each row."""
        type, shape = _type("y", y), _matrix("y", y)
        _check("softmax",
               C.tf_softmax_backward(type, *shape, _whole("y", y, type, shape), _whole("dy", dy, type, shape),
                                     _whole("dx", dx, type, shape, True)))

    def cross_entropy_forward(self, logits: Array, targets: Array, smoothing: float, losses: Array,
                              sums: Array) -> None:
        """losses ← the loss of each row, sums ← Σ exp(logits − max) of each row."""
        type, (N, V) = _type("logits", logits), _matrix("logits", logits)
        _check("cross_entropy", C.tf_cross_entropy_forward(
            type, N, V, _whole("logits", logits, type, (N, V)), _indices("targets", targets, N), smoothing,
            _whole("losses", losses, type, (N,), True), _whole("sums", sums, type, (N,), True)))

    def cross_entropy_backward(self, logits: Array, targets: Array, smoothing: float, sums: Array, weights: Array,
                               dlogits: Array) -> None:
        """dlogits ← weights (p − t) for each row."""
        type, (N, V) = _type("logits", logits), _matrix("logits", logits)
        _check("cross_entropy", C.tf_cross_entropy_backward(
            type, N, V, _whole("logits", logits, type, (N, V)), _indices("targets", targets, N), smoothing,
            _whole("sums", sums, type, (N,)), _whole("weights", weights, type, (N,)),
            _whole("dlogits", dlogits, type, (N, V), True)))

    def activation_forward(self, kind: int, x: Array, y: Array) -> None:
        """y ← the activation function ``kind`` of x: TF_GELU, TF_GELU_TANH or TF_SILU."""
        type, n = _type("x", x), (x.size,)
        _check("activation",
               C.tf_activation_forward(type, kind, *n, _whole("x", x, type, n), _whole("y", y, type, n, True)))

    def activation_backward(self, kind: int, x: Array, dy: Array, dx: Array) -> None:
        """dx ← the derivative of the activation function at x, times dy."""
        type, n = _type("x", x), (x.size,)
        _check("activation",
               C.tf_activation_backward(type, kind, *n, _whole("x", x, type, n), _whole("dy", dy, type, n),
                                       _whole("dx", dx, type, n, True)))

    def dropout(self, x: Array, draws: Array, p: float, y: Array) -> None:
        """y ← x / (1 − p) where the draw is at least p, else 0."""
        type, n = _type("x", x), (x.size,)
        _check("dropout", C.tf_dropout(type, *n, _whole("x", x, type, n), _whole("draws", draws, C.TF_FLOAT32, n), p,
                                       _whole("y", y, type, n, True)))

    def embedding_gradient(self, indices: Array, dy: Array, dweight: Array) -> None:
        """dweight ← for each index, the sum of the rows of dy with that index."""
        type, (N, width), (V, _) = _type("dy", dy), _matrix("dy", dy), _matrix("dweight", dweight)
        _check("embedding_gradient", C.tf_embedding_gradient(
            type, V, width, N, _indices("indices", indices, N), _whole("dy", dy, type, (N, width)),
            _whole("dweight", dweight, type, (V, width), True)))

    def conv_forward(self, x: Array, weight: Array, bias: Array | None, windows: tuple[int, ...], y: Array) -> None:
        """y ← the convolution of x; windows: stride, padding and dilation, each of rows and of columns."""
        type, p = _type("x", x), _conv("x y weight", x, y, weight, windows)
        _check("conv", C.tf_conv_forward(
            type, p, _pictures("x", x, type, p), _kernel("weight", weight, type, p),
            _whole("bias", bias, type, (p.O,)), _windows("y", y, type, p, True)))

    def conv_input_gradient(self, dy: Array, weight: Array, windows: tuple[int, ...], dx: Array) -> None:
        """dx ← the gradient of the pictures."""
        type, p = _type("dy", dy), _conv("dx dy weight", dx, dy, weight, windows)
        _check("conv", C.tf_conv_input_gradient(
            type, p, _windows("dy", dy, type, p), _kernel("weight", weight, type, p),
            _pictures("dx", dx, type, p, True)))

    def conv_weight_gradient(self, dy: Array, x: Array, windows: tuple[int, ...], dweight: Array) -> None:
        """dweight ← the gradient of the kernel."""
        type, p = _type("dy", dy), _conv("x dy dweight", x, dy, dweight, windows)
        _check("conv", C.tf_conv_weight_gradient(
            type, p, _windows("dy", dy, type, p), _pictures("x", x, type, p),
            _kernel("dweight", dweight, type, p, True)))

    def max_pool_forward(self, x: Array, kh: int, kw: int, windows: tuple[int, ...], y: Array, indices: Array) -> None:
        """y ← the maximum of each window, indices ← where it lies."""
        type, p = _type("x", x), _pool("x y", x, y, kh, kw, 1, windows)
        _check("max_pool", C.tf_max_pool_forward(
            type, p, _pictures("x", x, type, p), _windows("y", y, type, p, True),
            _indices("indices", indices, (p.N, p.C, p.P, p.Q), True)))

    def max_pool_backward(self, dy: Array, indices: Array, dx: Array) -> None:
        """dx ← the gradient of each window, at its pixel."""
        type, p = _type("dy", dy), _pool("dx dy", dx, dy, 1, 1, 1, (1, 1, 0, 0, 1, 1))
        _check("max_pool", C.tf_max_pool_backward(
            type, p, _windows("dy", dy, type, p), _indices("indices", indices, (p.N, p.C, p.P, p.Q)),
            _pictures("dx", dx, type, p, True)))

    def lstm_forward(self, gates: Array, weight: Array, lengths: Array | None, reverse: bool, h: Array,
                     c: Array) -> None:
        """h, c ← the states of an LSTM; gates, on entry the input's share, ← the gates after σ and tanh."""
        type, (p, T, B, H) = _type("gates", gates), _lstm(gates, lengths, reverse)
        _check("lstm", C.tf_lstm_forward(
            type, p, _whole("weight", weight, type, (4 * H, H)), _whole("gates", gates, type, (T, B, 4 * H), True),
            _whole("h", h, type, (T + 1, B, H), True), _whole("c", c, type, (T + 1, B, H), True)))

    def lstm_backward(self, gates: Array, c: Array, weight: Array, lengths: Array | None, reverse: bool, dy: Array,
                      da: Array, dh: Array, dc: Array) -> None:
        """da ← the gradient of the input's share; dh, dc ← those of the initial states, on entry those of the last."""
        type, (p, T, B, H) = _type("gates", gates), _lstm(gates, lengths, reverse)
        _check("lstm", C.tf_lstm_backward(
            type, p, _whole("weight", weight, type, (4 * H, H)), _whole("gates", gates, type, (T, B, 4 * H)),
            _whole("c", c, type, (T + 1, B, H)), _whole("dy", dy, type, (T, B, H)),
            _whole("da", da, type, (T, B, 4 * H), True),
            _whole("dh", dh, type, (B, H), True), _whole("dc", dc, type, (B, H), True)))

    def block_step(self, x: Array, keys: Array, values: Array, past: int, weights: Sequence[Any],
                   eps: float, pasts: Array | None = None) -> None:
        """x ← one Transformer layer at one new position; keys and values get that position's entries."""
        type, (B, C_) = _type("x", x), _matrix("x", x)
        if _array("keys", keys).ndim != 4 or len(weights) != 12:
            raise ValueError("keys do not have four axes, or there are not twelve weights")
        (_, H, room, D), F = keys.shape, len(_array("fc", weights[8]))
        _expect("x", x, (B, H * D))
        shapes = {"norm1": (C_,), "norm1's bias": (C_,), "qkv": (3 * C_, C_), "qkv's bias": (3 * C_,), "proj": (C_, C_),
                  "proj's bias": (C_,), "norm2": (C_,), "norm2's bias": (C_,), "fc": (F, C_), "fc's bias": (F,),
                  "out": (C_, F), "out's bias": (C_,)}
        pointers = (_whole(name, weight, type, shape) for weight, (name, shape) in zip(weights, shapes.items()))
        each = ffi.NULL if pasts is None else _indices("pasts", pasts, B)
        p = ffi.new(BLOCK, (B, H, D, F, room, past, each, eps, *pointers))
        _check("block_step", C.tf_block_step(
            type, p, _whole("keys", keys, type, (B, H, room, D), True),
            _whole("values", values, type, (B, H, room, D), True), _whole("x", x, type, (B, C_), True)))

    def adamw(self, parameters: Sequence[tuple[Any, ...]]) -> None:
        """One step of AdamW in place, for parameters of one type."""
        if not parameters:
            return
        type, each = _type("theta", parameters[0][0]), ffi.new(PARAMETERS, len(parameters))
        for entry, (theta, gradient, m, v, *numbers) in zip(each, parameters):
            for name, array in (("gradient", gradient), ("m", m), ("v", v)):
                if _array(name, array).size != _array("theta", theta).size or not array.flags.c_contiguous:
                    raise ValueError(f"{name} is not laid out as theta")
            entry.size = theta.size
            entry.theta, entry.m, entry.v = (_whole(name, a, type, a.shape, True)
                                             for name, a in (("theta", theta), ("m", m), ("v", v)))
            entry.gradient = _whole("gradient", gradient, type, gradient.shape)
            (entry.lr, entry.decay, entry.beta1, entry.beta2, entry.eps, entry.correction1, entry.correction2) = numbers
        _check("adamw", C.tf_adamw(type, len(parameters), each))

    def sum_of_squares(self, arrays: Sequence[Array]) -> float:
        """Σ x² over all entries of arrays of one type."""
        if not arrays:
            return 0.0
        type, result = _type("arrays[0]", arrays[0]), ffi.new(DOUBLE)
        pointers = ffi.new(VOIDS, [_whole(name, a, type, _array(name, a).shape)
                                        for name, a in ((f"arrays[{i}]", a) for i, a in enumerate(arrays))])
        _check("sum_of_squares", C.tf_sum_of_squares(type, len(arrays), pointers, [a.size for a in arrays], result))
        return result[0]


# ------------------------------------------------------------------------------------------------ arguments

def _text(chars):
    return ffi.string(chars).decode()


def _check(what, code, library=C):
    if code == C.TF_NO_MEMORY:
        raise MemoryError
    if code:
        raise (ValueError if code > C.TF_CUDA else RuntimeError)(f"{what}: {_text(library.tf_message(code))}")


def _array(name, a):
    """``a``, which must be an array: a list would become a temporary array, freed before the kernel reads it."""
    if not isinstance(a, np.ndarray):
        raise TypeError(f"{name} is a {type(a).__name__}, expected a NumPy array")
    return a


def _type(name, a):
    if _array(name, a).dtype not in TYPES:
        raise TypeError(f"{name} is {a.dtype}, expected float32 or float64 in native byte order")
    return TYPES[a.dtype]


def _pointer(name, a, type, written=False):
    if _type(name, a) != type:
        raise TypeError(f"{name} is {a.dtype}, expected the type of the first argument")
    if not a.flags.aligned:
        raise ValueError(f"{name} is not aligned to its entries")
    if written and not a.flags.writeable:
        raise ValueError(f"{name} is read-only")
    return ffi.cast(VOID, a.__array_interface__["data"][0])


def _expect(name, a, shape):
    if _array(name, a).shape != shape:
        raise ValueError(f"{name} has shape {a.shape}, expected {shape}")


def _expect_contiguous(name, a):
    if not a.flags.c_contiguous:
        raise ValueError(f"{name} is not contiguous")


def _sizes(q, k, v, scale, is_causal):
    if not _array("q", q).ndim == _array("k", k).ndim == _array("v", v).ndim == 4:
        raise ValueError("q, k and v do not have four axes")
    (B, H, T, D), (_, G, S, _), E = q.shape, k.shape, v.shape[3]
    _expect("k", k, (B, G, S, D))
    _expect("v", v, (B, G, S, E))
    return ffi.new(ATTENTION, (B, H, G, T, S, D, E, scale, is_causal))


def _tensor4(name, a, type, shape=None, written=False):
    if a is None:
        return ffi.NULL
    if shape is not None:
        _expect(name, a, shape)
    return ffi.new(TENSOR4, (_pointer(name, a, type, written), [step // a.itemsize for step in a.strides]))


def _row_sums(a, type, L):
    _expect("L", L, (2, a.B, a.H, a.T))
    _expect_contiguous("L", L)
    return _pointer("L", L, type, True)


def _lstm(gates, lengths, reverse):
    if _array("gates", gates).ndim != 3 or gates.shape[2] % 4:
        raise ValueError("gates do not have the shape (T, B, 4H)")
    T, B, H = gates.shape[0], gates.shape[1], gates.shape[2] // 4
    return ffi.new(LSTM, (T, B, H, ffi.NULL if lengths is None else _indices("lengths", lengths, B), reverse)), T, B, H


def _matrix(name, a):
    if _array(name, a).ndim != 2:
        raise ValueError(f"{name} does not have two axes")
    return a.shape


def _whole(name, a, type, shape, written=False):
    if a is None:
        return ffi.NULL
    _expect(name, a, shape)
    _expect_contiguous(name, a)
    return _pointer(name, a, type, written)


def _pool(names, x, y, kh, kw, groups, windows):
    """The geometry, from pictures ``x`` and windows ``y`` of these ``names``."""
    if not [_array(*named).ndim for named in zip(names.split(), (x, y))] == [4, 4] or len(windows) != 6:
        raise ValueError("pictures do not have four axes, or windows six numbers")
    if len(x) != len(y):
        raise ValueError("the arrays hold different numbers of pictures")
    return ffi.new(CONV, (*x.shape, *y.shape[1:], kh, kw, groups, *(windows[i:i + 2] for i in (0, 2, 4))))


def _conv(names, x, y, weight, windows):
    *names, kernel = names.split()
    if _array(kernel, weight).ndim != 4:
        raise ValueError("weight does not have four axes")
    _, each, kh, kw = weight.shape
    channels = x.shape[1] if _array(names[0], x).ndim == 4 else 0
    groups = channels // each if 0 < each < channels else 1                  # never 0: _kernel divides by it
    return _pool(" ".join(names), x, y, kh, kw, groups, windows)


def _pictures(name, a, type, p, written=False):
    return _whole(name, a, type, (p.N, p.C, p.H, p.W), written)


def _windows(name, a, type, p, written=False):
    return _whole(name, a, type, (p.N, p.O, p.P, p.Q), written)


def _kernel(name, a, type, p, written=False):
    return _whole(name, a, type, (p.O, p.C // p.groups, p.kh, p.kw), written)


def _indices(name, a, shape, written=False):
    _expect(name, a, shape if isinstance(shape, tuple) else (shape,))
    if written and not a.flags.writeable:
        raise ValueError(f"{name} is read-only")
    if a.dtype != np.int64:
        raise TypeError(f"{name} is {a.dtype}, expected int64")
    _expect_contiguous(name, a)
    return ffi.cast(INT64, a.__array_interface__["data"][0])


library = Library()
globals().update(functions(library))
