"""What a formula does not depend on, its operation does not: an offset that cancels, a scale that divides out.

Each operation is compared with itself in float64 on the same float32 numbers; the error may not grow with the offset or
the scale. ``tests/kernels/test_invariances.py`` does the same with the operations that are kernels.
"""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer import ops
from tinyformer.nn import functional as F

OFFSETS = (0, 1e4, -1e5, 1e6, 1e7)
SHAPES = ((64, 5), (1000, 5), (8, 5, 50))


def grid(rng, *shape):
    """Numbers that keep all their digits beside an offset of 10⁷."""
    return rng.integers(-3, 4, shape).astype("f")


def double(array):
    return array.astype("d") if isinstance(array, np.ndarray) and array.dtype == np.float32 else array


def assert_near(got, expected, tolerance):
    got, expected = np.asarray(got, "d"), np.asarray(expected, "d")
    assert np.abs(got - expected).max() <= tolerance * np.abs(expected).max()


def same_as_in_double(operation, arrays, cotangent, tolerance, **options):
    value, vjp = operation.raw(*arrays, **options)
    expected, expected_vjp = operation.raw(*map(double, arrays), **options)
    assert_near(value, expected, tolerance)
    for got, wanted in zip(_several(vjp(cotangent)), _several(expected_vjp(double(cotangent))), strict=True):
        if wanted is not None:
            assert_near(got, wanted, tolerance)


def _several(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("offset", OFFSETS)
def test_batch_norm_of_channels_with_an_offset(rng, offset, shape):
    weight = grid(rng, 5)
    same_as_in_double(ops.batch_norm, (grid(rng, *shape) + np.float32(offset), weight, weight), grid(rng, *shape), 1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1e-30, 1e-18, 1, 1e18, 1e30])
def test_batch_norm_divides_the_scale_out(rng, size, shape):
    x, weight = rng.standard_normal(shape).astype("f") * np.float32(size), grid(rng, 5)
    same_as_in_double(ops.batch_norm, (x, weight, weight), grid(rng, *shape), 1e-5, eps=0.0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("offset", OFFSETS)
def test_running_statistics_of_channels_with_an_offset(rng, offset, shape):
    x = grid(rng, *shape) + np.float32(offset)
    mean, var = np.zeros(5, "f"), np.zeros(5, "f")
    F.batch_norm(x, mean, var, training=True, momentum=1.0)
    axes = (0, *range(2, x.ndim))
    np.testing.assert_allclose(mean, double(x).mean(axis=axes), rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(var, double(x).var(axis=axes, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("logit", [0, 1e-6, 1, 20, -50, 100, -1e4, 1e4, 1e30, -1e37])
def test_binary_cross_entropy_of_logits_far_out(logit):
    x, target = np.full(4, logit, "f"), np.array([0, 1, 0.5, 0.25], "f")
    same_as_in_double(ops.binary_cross_entropy_with_logits, (x, target), np.ones((), "f"), 1e-6)
    same_as_in_double(ops.binary_cross_entropy_with_logits, (x, target), np.ones(4, "f"), 1e-6, reduction="none")
    right = np.array([logit > 0], "f")                                          # the right class, far from the border
    loss, _ = ops.binary_cross_entropy_with_logits.raw(x[:1], right)
    assert loss == pytest.approx(np.log1p(np.exp(-abs(float(logit)))), rel=1e-6, abs=1e-44)


@pytest.mark.parametrize("name", ["log_softmax", "logsumexp"])
@pytest.mark.parametrize("offset", [*OFFSETS, 1e20, 3e38, -3e38])
def test_log_softmax_and_logsumexp_of_numbers_with_an_offset(rng, offset, name):
    x = grid(rng, 9, 37) + np.float32(offset)
    dy = grid(rng, 9, 37) if name == "log_softmax" else grid(rng, 9)
    same_as_in_double(getattr(ops, name), (x,), dy, 1e-6, axis=-1)
