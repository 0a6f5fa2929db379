"""Differentiable operations: each a function from arrays to ``(value, vjp)``, lifted to tensors by ``@differentiable``.

``ops.linear(x, W, b)`` works on tensors, ``ops.linear.raw(x, W, b)`` on plain arrays. ``ops.composed`` has the same
operations made out of simpler ones, without a derivative of their own: the oracle of those derived by hand.
"""

from .activations import gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, softplus, tanh
from .arithmetic import (abs, add, astype, clip, divide, exp, log, maximum, minimum, multiply, negative, power, sqrt,
                         subtract, where)
from .attention import residual_self_attention, scaled_dot_product_attention
from .losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from .lookup import embedding
from .normalization import batch_norm, layer_norm, rms_norm
from .positions import rotary, rotary_frequencies, rotary_tables, sinusoidal
from .products import einsum, linear, linear_gelu, matmul, sparse_linear
from .recurrence import gru, lstm, rnn
from .reductions import cumsum, logsumexp, max, mean, min, sum, var
from .regularization import dropout
from .shapes import broadcast_to, concatenate, flip, getitem, pad, reshape, split, stack, transpose

from . import composed, integers  # noqa: E402  (composed is written in the operations above; integers registers operators)
