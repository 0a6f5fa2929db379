"""Functions that NumPy lacks: the logistic function, and the normal distribution function with its density."""

from __future__ import annotations

import math

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..typing import Array


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ), from e^{−|x|}, which cannot overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, x.dtype.type(1), e) / (1 + e)


# Chebyshev coefficients of e^{z²} erfc(z)/t with t = 3/(3 + z), s = 2t − 1, for z ≥ 0. The function is so smooth that
# the terms fall below float32's resolution after 12 terms and below float64's after 24. tests/kernels/test_special.py
# computes them again; csrc/pointwise.h has the same coefficients.
COEFFICIENTS = (
    0.47114607466029065, 0.37715894969156579, 0.11803603344749545, 0.028362346699695152, 0.0048717577576055464,
    0.00045985238787654428, -2.1430222381053152e-5, -1.3014473699241349e-5, -8.8092835828535136e-7,
    2.7464800479702845e-7,
    4.4159918992237855e-8, -6.3984083855754828e-9, -1.6768357212484644e-9, 1.9473354700890024e-10,
    6.2474413034693895e-11,
    -8.1245575522444957e-12, -2.3303146132225657e-12, 4.191038539225333e-13, 8.1933352688130299e-14,
    -2.3352472107929263e-14,
    -2.2442585649165364e-15, 1.2811435298050506e-15, 1.1054582965396302e-18, -6.4457951356490397e-17)


def normal(x: Array) -> tuple[Array, Array]:
    """(Φ(x), φ(x)), entry by entry: the standard normal distribution function and density.

        φ(x) = e^{−x²/2}/√(2π)      Φ(x) = erfc(−x/√2)/2,  erfc(z) = 2/√π ∫_z^∞ e^{−u²} du

    The relative error is that of one rounding of x² in e^{−x²/2}, on both sides of 0.
    """
    with np.errstate(over="ignore"):                       # e^{−∞} is 0
        e = np.exp(-0.5 * (x * x))
    t = 3 / (3 + np.abs(x) * math.sqrt(0.5))
    s2 = 4 * t - 2                                          # 2s
    terms = COEFFICIENTS if x.dtype == np.float64 else COEFFICIENTS[:12]
    b, after = np.zeros_like(t), np.zeros_like(t)           # Clenshaw's recurrence
    for c in terms[:0:-1]:
        b, after = s2 * b - after + c, b
    tail = 0.5 * t * (0.5 * s2 * b - after + terms[0]) * e
    return np.where(x < 0, tail, 1 - tail), e * (1 / math.sqrt(2 * math.pi))
