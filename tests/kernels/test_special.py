"""The error function against Python's own, and its coefficients against what they claim to be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyformer.kernels.special import COEFFICIENTS, erfc, normal_cdf


def points(dtype):
    return np.concatenate([np.linspace(-12, 27, 4001), [0.0, -0.0, 1e-300, 5e-324, 40.0, -40.0]]).astype(dtype)


@pytest.mark.parametrize("dtype, ulps", [(np.float64, 8), (np.float32, 8)])
def test_erfc_is_accurate_to_the_rounding_of_its_exponential(dtype, ulps):
    x = points(dtype)
    with np.errstate(under="ignore"):
        ours = erfc(x)
    exact = np.array([math.erfc(float(v)) for v in x])
    eps, least = np.finfo(dtype).eps, np.finfo(dtype).tiny
    bound = ulps * eps * (1 + x.astype(np.float64) ** 2) * exact + least        # e^{−x²} magnifies the rounding of x² by x²
    assert ours.dtype == dtype
    assert (np.abs(ours - exact) <= bound).all()


def test_erfc_at_the_ends():
    assert erfc(np.array([np.inf, -np.inf])).tolist() == [0.0, 2.0]
    assert np.isnan(erfc(np.array([np.nan]))).all()
    assert erfc(np.zeros((0, 3))).shape == (0, 3)


def test_normal_cdf_is_a_distribution():
    x = np.linspace(-10, 10, 2001)
    cdf = normal_cdf(x)
    assert (np.diff(cdf) >= 0).all()
    assert np.allclose(cdf + normal_cdf(-x), 1, rtol=0, atol=1e-15)


def test_the_coefficients_are_the_chebyshev_series_they_claim_to_be():
    """Chebyshev interpolation of g(s), with erfc from Python: as exact as float64 lets it be where erfc does not vanish."""
    n = 64
    angles = np.pi * (np.arange(n) + 0.5) / n
    s = np.cos(angles)
    t = (s + 1) / 2
    z = 2 / t - 2
    near = z < 25                                                               # beyond, erfc underflows
    far = z[~near]
    g = np.empty(n)
    g[near] = [math.log(math.erfc(v) / u) + v * v for v, u in zip(z[near], t[near])]
    g[~near] = np.log((1 - 0.5 / far**2 + 0.75 / far**4 - 1.875 / far**6) / (far * math.sqrt(math.pi)) / t[~near])
    series = np.array([2 / n * np.sum(g * np.cos(k * angles)) for k in range(len(COEFFICIENTS))])
    series[0] /= 2
    # z² up to 625 leaves g with an error of 625 ε; what comes after the 16th coefficient is proved by erfc itself, above.
    assert np.allclose(series, COEFFICIENTS, rtol=0, atol=2e-12)
