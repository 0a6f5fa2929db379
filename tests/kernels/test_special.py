"""The normal distribution against Python's own, and its coefficients against what they claim to be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyformer.kernels.special import COEFFICIENTS, normal


def points(dtype):
    return np.concatenate([np.linspace(-37, 12, 4001), np.linspace(-1, 1, 2001),
                           [0.0, -0.0, 1e-300, 5e-324, 40.0, -40.0]]).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_both_tails_are_accurate_to_the_rounding_of_the_exponential(dtype):
    x = points(dtype)
    with np.errstate(under="ignore"):
        cdf, density = normal(x)
    exact = np.array([math.erfc(-float(v) / math.sqrt(2)) / 2 for v in x])
    exact_density = np.array([math.exp(-0.5 * float(v) ** 2) for v in x]) / math.sqrt(2 * math.pi)
    eps, least = np.finfo(dtype).eps, np.finfo(dtype).tiny
    # e^{−x²/2} magnifies the rounding of x² by x²/2
    bound = eps * (5 + x.astype(np.float64) ** 2)
    assert cdf.dtype == density.dtype == dtype
    assert (np.abs(cdf - exact) <= bound * exact + least).all()
    assert (np.abs(density - exact_density) <= bound * exact_density + least).all()


def test_the_ends():
    cdf, density = normal(np.array([np.inf, -np.inf, np.nan]))
    assert cdf[:2].tolist() == [1.0,
                                0.0] and density[:2].tolist() == [0.0, 0.0] and np.isnan([cdf[2], density[2]]).all()
    assert normal(np.zeros((0, 3)))[0].shape == (0, 3)


def test_it_is_a_distribution():
    x = np.linspace(-10, 10, 2001)
    cdf, density = normal(x)
    assert (np.diff(cdf) >= 0).all()
    assert np.allclose(cdf + normal(-x)[0], 1, rtol=0, atol=1e-15)
    assert np.allclose(np.diff(cdf) * 100, (density[1:] + density[:-1]) / 2, rtol=0, atol=1e-5)


def test_the_coefficients_are_the_chebyshev_series_they_claim_to_be():
    """Chebyshev interpolation of e^{z²} erfc(z)/t, with erfc from Python where it does not vanish."""
    n = 64
    s = np.cos(np.pi * (np.arange(n) + 0.5) / n)
    t = (s + 1) / 2
    z = 3 / t - 3
    near = z < 25                                                               # beyond, erfc underflows
    far = z[~near]
    g = np.empty(n)
    g[near] = [math.erfc(v) * math.exp(v * v) for v in z[near]]
    g[~near] = (1 - 0.5 / far**2 + 0.75 / far**4 - 1.875 / far**6) / (far * math.sqrt(math.pi))
    series = np.array([2 / n * np.sum(g / t * np.cos(k * np.arccos(s))) for k in range(len(COEFFICIENTS))])
    series[0] /= 2
    # z² up to 625 leaves g with an error of 625 ε; what comes after the 16th coefficient is proved by the values,
    # above.
    assert np.allclose(series, COEFFICIENTS, rtol=0, atol=2e-12)
