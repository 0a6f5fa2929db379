"""Bounds on gradients, between ``backward`` and the optimizer's step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..autograd import Tensor
from ..number_checks import check_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float) -> float:
    """Scale the gradients, as one long vector, to norm ``max_norm`` if their norm is larger. Returns the earlier norm.

        ‖g‖ = √Σ g²        g ← g · min(1, max_norm / (‖g‖ + 10⁻⁶))

    The direction does not change. If the norm is NaN or infinite, the gradients do not change either; check the result.
    Parameters without a gradient count as zero. max_norm is a number of at least 0, possibly infinite.

    Source: Pascanu et al. (2013), algorithm 1; book (5.7); the 10⁻⁶ is PyTorch's.
    """
    max_norm = check_number("clip_grad_norm_", "max_norm", max_norm, at_least=0, finite=False)
    gradients = _gradients("clip_grad_norm_", parameters)
    norm = _norm(gradients)
    scale = max_norm / (norm + 1e-6)
    if math.isfinite(norm) and scale < 1:
        for g in gradients:
            np.multiply(g, scale, out=g)
    return norm


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clip every entry of every gradient to [−clip_value, clip_value]. The gradient's direction may change."""
    clip_value = check_number("clip_grad_value_", "clip_value", clip_value, at_least=0, finite=False)
    for g in _gradients("clip_grad_value_", parameters):
        np.clip(g, -clip_value, clip_value, out=g)


def _norm(gradients: Sequence[NDArray[Any]]) -> float:
    """√Σ g². Where the squares leave the range of their type: m · √Σ (g/m)², with m = max |g|, in float64."""
    with np.errstate(over="ignore", under="ignore"):
        squares = kernels.sum_of_squares(gradients)
    if 1e-30 < squares < math.inf or math.isnan(squares):
        return math.sqrt(squares)
    largest = max((float(np.abs(g).max()) for g in gradients if g.size), default=0.0)
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(kernels.sum_of_squares([g.astype(np.float64) / largest for g in gradients]))


def _gradients(operation: str, parameters: Any) -> list[NDArray[Any]]:
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for i, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"{operation}: parameter {i} is a {type(parameter).__name__}, expected a Tensor")
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
