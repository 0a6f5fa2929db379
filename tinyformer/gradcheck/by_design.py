"""Gradients that differ from the derivative on purpose: straight-through estimators.

Rounding, a sign and a step are constant between their jumps, so their derivative is 0 and nothing before them could
learn. A straight-through estimator (Bengio et al., 2013) therefore returns the gradient of another function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .function_forms import copies
from .report import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .function_forms import CheckedFunction

TRIES = 4


def straight_through(checked: CheckedFunction, i: int, numeric: NDArray[Any], rng: np.random.Generator
                     ) -> Finding | None:
    """A note if the gradient of input i is a straight-through estimator; None otherwise.

    Four things must hold: the numeric gradient is exactly 0 at every entry; the value does change with the input over
    larger distances; the gradient is the upstream gradient times a factor for each entry, the same for every upstream
    gradient; and no factor is negative. Any other gradient of a constant is a mistake.
    """
    if np.nan_to_num(numeric).any() or numeric.size == 0:
        return None
    values, pull = checked.linearize(copies(checked.arrays))
    if len(values) != 1 or values[0].shape != numeric.shape or not _depends(checked, i, values[0], rng):
        return None
    factors = _pulled(pull, np.ones(numeric.shape, values[0].dtype), i)
    if factors is None or factors.shape != numeric.shape or not (factors >= 0).all() or not factors.any():
        return None
    for _ in range(TRIES):
        dy = rng.standard_normal(numeric.shape).astype(values[0].dtype)
        gradient = _pulled(pull, dy, i)
        if gradient is None or not np.allclose(gradient, factors * dy, rtol=1e-6, atol=1e-12):
            return None
    name = checked.names[i]
    how = "unchanged" if (factors == 1).all() else "unchanged at some entries and not at the others" \
        if set(np.unique(factors)) == {0.0, 1.0} else "times a factor for each entry"
    return Finding("straight-through", f"the value is constant between jumps, so its derivative with respect to {name} "
                                       f"is 0, and vjp passes the upstream gradient {how}: a straight-through "
                                       f"estimator, which differs from the derivative by design",
                   {"factors": factors})


def _pulled(pull: Any, dy: NDArray[Any], i: int) -> NDArray[Any] | None:
    gradient = pull([dy])[i]
    return None if gradient is None else np.array(gradient, np.float64)


def _depends(checked: CheckedFunction, i: int, value: NDArray[Any], rng: np.random.Generator) -> bool:
    """Whether the value changes when the input moves far."""
    for size in (1.0, 3.0):
        arrays = copies(checked.arrays)
        arrays[i] = arrays[i] + size * rng.standard_normal(arrays[i].shape)
        if not np.array_equal(checked.values(arrays)[0], value):
            return True
    return False
