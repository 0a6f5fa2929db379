"""The same operations composed of simpler ones and differentiated by the engine alone.

They are the oracle for the gradients derived by hand. They are slower and keep more memory, and some overflow where the
derived form does not. No model uses them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..names import module_attributes
from .activations import relu, softmax as derived_softmax, tanh
from .arithmetic import abs, exp, log, sqrt, where
from .products import einsum, matmul
from .reductions import max, mean, sum
from .shapes import broadcast_to, concatenate, flip, pad, reshape, stack, transpose

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..autograd import Tensor
    from ..typing import Array, Axis

__all__ = ["avg_pool2d", "batch_norm", "binary_cross_entropy_with_logits", "contrastive_loss", "conv2d",
           "conv_transpose2d", "cross_entropy", "embedding", "gaussian_kl", "gelu_tanh", "grid_sample", "group_norm",
           "gru", "layer_norm", "linear", "log_softmax", "lstm", "max_pool2d", "mse_loss", "normalize", "reparametrize",
           "residual_self_attention", "rms_norm", "rnn", "rotary", "scaled_dot_product_attention", "sigmoid", "silu",
           "softmax", "softplus", "squared_distances", "std"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def std(x: Tensor, axis: Axis = None, correction: int = 1) -> Tensor:
    """√(Σ (x − mean x)² / (n − correction))."""
    centered = x - mean(x, axis=axis, keepdims=True)
    count = x.size // mean(x, axis=axis).size
    return sqrt(sum(centered * centered, axis=axis) / (count - correction))


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e⁻ˣ)."""
    return 1 / (1 + exp(-x))


def silu(x: Tensor) -> Tensor:
    """x σ(x)."""
    return x * sigmoid(x)


def softplus(x: Tensor) -> Tensor:
    """ln(1 + eˣ)."""
    return log(1 + exp(x))


def gelu_tanh(x: Tensor) -> Tensor:
    """x (1 + tanh(√(2/π) (x + 0.044715 x³)))/2."""
    return x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))) / 2


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """e^{x − max x} / Σ e^{x − max x}."""
    e = exp(x - max(x, axis=axis, keepdims=True).detach())
    return e / sum(e, axis=axis, keepdims=True)


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """x − max x − ln Σ e^{x − max x}."""
    shifted = x - max(x, axis=axis, keepdims=True).detach()
    return shifted - log(sum(exp(shifted), axis=axis, keepdims=True))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b."""
    y = x @ transpose(weight)
    return y if bias is None else y + bias


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """γ (x − μ)/√(σ² + ε) + β."""
    centered = x - mean(x, axis=-1, keepdims=True)
    return weight * (centered / sqrt(mean(centered * centered, axis=-1, keepdims=True) + eps)) + bias


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """γ x/√(mean x² + ε)."""
    return weight * (x / sqrt(mean(x * x, axis=-1, keepdims=True) + eps))


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """γ (x − μ)/√(σ² + ε) + β over the examples. x (N, C)."""
    centered = x - mean(x, axis=0)
    return weight * (centered / sqrt(mean(centered * centered, axis=0) + eps)) + bias


def group_norm(x: Tensor, weight: Tensor, bias: Tensor, num_groups: int, eps: float = 1e-5) -> Tensor:
    """γ (x − μ)/√(σ² + ε) + β over groups of channels. x (N, C, …)."""
    rows = reshape(x, shape=(len(x), num_groups, -1))
    centered = rows - mean(rows, axis=2, keepdims=True)
    xhat = centered / sqrt(mean(centered * centered, axis=2, keepdims=True) + eps)
    column = (-1, *(1,) * (x.ndim - 2))
    return reshape(xhat, shape=x.shape) * reshape(weight, shape=column) + reshape(bias, shape=column)


# ------------------------------------------------------------------------------------------------ pictures

def conv2d(x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1, padding: int = 0, dilation: int = 1,
           groups: int = 1) -> Tensor:
    """Σ W ⊙ patch + b, group by group. x (N, C, H, W), weight (O, C/groups, kh, kw)."""
    O, _, kh, kw = weight.shape
    patches = _patches(x, (kh, kw), stride, padding, dilation, 0.0)                 # (N, C, H′, W′, kh, kw)
    N, C, rows, columns = patches.shape[:4]
    patches = reshape(patches.transpose(0, 2, 3, 1, 4, 5), shape=(N * rows * columns, groups, C // groups * kh * kw))
    W = reshape(weight, shape=(groups, O // groups, C // groups * kh * kw))
    y = matmul(patches.transpose(1, 0, 2), W.transpose(0, 2, 1))                    # (groups, N·H′·W′, O/groups)
    return reshape(y.transpose(1, 0, 2), shape=(N, rows, columns, O)).transpose(0, 3, 1, 2) + reshape(
        bias, shape=(O, 1, 1))


def conv_transpose2d(x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1, padding: int = 0, groups: int = 1,
                     dilation: int = 1) -> Tensor:
    """A convolution with W turned around, of x with stride − 1 zeros after each pixel. weight (C, O/groups, kh, kw)."""
    N, C, H, W = x.shape
    _, O, kh, kw = weight.shape
    none, gap = (0, 0), (0, stride - 1)
    spread = pad(reshape(x, shape=(N, C, H, 1, W, 1)), widths=(none, none, none, gap, none, gap))
    spread = reshape(spread, shape=(N, C, H * stride, W * stride))[:, :, :H * stride - gap[1], :W * stride - gap[1]]
    spread = pad(spread, widths=(none, none, *((dilation * (k - 1),) * 2 for k in (kh, kw))))
    turned = reshape(flip(weight, axis=(2, 3)), shape=(groups, C // groups, O, kh, kw)).transpose(0, 2, 1, 3, 4)
    y = conv2d(spread, reshape(turned, shape=(groups * O, C // groups, kh, kw)), bias, dilation=dilation, groups=groups)
    return y[:, :, padding:y.shape[2] - padding, padding:y.shape[3] - padding]


def max_pool2d(x: Tensor, kernel_size: int, stride: int, padding: int = 0, dilation: int = 1) -> Tensor:
    """The maximum over the axes of each patch, where padding is −∞."""
    return max(_patches(x, (kernel_size,) * 2, stride, padding, dilation, -np.inf), axis=(4, 5))


def avg_pool2d(x: Tensor, kernel_size: int, stride: int, padding: int = 0) -> Tensor:
    """The mean over the axes of each patch, where padding is 0."""
    return mean(_patches(x, (kernel_size,) * 2, stride, padding, 1, 0.0), axis=(4, 5))


def _patches(x: Tensor, kernel: tuple[int, int], stride: int, padding: int, dilation: int, value: float) -> Tensor:
    """Every patch of the padded x, looked up by its indices: (N, C, H′, W′, kh, kw)."""
    x = pad(x, widths=((0, 0), (0, 0), (padding, padding), (padding, padding)), value=value)
    places = []
    for n, k in zip(x.shape[2:], kernel):
        first = np.arange(0, n - dilation * (k - 1), stride)
        places.append(first[:, None] + dilation * np.arange(k))                     # (H′, kh), (W′, kw)
    return x[:, :, places[0][:, None, :, None], places[1][None, :, None, :]]


def embedding(indices: Array, weight: Tensor) -> Tensor:
    """One-hot rows times the table of weights."""
    return np.eye(len(weight))[indices] @ weight


def rotary(x: Tensor, cos: Array, sin: Array) -> Tensor:
    """[x₁, x₂] ⊙ cos + [−x₂, x₁] ⊙ sin."""
    half = x.shape[-1] // 2
    turned = concatenate(-x[..., half:], x[..., :half], axis=-1)
    return x * np.concatenate([cos, cos], -1) + turned * np.concatenate([sin, sin], -1)


def scaled_dot_product_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | Array | None = None,
                                 is_causal: bool = False, scale: float | None = None) -> Tensor:
    """softmax(q kᵀ/√D + mask) v with grouped heads repeated. q (…, H, T, D), k and v (…, G, S, D)."""
    group = q.shape[-3] // k.shape[-3]
    k, v = _repeat_heads(k, group), _repeat_heads(v, group)
    scores = matmul(q, k.swapaxes(-1, -2)) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        scores = where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if mask is not None:
        scores = scores + mask if mask.dtype != bool else where(mask, scores, -np.inf)
    return matmul(derived_softmax(scores), v)


def residual_self_attention(h: Tensor, Wq: Tensor, Wk: Tensor, Wv: Tensor) -> Tensor:
    """h + softmax((h W_Qᵀ) (h W_Kᵀ)ᵀ) h W_Vᵀ."""
    q, k, v = (h @ transpose(W) for W in (Wq, Wk, Wv))
    return h + softmax(q @ k.swapaxes(-1, -2)) @ v


def _repeat_heads(x: Tensor, group: int) -> Tensor:
    """(…, G, S, D) → (…, G·group, S, D), each head ``group`` times in a row."""
    *lead, G, S, D = x.shape
    repeated = broadcast_to(reshape(x, shape=(*lead, G, 1, S, D)), shape=(*lead, G, group, S, D))
    return reshape(repeated, shape=(*lead, G * group, S, D))


def mse_loss(x: Tensor, target: Tensor | Array) -> Tensor:
    """mean (x − t)²."""
    return mean((x - target) ** 2)


def cross_entropy(logits: Tensor, targets: Array, label_smoothing: float = 0.0) -> Tensor:
    """−mean Σ t ln p. logits (N, V)."""
    N, V = logits.shape
    t = (1 - label_smoothing) * np.eye(V)[targets] + label_smoothing / V
    return -sum(log_softmax(logits) * t) / N


def binary_cross_entropy_with_logits(x: Tensor, target: Tensor | Array) -> Tensor:
    """−mean (t ln σ(x) + (1 − t) ln(1 − σ(x)))."""
    p = sigmoid(x)
    return -mean(target * log(p) + (1 - target) * log(1 - p))


def normalize(x: Tensor, axis: int = -1) -> Tensor:
    """x / √(Σ x²)."""
    return x / sqrt(sum(x * x, axis=axis, keepdims=True))


def squared_distances(x: Tensor, c: Tensor) -> Tensor:
    """Σ (x_n − c_k)²."""
    return sum((reshape(x, shape=(len(x), 1, -1)) - c) ** 2, axis=2)


def contrastive_loss(a: Tensor, b: Tensor, logit_scale: Tensor, within: bool = False) -> Tensor:
    """−½ mean (the logarithms of both softmaxes at the partners)."""
    N, scale = len(a), exp(logit_scale)
    rows = scale * (a @ transpose(b))                                           # (N, N)
    logits, targets = (rows, transpose(rows)), np.eye(N)
    if within:
        others = [where(np.eye(N, dtype=bool), -np.inf, scale * (z @ transpose(z))) for z in (a, b)]
        logits = [concatenate(pair, other, axis=1) for pair, other in zip(logits, others)]
    rows, columns = (sum(log_softmax(pair)[:, :N] * targets) for pair in logits)
    return -(rows + columns) / (2 * N)


def grid_sample(x: Tensor, grid: Tensor) -> Tensor:
    """Σ over all pixels of x · max(0, 1 − |row − row of the pixel|) · max(0, 1 − |column − column of the pixel|)."""
    near = [relu(1 - abs(reshape(grid[..., i] * (length / 2) + (length - 1) / 2, shape=(*grid.shape[:3], 1))
                         - np.arange(length))) for i, length in ((0, x.shape[3]), (1, x.shape[2]))]
    return einsum("nchw,nijh,nijw->ncij", x, near[1], near[0])


def gaussian_kl(mean: Tensor, log_variance: Tensor, other_mean: Tensor | None = None,
                other_log_variance: Tensor | None = None) -> Tensor:
    """½ Σ (e^{λ−l} + (μ − m)² e^{−l} − 1 − λ + l) over the last axis."""
    m, l = (0.0, 0.0) if other_mean is None else (other_mean, other_log_variance)
    scaled = (mean - m) ** 2 / (exp(l) if other_mean is not None else 1.0)
    return 0.5 * sum(exp(log_variance - l) + scaled - 1 - log_variance + l, axis=-1)


def reparametrize(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """μ + √(e^λ) ε."""
    return mean + sqrt(exp(log_variance)) * noise


def rnn(x: Tensor, h0: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor,
        nonlinearity: str = "tanh", lengths: ArrayLike | None = None, reverse: bool = False) -> tuple[Tensor, ...]:
    """h ← φ(x_t Wᵢᵀ + bᵢ + h Wₕᵀ + bₕ), step by step."""
    phi = {"tanh": tanh, "relu": relu}[nonlinearity]

    def step(x_t, h):
        return [phi(linear(x_t, weight_ih, bias_ih) + linear(h, weight_hh, bias_hh))]

    return _through_time(step, x, [h0], lengths, reverse)


def gru(x: Tensor, h0: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor,
        lengths: ArrayLike | None = None, reverse: bool = False) -> tuple[Tensor, ...]:
    """h ← (1 − z) n + z h, step by step."""
    H = h0.shape[1]

    def step(x_t, h):
        a, u = linear(x_t, weight_ih, bias_ih), linear(h, weight_hh, bias_hh)
        r, z = sigmoid(a[:, :H] + u[:, :H]), sigmoid(a[:, H:2 * H] + u[:, H:2 * H])
        n = tanh(a[:, 2 * H:] + r * u[:, 2 * H:])
        return [(1 - z) * n + z * h]

    return _through_time(step, x, [h0], lengths, reverse)


def lstm(x: Tensor, h0: Tensor, c0: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor,
         lengths: ArrayLike | None = None, reverse: bool = False) -> tuple[Tensor, ...]:
    """c ← f c + i g, h ← o tanh c, step by step."""
    H = h0.shape[1]

    def step(x_t, h, c):
        gates = linear(x_t, weight_ih, bias_ih) + linear(h, weight_hh, bias_hh)
        i, f, g, o = (gates[:, k * H:(k + 1) * H] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return [sigmoid(o) * tanh(c), c]

    return _through_time(step, x, [h0, c0], lengths, reverse)


def _through_time(step, x, state, lengths, reverse):
    """(y, *last state): the state changes only in sequences that have not ended; y is 0 in the others."""
    T = len(x)
    y = [None] * T
    for t in reversed(range(T)) if reverse else range(T):
        new = step(x[t], *state)
        going = np.array(True) if lengths is None else (t < np.asarray(lengths))[:, None]
        state = [where(going, after, before) for after, before in zip(new, state)]
        y[t] = where(going, new[0], 0.0)
    return stack(y), *state
