"""ε: closed forms, the two forms of the sampled Gaussian's divergence, and how ε moves with each number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyformer.privacy import (accountant, epsilon, epsilon_of_history, gaussian_epsilon, noise_multiplier_for,
                                renyi_divergence)


def test_known_values():
    assert epsilon(1.5, 0.1, 300, 1e-5) == pytest.approx(6.8714, abs=1e-4)       # Opacus 1.6: 6.8714
    assert gaussian_epsilon(20, 100, 1e-5) == pytest.approx(2.5243, abs=1e-4)


@pytest.mark.parametrize("sigma", (0.3, 1.0, 7.0))
@pytest.mark.parametrize("q", (0.01, 0.3, 0.9))
def test_the_integral_is_the_binomial_formula(sigma, q):
    for alpha in (2, 3, 10):
        assert accountant._integral(sigma, q, float(alpha)) == pytest.approx(accountant._series(sigma, q, alpha),
                                                                             rel=1e-9, abs=1e-13)


def test_without_sampling_it_is_the_gaussian_mechanism():
    np.testing.assert_allclose(renyi_divergence(2.0, 1.0), accountant.ORDERS / 8)
    nearly = renyi_divergence(2.0, 1 - 1e-12)
    np.testing.assert_allclose(nearly, accountant.ORDERS / 8, rtol=1e-6)
    for sigma, steps in ((5.0, 10), (20.0, 100), (50.0, 400)):
        basic = np.min(steps * accountant.ORDERS / (2 * sigma ** 2) + math.log(1e5) / (accountant.ORDERS - 1))
        assert gaussian_epsilon(sigma, steps, 1e-5) == pytest.approx(basic, rel=0.02)
        assert epsilon(sigma, 1.0, steps, 1e-5) <= basic


def test_more_of_each_costs_more():
    base = epsilon(1.0, 0.05, 100, 1e-5)
    assert epsilon(2.0, 0.05, 100, 1e-5) < base < epsilon(0.7, 0.05, 100, 1e-5)
    assert epsilon(1.0, 0.02, 100, 1e-5) < base < epsilon(1.0, 0.1, 100, 1e-5)
    assert epsilon(1.0, 0.05, 50, 1e-5) < base < epsilon(1.0, 0.05, 200, 1e-5)
    assert epsilon(1.0, 0.05, 100, 1e-3) < base < epsilon(1.0, 0.05, 100, 1e-7)


def test_edges():
    assert epsilon(0.0, 0.1, 0, 1e-5) == epsilon(1.0, 0.0, 9, 1e-5) == 0.0
    assert epsilon(0.0, 0.1, 1, 1e-5) == math.inf
    assert 0 < epsilon(1e-3, 0.5, 1, 1e-5) and math.isfinite(epsilon(1e6, 0.5, 10 ** 6, 1e-5))


def test_parts_of_a_training_add_up():
    whole = epsilon(1.3, 0.1, 300, 1e-5)
    assert epsilon_of_history([(1.3, 0.1, 100), (1.3, 0.1, 200)], 1e-5) == pytest.approx(whole, rel=1e-12)
    more = epsilon_of_history([(1.3, 0.1, 300), (2.0, 0.1, 100)], 1e-5)
    assert whole < more < epsilon(1.3, 0.1, 400, 1e-5)


@pytest.mark.parametrize("target", (0.1, 1.0, 8.0))
def test_the_noise_for_a_target(target):
    noise = noise_multiplier_for(target, 0.2, 100, 1e-5)
    assert 0.98 * target < epsilon(noise, 0.2, 100, 1e-5) <= target


def test_the_tighter_accountant():
    pytest.importorskip("dp_accounting", reason="dp-accounting computes it, and is not installed")
    assert epsilon(1.5, 0.1, 300, 1e-5, accountant="pld") == pytest.approx(6.29, abs=0.01)


@pytest.mark.parametrize("arguments, words", [
    ((-1.0, 0.1, 10, 1e-5), "noise_multiplier is -1.0"), ((1.0, 1.5, 10, 1e-5), "sample_rate is 1.5"),
    ((1.0, 0.1, -1, 1e-5), "steps is -1"), ((1.0, 0.1, 10, 0.0), "delta is 0.0"), ((1.0, 0.1, 10, 1.0), "delta is 1.0"),
    ((1.0, 0.1, 10, 1e-5, "prv"), "accountant is 'prv', expected one of rdp, pld")])
def test_numbers_out_of_range(arguments, words):
    with pytest.raises(ValueError, match=words):
        epsilon(*arguments)


def test_targets_that_no_noise_reaches():
    with pytest.raises(ValueError, match="target_epsilon is 0.0, expected a finite number above 0"):
        noise_multiplier_for(0.0, 0.1, 10, 1e-5)
    with pytest.raises(ValueError, match="no noise up to 1e\\+06 gives ε ≤ 1e-09"):
        noise_multiplier_for(1e-9, 0.5, 10 ** 6, 1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_noise_whose_square_underflows_is_no_noise(rate):
    assert epsilon(1e-200, rate, 3, 1e-5) == math.inf
    assert gaussian_epsilon(1e-200, 3, 1e-5) == math.inf
    assert gaussian_epsilon(1e-200, 0, 1e-5) == 0
