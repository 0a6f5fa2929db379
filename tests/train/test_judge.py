"""The judge of generated pictures, its distances, and the baselines of the likelihood."""

from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.data import Examples
from tinyformer.train.judge import Judge, frechet_distance, nearest
from tinyformer.train.picture_baselines import class_means, pixel_means, principal_components


def test_the_frechet_distance_of_known_moments(rng):
    """For covariances that commute, d² = ‖μ₁ − μ₂‖² + Σ (σ₁ − σ₂)²."""
    basis, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    white = rng.standard_normal((50, 3))
    white = (white - white.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(white, rowvar=False))).T
    x, other = white * [1, 2, 3] @ basis, white * [2, 2, 0.5] @ basis + [1, -1, 2]
    assert frechet_distance(x, other) == pytest.approx(1 + 1 + 4 + 1 + 0 + 2.5 ** 2, rel=1e-9)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, other) == pytest.approx(frechet_distance(other, x), rel=1e-9)


def test_it_is_scipys_formula(rng):
    linalg = pytest.importorskip("scipy.linalg", reason="SciPy has the square root of a matrix")
    x, other = rng.standard_normal((40, 4)), rng.standard_normal((30, 4)) @ rng.standard_normal((4, 4)) + 1
    first, second = np.cov(x, rowvar=False), np.cov(other, rowvar=False)
    root = linalg.sqrtm(first @ second).real
    expected = ((x.mean(0) - other.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(x, other) == pytest.approx(expected, rel=1e-8)


def test_nearest(rng):
    x, among = rng.random((7, 5)), rng.random((20, 5))
    every = np.linalg.norm(x[:, None] - among, axis=-1)
    index, distance = nearest(x, among)
    np.testing.assert_array_equal(index, every.argmin(axis=1))
    np.testing.assert_allclose(distance, every.min(axis=1), rtol=1e-7)
    assert (nearest(among[3:5], among)[0] == [3, 4]).all()


def strokes(n, seed=0):
    rng = np.random.default_rng(seed)
    x, y = 0.1 * rng.random((n, 4, 4)).astype(np.float32), rng.integers(0, 2, n)
    for picture, kind in zip(x, y):
        picture[(rng.integers(4), slice(None)) if kind else (slice(None), rng.integers(4))] += 0.9
    return Examples(x.reshape(n, 16), y)


def test_the_judge_is_the_same_each_time_and_leaves_the_generator_alone(monkeypatch):
    monkeypatch.setattr("tinyformer.train.judge.STEPS", 200)
    train, test = strokes(200), strokes(80, 1)
    before = tfm.rng.generator().bit_generator.state
    judges = [Judge(train, 2) for _ in range(2)]
    assert tfm.rng.generator().bit_generator.state == before
    np.testing.assert_array_equal(*(judge.probabilities(test.x) for judge in judges))
    one_kind = test.x[test.y == 1]
    verdict = judges[0].verdict(one_kind, test)
    assert verdict["judge_accuracy"] > 0.95 and verdict["classes_covered"] == 1 and verdict["class_shares"][1] > 0.95
    everything = judges[0].verdict(test.x, test)
    assert everything["classes_covered"] == 2 and everything["frechet_distance"] == pytest.approx(0, abs=1e-8)
    assert verdict["frechet_distance"] > 1


def test_the_baselines_are_likelihoods():
    """Of pictures with pixels 0 and 1, the probabilities of all pictures sum to one."""
    every = ((np.arange(16)[:, None] >> np.arange(4)) % 2).astype(np.float64)
    train = Examples(every[[0, 3, 3, 5, 12, 15]], np.array([0, 0, 0, 1, 1, 1]))
    for baseline in (lambda x: pixel_means(train, x), lambda x: class_means(train, 2, x),
                     lambda x: class_means(train, 2, x, np.zeros(len(x), int))):
        assert sum(np.exp(-baseline(picture[None])) for picture in every) == pytest.approx(1)


def test_the_bound_of_principal_components_is_above_the_likelihood():
    """With one component the integral over z is a sum on a grid."""
    train, validation = strokes(150), strokes(40, 1)
    x = validation.x[:10]
    mean = train.x.mean(axis=0, dtype=np.float64)
    _, singular, axes = np.linalg.svd(train.x - mean, full_matrices=False)
    z = np.linspace(-6, 6, 2001)
    made = mean + np.outer(z * singular[0] / np.sqrt(149), axes[0])
    lowest = np.inf
    for least in (0.001, 0.003, 0.01, 0.03, 0.1):
        p = made.clip(least, 1 - least)
        joint = np.log(p) @ x.T + np.log1p(-p) @ (1 - x).T - 0.5 * z[:, None] ** 2
        lowest = min(lowest, -np.log(np.exp(joint).sum(axis=0) * (z[1] - z[0]) / np.sqrt(2 * np.pi)).mean())
    x = np.repeat(x, 300, axis=0)                           # each with noise of its own
    bound = principal_components(train, validation, 1, x)
    assert lowest < bound < lowest + 5
    assert principal_components(train, validation, 6, x) < min(bound, pixel_means(train, x))
