"""Initial weights: each function fills a tensor in place, from ``rng`` or the framework's generator, and returns it.

A layer y = W x sums ``fan_in`` terms, its backward pass ``fan_out``. The Xavier and Kaiming rules choose the variance
of W so that neither sum grows or shrinks through many layers. Names and distributions are PyTorch's.

Each raises TypeError or ValueError for options that are not finite numbers, for a > b and for a negative deviation.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
from typing import TYPE_CHECKING

from ..names import module_attributes
from ..number_checks import check_number
from ..rng import generator
from ..writes import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..autograd import Tensor
    from ..typing import RNGLike

__all__ = ["constant_", "fans", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "skipped",
           "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)

_skipping = contextvars.ContextVar("skipping", default=False)


@contextlib.contextmanager
def skipped() -> Iterator[None]:
    """``with skipped():`` fills nothing, for a model whose weights are loaded next. Untouched arrays take no memory."""
    before = _skipping.set(True)
    try:
        yield
    finally:
        _skipping.reset(before)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, rng: RNGLike = None) -> Tensor:
    """Draw every entry uniformly from [a, b), a ≤ b."""
    a = check_number("uniform_", "a", a)
    b = check_number("uniform_", "b", b, at_least=a)
    if not _skipping.get():
        write(tensor.data, generator(rng).uniform(a, b, tensor.shape))
    return tensor


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, rng: RNGLike = None) -> Tensor:
    """Draw every entry from the normal distribution of that mean and standard deviation, std ≥ 0."""
    mean = check_number("normal_", "mean", mean)
    std = check_number("normal_", "std", std, at_least=0)
    if not _skipping.get():
        write(tensor.data, generator(rng).normal(mean, std, tensor.shape))
    return tensor


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Set every entry to ``value``."""
    value = check_number("constant_", "value", value, finite=False)
    if not _skipping.get():
        write(tensor.data, value)
    return tensor


def zeros_(tensor: Tensor) -> Tensor:
    """Set every entry to 0."""
    return constant_(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Set every entry to 1."""
    return constant_(tensor, 1)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, rng: RNGLike = None) -> Tensor:
    """Draw uniformly from ±gain √(6/(fan_in + fan_out)): variance 2 gain²/(fan_in + fan_out).

    Source: Glorot and Bengio (2010).
    """
    gain = check_number("xavier_uniform_", "gain", gain, at_least=0)
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, rng)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, rng: RNGLike = None) -> Tensor:
    """Draw from a normal distribution with variance 2 gain²/(fan_in + fan_out).   Source: Glorot and Bengio (2010)."""
    gain = check_number("xavier_normal_", "gain", gain, at_least=0)
    return normal_(tensor, 0, gain * math.sqrt(2 / sum(fans(tensor))), rng)


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", rng: RNGLike = None) -> Tensor:
    """Draw uniformly from ±√(6/((1 + a²) fan)): variance 2/((1 + a²) fan), for a leaky ReLU of slope a (0: a ReLU).

    mode    "fan_in" or "fan_out": which sum keeps its size. a = √5 gives ±1/√fan, the start of PyTorch's linear layers.

    Source: He et al. (2015).
    """
    a = check_number("kaiming_uniform_", "a", a)
    bound = math.sqrt(6 / ((1 + a * a) * _fan(tensor, mode)))
    return uniform_(tensor, -bound, bound, rng)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", rng: RNGLike = None) -> Tensor:
    """Draw from a normal distribution with variance 2/((1 + a²) fan).   Source: He et al. (2015)."""
    a = check_number("kaiming_normal_", "a", a)
    return normal_(tensor, 0, math.sqrt(2 / ((1 + a * a) * _fan(tensor, mode))), rng)


def fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, …), at least 1 each: the terms of its forward and backward sums.

    Raises ValueError for fewer than two axes.
    """
    if tensor.ndim < 2:
        raise ValueError(f"init: a tensor of shape {tensor.shape} has no fan-in and fan-out, "
                         "expected at least two axes")
    field = math.prod(tensor.shape[2:])
    return max(tensor.shape[1] * field, 1), max(tensor.shape[0] * field, 1)


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"init: mode is {mode!r}, expected 'fan_in' or 'fan_out'")
    return fans(tensor)[mode == "fan_out"]
