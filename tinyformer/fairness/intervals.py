"""Student's t distribution: its distribution function and quantiles, and intervals of shares."""

from __future__ import annotations

import functools
import math
from statistics import NormalDist

__all__ = ["newcombe", "t_probability", "t_quantile", "wilson"]


def t_probability(t: float, df: int) -> float:
    """P(|T| > |t|) for Student's t with ``df`` degrees of freedom: I_x(df/2, ½) at x = df/(df + t²).

    I is the regularized incomplete beta function.
    """
    return incomplete_beta(df / (df + t * t), df / 2, 0.5)


@functools.lru_cache(maxsize=256)
def t_quantile(level: float, df: int) -> float:
    """The t with P(|T| ≤ t) = ``level``, by bisection."""
    low, high = 0.0, 1.0
    while t_probability(high, df) > 1 - level:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_probability(middle, df) > 1 - level else (low, middle)
    return high


def incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b) by its continued fraction.   Source: Press et al., "Numerical recipes", section 6.4 (Lentz)."""
    if x in (0, 1):
        return float(x)
    if x > (a + 1) / (a + b + 2):                           # where the fraction converges slowly, use the symmetry
        return 1 - incomplete_beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 500):
        for numerator in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                          -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 / (1 + numerator * d)
            c = 1 + numerator / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction


def wilson(count: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of the share count/n; (0, 1) for n = 0.   Source: Wilson (1927)."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    p, scale = count / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / scale
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale
    return max(middle - half, 0.0), min(middle + half, 1.0)


def newcombe(count_a: float, n_a: int, count_b: float, n_b: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of the difference p_a − p_b of two independent shares, from their Wilson intervals (l, u):

        low = d − √((p_a − l_a)² + (u_b − p_b)²)      high = d + √((u_a − p_a)² + (p_b − l_b)²)

    It is (−1, 1) if a share has no example.   Source: Newcombe (1998), method 10.   Book (22.3).
    """
    if not n_a or not n_b:
        return -1.0, 1.0
    p_a, p_b = count_a / n_a, count_b / n_b
    (low_a, high_a), (low_b, high_b) = wilson(count_a, n_a, level), wilson(count_b, n_b, level)
    return (p_a - p_b - math.hypot(p_a - low_a, high_b - p_b),
            p_a - p_b + math.hypot(high_a - p_a, p_b - low_b))
