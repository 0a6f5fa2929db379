"""Curves, random weights, rank correlation, and attention with another face."""

from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn
from tinyformer.explain import (alternative_attention, curve_area, deletion_curve, insertion_curve,
                                integrated_gradients, rank_correlation, with_random_weights)


def test_curves_of_a_sum():
    """Scores fall by the largest entries first; each fraction removes round(fraction · D) of them."""
    x = np.array([[1.0, 4, 3, 2]])

    def f(t):
        return t.sum(axis=1)

    fall = deletion_curve(f, x, x)
    np.testing.assert_allclose(fall[:, 0], [10, 10, 6, 6, 3, 3, 3, 1, 1, 0, 0])
    np.testing.assert_allclose(insertion_curve(f, x, x)[:, 0], 10 - fall[:, 0])
    np.testing.assert_allclose(deletion_curve(f, x, -x)[:, 0], [10, 10, 9, 9, 7, 7, 7, 4, 4, 0, 0])
    assert curve_area(fall)[0] < curve_area(deletion_curve(f, x, -x))[0]
    assert curve_area(np.ones((11, 2))).tolist() == [1, 1] and np.isclose(curve_area(np.linspace(0, 1, 11)), 0.5)
    np.testing.assert_allclose(deletion_curve(f, x, x, baseline=1.0)[-1], 4)


def test_time_steps_are_removed_whole(rng):
    x = rng.normal(size=(2, 5, 3))
    order = np.array([[5, 4, 3, 2, 1], [1, 2, 3, 4, 5]])
    seen = []

    def f(t):
        seen.append(t.data)
        return t.sum(axis=2)

    deletion_curve(f, x, order, target=0)
    half = seen[4]                                          # 40 %: two of five
    assert not half[0, :2].any() and half[0, 2:].all() and not half[1, 3:].any() and half[1, :3].all()
    for bad in (order[:, :4], order[0], order + np.nan):
        with pytest.raises(ValueError, match="deletion_curve: attributions have shape"):
            deletion_curve(f, x, bad, target=0)


def test_a_good_explanation_beats_a_random_one(rng):
    model = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 2)).to(np.float64)
    x = rng.normal(size=(20, 12))
    found = integrated_gradients(model, x, target=1)[0]

    def area(curve, order):
        return curve_area(curve(model, x, order, 1)).mean()

    chance = rng.random(x.shape)
    assert area(deletion_curve, found) < area(deletion_curve, chance) < area(insertion_curve, found)


def test_random_weights_are_a_copy(rng):
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).to(np.float64)
    before = {name: value.copy() for name, value in model.state_dict().items()}
    random = with_random_weights(model, 0)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
        other = random.state_dict()[name]
        np.testing.assert_array_equal(np.sort(other.ravel()), np.sort(value.ravel()))
        assert value.size < 8 or (other != value).any()
    x = rng.normal(size=(30, 6))
    ours, theirs = (integrated_gradients(one, x, target=0)[0] for one in (model, random))
    assert abs(rank_correlation(ours, theirs).mean()) < 0.5 < rank_correlation(ours, ours).min()


def test_rank_correlation(rng):
    scipy = pytest.importorskip("scipy.stats", reason="SciPy is the oracle here and is not installed")
    a, b = rng.integers(0, 6, (5, 12)), rng.normal(size=(5, 12))
    np.testing.assert_allclose(rank_correlation(a, b), [scipy.spearmanr(*rows).statistic for rows in zip(a, b)])


def test_rank_correlation_of_known_orders():
    a = np.array([[1.0, 2, 3, 4]])
    assert rank_correlation(a, a ** 3)[0] == 1 and rank_correlation(a, -a)[0] == -1
    assert np.isnan(rank_correlation(a, np.ones((1, 4)))[0])
    np.testing.assert_allclose(rank_correlation(a, np.array([[1.0, 1, 2, 2]])), 2 / np.sqrt(5))
    with pytest.raises(ValueError, match=r"got \(1, 4\) and \(1, 3\) values"):
        rank_correlation(a, a[:, :3])


def test_attention_with_another_face(rng):
    weights, outputs = rng.dirichlet(np.ones(9)), rng.normal(size=(9, 2))
    other = alternative_attention(weights, outputs, rng=0)
    assert (other >= 0).all() and np.isclose(other.sum(), 1)
    np.testing.assert_allclose(other @ outputs, weights @ outputs, atol=1e-12)
    assert np.abs(other - weights).sum() / 2 > 0.3
    few = rng.dirichlet(np.ones(3))                         # as many constraints as weights: no choice
    np.testing.assert_array_equal(alternative_attention(few, rng.normal(size=(3, 2)), rng=0), few)
    with pytest.raises(ValueError, match=r"expected \(T,\) and \(T, K\)"):
        alternative_attention(weights, outputs[:4])


def test_the_framework_generator_is_used(rng):
    weights, outputs = rng.dirichlet(np.ones(9)), rng.normal(size=(9, 2))
    tfm.seed(3)
    first = alternative_attention(weights, outputs)
    tfm.seed(3)
    np.testing.assert_array_equal(first, alternative_attention(weights, outputs))
