"""PyTorch's operations, as its dispatcher names them, in NumPy: each as the formula that its documentation gives.

``STEPS`` maps a name, without its overload, to a function of arrays with the operation's own arguments. Operations
whose results are integers or booleans, and those that no recorded array enters, need no entry: they are constants.
"""

from __future__ import annotations

import numpy as np


def axes_of(dim):
    """PyTorch's ``dim`` as NumPy's ``axis``."""
    return None if dim is None or isinstance(dim, (list, tuple)) and not dim else \
        tuple(dim) if isinstance(dim, (list, tuple)) else dim


def _scaled(y, alpha):
    return y if alpha == 1 else alpha * y


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _softmax(x, dim, *_):
    e = np.exp(x - np.max(x, axis=dim, keepdims=True))
    return e / np.sum(e, axis=dim, keepdims=True)


def _log_softmax(x, dim, *_):
    shifted = x - np.max(x, axis=dim, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=dim, keepdims=True))


def _logsumexp(x, dim, keepdim=False):
    axis = axes_of(dim)
    top = np.max(x, axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdim else np.squeeze(total, axis=axis)


def _mean(x, dim=None, keepdim=False, **_):
    return np.mean(x, axis=axes_of(dim), keepdims=keepdim)


def _sum(x, dim=None, keepdim=False, **_):
    return np.sum(x, axis=axes_of(dim), keepdims=keepdim)


def _variance(x, dim=None, unbiased=True, keepdim=False, correction=None, **_):
    axis = axes_of(dim)
    ddof = correction if correction is not None else 1 if unbiased is True else 0
    return np.var(x, axis=axis, keepdims=keepdim, ddof=int(ddof))


def _norm(x, p=2, dim=None, keepdim=False, **_):
    axis = axes_of(dim)
    if p in (2, None):
        return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdim))
    if p == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdim)
    if p == float("inf"):
        return np.max(np.abs(x), axis=axis, keepdims=keepdim)
    return np.sum(np.abs(x) ** p, axis=axis, keepdims=keepdim) ** (1 / p)


def _layer_norm(x, shape, weight=None, bias=None, eps=1e-5):
    axis = tuple(range(-len(shape), 0))
    centered = x - np.mean(x, axis=axis, keepdims=True)
    y = centered / np.sqrt(np.mean(centered * centered, axis=axis, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _batch_norm(x, weight, bias, mean, variance, training, momentum, eps):
    axis = (0, *range(2, x.ndim))

    def along(v):
        return np.reshape(v, (1, -1, *(1,) * (x.ndim - 2)))
    if training:
        centered = x - np.mean(x, axis=axis, keepdims=True)
        y = centered / np.sqrt(np.mean(centered * centered, axis=axis, keepdims=True) + eps)
    else:
        y = (x - along(mean)) / np.sqrt(along(variance) + eps)
    y = y if weight is None else y * along(weight)
    return y if bias is None else y + along(bias)


def _group_norm(x, weight, bias, n, c, hw, groups, eps):
    y = np.reshape(x, (n, groups, -1))
    centered = y - np.mean(y, axis=-1, keepdims=True)
    y = np.reshape(centered / np.sqrt(np.mean(centered * centered, axis=-1, keepdims=True) + eps), x.shape)
    shape = (1, c, *(1,) * (x.ndim - 2))
    y = y if weight is None else y * np.reshape(weight, shape)
    return y if bias is None else y + np.reshape(bias, shape)


def _rms_norm(x, shape, weight=None, eps=None):
    axis = tuple(range(-len(shape), 0))
    y = x / np.sqrt(np.mean(x * x, axis=axis, keepdims=True) + (np.finfo(x.dtype).eps if eps is None else eps))
    return y if weight is None else y * weight


def _reduced(x, reduction):
    return x if reduction == 0 else np.mean(x) if reduction == 1 else np.sum(x)     # none, mean, sum


def _nll(x, target, weight=None, reduction=1, ignore_index=-100):
    kept = target != ignore_index
    rows = np.where(kept, target, 0)
    picked = np.take_along_axis(x, rows[:, None], 1)[:, 0] if x.ndim == 2 else x[rows]
    w = (np.ones(x.shape[-1]) if weight is None else weight)[rows] * kept
    loss = -picked * w
    return loss if reduction == 0 else np.sum(loss) / (np.sum(w) if reduction == 1 else 1)


def _bce(x, t, weight=None, reduction=1):
    loss = -(t * np.log(x) + (1 - t) * np.log(1 - x))
    return _reduced(loss if weight is None else loss * weight, reduction)


def _bce_with_logits(x, t, weight=None, pos_weight=None, reduction=1):
    w = 1 if pos_weight is None else 1 + (pos_weight - 1) * t
    loss = (1 - t) * x + w * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0))
    return _reduced(loss if weight is None else loss * weight, reduction)


def _smooth_l1(x, t, reduction=1, beta=1.0):
    d = np.abs(x - t)
    return _reduced(np.where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta), reduction)


def _huber(x, t, reduction=1, delta=1.0):
    d = np.abs(x - t)
    return _reduced(np.where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta)), reduction)



def _gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + _erf(x / np.sqrt(2)))


def _erf(x):
    from scipy.special import erf                           # an ImportError means: not translated
    return erf(x)


def _clamp(x, low=None, high=None):
    y = x if low is None else np.maximum(x, low)
    return y if high is None else np.minimum(y, high)


def _elu(x, alpha=1.0, scale=1.0, input_scale=1.0):
    return scale * np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0) * input_scale) - 1))


def _softplus(x, beta=1, threshold=20):
    return np.where(beta * x > threshold, x, np.log1p(np.exp(beta * np.minimum(x, threshold / beta))) / beta)


def _pow(x, y):
    return x * x if isinstance(y, (int, float)) and y == 2 else x ** y


def _divided(x, y, rounding_mode=None):
    if rounding_mode is not None:
        raise NotImplementedError("division with rounding")
    return x / y


def _indexed(x, indices):
    return x[tuple(slice(None) if i is None else i for i in indices)]


def _padded(x, pad, value=0.0):
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    return np.pad(x, widths, constant_values=value)


def _attention(q, k, v, mask=None, dropout=0.0, is_causal=False, *_, scale=None, **__):
    scores = np.matmul(q, np.swapaxes(k, -1, -2)) * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    return np.matmul(_softmax(scores, -1), v)


def _where(condition, x, y):
    return np.where(condition, x, y)


def _std(*args, **options):
    return np.sqrt(_variance(*args, **options))


def _along(x, dim, index):
    return np.take_along_axis(x, index, dim)


STEPS = {
    # arithmetic
    "add": lambda x, y, alpha=1: x + _scaled(y, alpha), "sub": lambda x, y, alpha=1: x - _scaled(y, alpha),
    "rsub": lambda x, y, alpha=1: y - _scaled(x, alpha), "mul": lambda x, y: x * y, "div": _divided,
    "neg": lambda x: -x, "reciprocal": lambda x: 1 / x, "pow": _pow, "square": lambda x: x * x,
    "abs": np.abs, "exp": np.exp, "exp2": lambda x: np.exp(x * np.log(2)), "expm1": np.expm1, "log": np.log,
    "log1p": np.log1p, "log2": np.log2, "log10": lambda x: np.log(x) / np.log(10), "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x), "sin": np.sin, "cos": np.cos, "tan": lambda x: np.sin(x) / np.cos(x),
    "tanh": np.tanh, "sigmoid": _sigmoid, "erf": _erf, "sinh": lambda x: (np.exp(x) - np.exp(-x)) / 2,
    "cosh": lambda x: (np.exp(x) + np.exp(-x)) / 2, "atan": np.arctan, "arctan": np.arctan,
    "maximum": np.maximum, "minimum": np.minimum, "where": _where, "lerp": lambda x, y, w: x + w * (y - x),
    "clamp": _clamp, "clamp_min": np.maximum, "clamp_max": np.minimum, "hardtanh": lambda x, a=-1, b=1: _clamp(x, a, b),
    "addcmul": lambda x, a, b, value=1: x + value * a * b, "addcdiv": lambda x, a, b, value=1: x + value * a / b,
    "xlogy": lambda x, y: x * np.log(y), "logaddexp": np.logaddexp, "clone": lambda x, **_: x * 1.0,
    "masked_fill": lambda x, m, value: np.where(m, value, x), "relu6": lambda x: _clamp(x, 0, 6),
    # activations
    "relu": lambda x: np.maximum(x, 0), "leaky_relu": lambda x, slope=0.01: np.where(x > 0, x, slope * x),
    "silu": lambda x: x * _sigmoid(x), "gelu": _gelu, "elu": _elu, "softplus": _softplus,
    "log_sigmoid_forward": lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))),
    "hardsigmoid": lambda x: _clamp(x / 6 + 0.5, 0, 1), "hardswish": lambda x: x * _clamp(x / 6 + 0.5, 0, 1),
    "mish": lambda x: x * np.tanh(_softplus(x)), "prelu": lambda x, w: np.where(x > 0, x, w * x),
    "_prelu_kernel": lambda x, w: np.where(x > 0, x, w * x), "threshold": lambda x, t, v: np.where(x > t, x, v),
    "glu": lambda x, dim=-1: np.split(x, 2, axis=dim)[0] * _sigmoid(np.split(x, 2, axis=dim)[1]),
    "_softmax": _softmax, "_safe_softmax": lambda x, dim, **_: _softmax(x, dim), "_log_softmax": _log_softmax,
    # reductions
    "sum": _sum, "mean": _mean, "var": _variance, "std": _std, "logsumexp": _logsumexp,
    "amax": lambda x, dim=(), keepdim=False: np.max(x, axis=axes_of(dim), keepdims=keepdim),
    "amin": lambda x, dim=(), keepdim=False: np.min(x, axis=axes_of(dim), keepdims=keepdim),
    "max": lambda x, dim=None, keepdim=False: np.max(x, axis=dim, keepdims=keepdim),
    "min": lambda x, dim=None, keepdim=False: np.min(x, axis=dim, keepdims=keepdim),
    "prod": lambda x, dim=None, keepdim=False, **_: np.prod(x, axis=dim, keepdims=keepdim),
    "cumsum": lambda x, dim, **_: np.cumsum(x, axis=dim), "cumprod": lambda x, dim, **_: np.cumprod(x, axis=dim),
    "linalg_vector_norm": _norm, "norm": _norm,
    "var_mean": lambda x, *a, **k: (_variance(x, *a, **k), _mean(x, *a[:1], keepdim=k.get("keepdim", False))),
    # products
    "mm": np.matmul, "bmm": np.matmul, "mv": np.matmul, "dot": np.matmul, "matmul": np.matmul,
    "addmm": lambda b, x, y, beta=1, alpha=1: _scaled(b, beta) + _scaled(np.matmul(x, y), alpha),
    "baddbmm": lambda b, x, y, beta=1, alpha=1: _scaled(b, beta) + _scaled(np.matmul(x, y), alpha),
    "linear": lambda x, w, b=None: np.matmul(x, np.swapaxes(w, -1, -2)) + (0 if b is None else b),
    "_scaled_dot_product_flash_attention_for_cpu": lambda q, k, v, p=0.0, causal=False, attn_mask=None, scale=None:
        _attention(q, k, v, attn_mask, p, causal, scale=scale),
    # normalization
    "native_layer_norm": _layer_norm, "native_batch_norm": _batch_norm, "native_group_norm": _group_norm,
    "_fused_rms_norm": _rms_norm,
    # losses
    "mse_loss": lambda x, t, reduction=1: _reduced((x - t) * (x - t), reduction), "nll_loss_forward": _nll,
    "binary_cross_entropy": _bce, "binary_cross_entropy_with_logits": _bce_with_logits,
    "smooth_l1_loss": _smooth_l1, "huber_loss": _huber,
    # entries
    "index": _indexed, "gather": _along, "embedding": lambda w, i, *_: w[i], "cat": lambda xs, dim=0: np.concatenate(
        [x for x in xs if np.shape(x) != (0,)], axis=dim), "stack": lambda xs, dim=0: np.stack(xs, axis=dim),
    "index_select": lambda x, dim, i: np.take(x, i, axis=dim), "constant_pad_nd": _padded,
    "triu": lambda x, k=0: x * np.triu(np.ones(x.shape), k), "tril": lambda x, k=0: x * np.tril(np.ones(x.shape), k),
}

# Operations that only move entries and are no views. They run as they are, on the numbers of the entries.
MOVES = {"flip", "roll", "repeat", "rot90", "repeat_interleave", "im2col", "take", "_unsafe_view",
         "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d", "pixel_shuffle"}

# Operations that select entries along an axis and also return their indices.
SELECTS = {"sort", "topk", "kthvalue", "median", "mode", "cummax", "cummin"}

# Results with the shape and the entries of an argument.
SAME = {"detach", "alias", "lift_fresh", "lift", "_to_copy", "to", "contiguous", "view_of"}

# New arrays, of which an argument gives the shape alone.
CREATES = {f"{name}_like" for name in ("zeros", "ones", "full", "empty", "rand", "randn")} | {
    f"new_{name}" for name in ("zeros", "ones", "full", "empty")}
