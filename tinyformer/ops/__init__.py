"""Differentiable operations: each a function from arrays to ``(value, vjp)``, lifted to tensors by ``@differentiable``.

``ops.linear(x, W, b)`` works on tensors, ``ops.linear.raw(x, W, b)`` on plain arrays. ``ops.composed`` has the same
operations composed of simpler ones, which the engine differentiates: the oracle for the gradients derived by hand.
"""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .activations import gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, softplus, tanh
from .arithmetic import (abs, add, astype, clip, divide, exp, log, maximum, minimum, multiply, negative, power, sqrt,
                         subtract, where)
from .attention import attention_with_weights, residual_self_attention, scaled_dot_product_attention
from .convolution import conv2d, conv_transpose2d
from .latent import gaussian_kl, reparametrize
from .losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from .lookup import embedding
from .normalization import batch_norm, group_norm, layer_norm, rms_norm
from .pooling import avg_pool2d, max_pool2d
from .positions import rotary, rotary_frequencies, rotary_tables, sinusoidal
from .products import einsum, linear, linear_gelu, matmul, sparse_linear
from .recurrence import gru, lstm, rnn
from .reductions import cumsum, logsumexp, max, mean, min, std, sum, var
from .regularization import dropout
from .resampling import grid_sample
from .shapes import broadcast_to, concatenate, flip, getitem, pad, reshape, split, stack, transpose
from .similarity import contrastive_loss, normalize, squared_distances

from . import composed, integers, methods

__all__ = [
    "abs", "add", "astype", "attention_with_weights", "avg_pool2d", "batch_norm", "binary_cross_entropy_with_logits",
    "broadcast_to", "clip", "composed", "concatenate", "contrastive_loss", "conv2d", "conv_transpose2d",
    "cross_entropy", "cumsum", "divide", "dropout", "einsum", "embedding", "exp", "flip", "gaussian_kl", "gelu",
    "getitem", "grid_sample", "group_norm", "gru", "layer_norm", "leaky_relu", "linear", "linear_gelu", "log",
    "log_softmax", "logsumexp", "lstm", "matmul", "max", "max_pool2d", "maximum", "mean", "min", "minimum", "mse_loss",
    "multiply", "negative", "normalize", "pad", "power", "relu", "reparametrize", "reshape", "residual_self_attention",
    "rms_norm", "rnn", "rotary", "rotary_frequencies", "rotary_tables", "scaled_dot_product_attention", "sigmoid",
    "silu", "sinusoidal", "softmax", "softplus", "sparse_linear", "split", "sqrt", "squared_distances", "stack", "std",
    "subtract", "sum", "tanh", "transpose", "var", "where",
]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
