"""The error function, which NumPy lacks."""

from __future__ import annotations

import math

import numpy as np

# Chebyshev coefficients of g(s) = ln(erfc(z)/t) + z² with t = 2/(2 + z), s = 2t − 1, for z ≥ 0: a function so smooth that the
# series falls below float32's resolution after 12 terms and float64's after 26. tests/kernels/test_special.py computes them anew.
COEFFICIENTS = (
    -0.65132685989085472, 0.64196979235649026, 0.019476473204185836, -0.0095615147868086316, -0.00094659534448203687,
    0.00036683949785276145, 4.2523324806907772e-5, -2.0278578112534243e-5, -1.6242900046470255e-6, 1.3036558355805232e-6,
    1.5626441722066143e-8, -8.5238095914926543e-8, 6.5290544390988515e-9, 5.0593434955514689e-9, -9.9136415649303309e-10,
    -2.2736512229318359e-10, 9.6467911020155268e-11, 2.3940380830391147e-12, -6.8860275264975534e-12, 8.9448792730907257e-13,
    3.1309213993429581e-13, -1.1270822361367252e-13, 3.8109052551892321e-16, 7.106097613609237e-15, -1.5230282014571043e-15,
    -9.457494571291234e-17)


def erfc(x):
    """1 − erf(x) = 2/√π ∫ₓ^∞ e^{−u²} du, entry by entry; the relative error is that of one rounding of e^{−x²}."""
    z = np.abs(x)
    t = 2 / (2 + z)
    s2 = 4 * t - 2                                          # 2s
    terms = COEFFICIENTS if x.dtype == np.float64 else COEFFICIENTS[:12]
    b, after = np.zeros_like(z), np.zeros_like(z)           # Clenshaw's recurrence
    for c in terms[:0:-1]:
        b, after = s2 * b - after + c, b
    tail = t * np.exp(0.5 * s2 * b - after + terms[0] - z * z)
    return np.where(x < 0, 2 - tail, tail)


def normal_cdf(x):
    """Φ(x) = erfc(−x/√2)/2, the probability that a standard normal number is at most x."""
    return 0.5 * erfc(x * -math.sqrt(0.5))
