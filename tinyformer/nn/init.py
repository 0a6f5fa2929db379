"""How weights start: each function fills a tensor in place, from ``rng`` or the framework's generator, and returns it.

A layer y = W x sums ``fan_in`` terms, its backward pass ``fan_out``. The Xavier and Kaiming rules choose the variance of W so
that neither sum grows or shrinks on its way through many layers. Names and distributions are PyTorch's.
"""

from __future__ import annotations

import contextlib
import contextvars
import math

from ..rng import generator
from ..writes import write

_skipping = contextvars.ContextVar("skipping", default=False)


@contextlib.contextmanager
def skipped():
    """Within it nothing is filled: for a model whose weights are loaded next. Untouched arrays take no memory until then."""
    before = _skipping.set(True)
    try:
        yield
    finally:
        _skipping.reset(before)


def uniform_(tensor, a=0.0, b=1.0, rng=None):
    """Every entry uniform in [a, b)."""
    if not _skipping.get():
        write(tensor.data, generator(rng).uniform(a, b, tensor.shape))
    return tensor


def normal_(tensor, mean=0.0, std=1.0, rng=None):
    """Every entry normal."""
    if not _skipping.get():
        write(tensor.data, generator(rng).normal(mean, std, tensor.shape))
    return tensor


def constant_(tensor, value):
    """Every entry ``value``."""
    if not _skipping.get():
        write(tensor.data, value)
    return tensor


def zeros_(tensor):
    """Every entry 0."""
    return constant_(tensor, 0)


def ones_(tensor):
    """Every entry 1."""
    return constant_(tensor, 1)


def xavier_uniform_(tensor, gain=1.0, rng=None):
    """Uniform in ±gain √(6/(fan_in + fan_out)): variance 2 gain²/(fan_in + fan_out).   Source: Glorot and Bengio (2010)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, rng)


def xavier_normal_(tensor, gain=1.0, rng=None):
    """Normal with variance 2 gain²/(fan_in + fan_out).   Source: Glorot and Bengio (2010)."""
    return normal_(tensor, 0, gain * math.sqrt(2 / sum(fans(tensor))), rng)


def kaiming_uniform_(tensor, a=0.0, mode="fan_in", rng=None):
    """Uniform in ±√(6/((1 + a²) fan)): variance 2/((1 + a²) fan), right before a leaky ReLU of slope a (0: a ReLU).

    a = √5 makes it ±1/√fan, with which PyTorch starts its linear layers.   Source: He et al. (2015).
    """
    bound = math.sqrt(6 / ((1 + a * a) * _fan(tensor, mode)))
    return uniform_(tensor, -bound, bound, rng)


def kaiming_normal_(tensor, a=0.0, mode="fan_in", rng=None):
    """Normal with variance 2/((1 + a²) fan).   Source: He et al. (2015)."""
    return normal_(tensor, 0, math.sqrt(2 / ((1 + a * a) * _fan(tensor, mode))), rng)


def fans(tensor):
    """(fan_in, fan_out) of a weight (out, in, …), at least 1 each: how many terms its forward and backward sums have."""
    if tensor.ndim < 2:
        raise ValueError(f"init: a tensor of shape {tensor.shape} has no fan-in and fan-out, expected at least two axes")
    field = math.prod(tensor.shape[2:])
    return max(tensor.shape[1] * field, 1), max(tensor.shape[0] * field, 1)


def _fan(tensor, mode):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"init: mode is {mode!r}, expected 'fan_in' or 'fan_out'")
    return fans(tensor)[mode == "fan_out"]
