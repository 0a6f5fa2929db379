"""The same operations out of simpler ones, differentiated by the engine alone: the oracle of those derived by hand.

They are slower and keep more, and some overflow where the derived form does not; no model uses them.
"""

from __future__ import annotations

import math

import numpy as np

from .activations import softmax as derived_softmax, tanh
from .arithmetic import exp, log, sqrt, where
from .products import matmul
from .reductions import max, mean, sum
from .shapes import broadcast_to, concatenate, reshape, transpose


def sigmoid(x):
    """1 / (1 + e⁻ˣ)."""
    return 1 / (1 + exp(-x))


def silu(x):
    """x σ(x)."""
    return x * sigmoid(x)


def softplus(x):
    """ln(1 + eˣ)."""
    return log(1 + exp(x))


def gelu_tanh(x):
    """x (1 + tanh(√(2/π) (x + 0.044715 x³)))/2."""
    return x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))) / 2


def softmax(x, axis=-1):
    """e^{x − max x} / Σ e^{x − max x}."""
    e = exp(x - max(x, axis=axis, keepdims=True).detach())
    return e / sum(e, axis=axis, keepdims=True)


def log_softmax(x, axis=-1):
    """x − max x − ln Σ e^{x − max x}."""
    shifted = x - max(x, axis=axis, keepdims=True).detach()
    return shifted - log(sum(exp(shifted), axis=axis, keepdims=True))


def linear(x, weight, bias=None):
    """x Wᵀ + b."""
    y = x @ transpose(weight)
    return y if bias is None else y + bias


def layer_norm(x, weight, bias, eps=1e-5):
    """γ (x − μ)/√(σ² + ε) + β."""
    centred = x - mean(x, axis=-1, keepdims=True)
    return weight * (centred / sqrt(mean(centred * centred, axis=-1, keepdims=True) + eps)) + bias


def rms_norm(x, weight, eps=1e-5):
    """γ x/√(mean x² + ε)."""
    return weight * (x / sqrt(mean(x * x, axis=-1, keepdims=True) + eps))


def batch_norm(x, weight, bias, eps=1e-5):
    """γ (x − μ)/√(σ² + ε) + β over the examples. x (N, C)."""
    centred = x - mean(x, axis=0)
    return weight * (centred / sqrt(mean(centred * centred, axis=0) + eps)) + bias


def embedding(indices, weight):
    """One-hot rows times the table."""
    return np.eye(len(weight))[indices] @ weight


def rotary(x, cos, sin):
    """[x₁, x₂] ∘ cos + [−x₂, x₁] ∘ sin."""
    half = x.shape[-1] // 2
    turned = concatenate(-x[..., half:], x[..., :half], axis=-1)
    return x * np.concatenate([cos, cos], -1) + turned * np.concatenate([sin, sin], -1)


def scaled_dot_product_attention(q, k, v, mask=None, is_causal=False, scale=None):
    """softmax(q kᵀ/√D + mask) v with grouped heads repeated. q (…, H, T, D), k and v (…, G, S, D)."""
    group = q.shape[-3] // k.shape[-3]
    k, v = _repeat_heads(k, group), _repeat_heads(v, group)
    scores = matmul(q, k.swapaxes(-1, -2)) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        scores = where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if mask is not None:
        scores = scores + mask if mask.dtype != bool else where(mask, scores, -np.inf)
    return matmul(derived_softmax(scores), v)


def _repeat_heads(x, group):
    """(…, G, S, D) → (…, G·group, S, D), each head ``group`` times in a row."""
    *lead, G, S, D = x.shape
    repeated = broadcast_to(reshape(x, shape=(*lead, G, 1, S, D)), shape=(*lead, G, group, S, D))
    return reshape(repeated, shape=(*lead, G * group, S, D))


def mse_loss(x, target):
    """mean (x − t)²."""
    return mean((x - target) ** 2)


def cross_entropy(logits, targets, label_smoothing=0.0):
    """−mean Σ t ln p. logits (N, V)."""
    N, V = logits.shape
    t = (1 - label_smoothing) * np.eye(V)[targets] + label_smoothing / V
    return -sum(log_softmax(logits) * t) / N


def binary_cross_entropy_with_logits(x, target):
    """−mean (t ln σ(x) + (1 − t) ln(1 − σ(x)))."""
    p = sigmoid(x)
    return -mean(target * log(p) + (1 - target) * log(1 - p))
