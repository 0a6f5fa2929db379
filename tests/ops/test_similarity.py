"""Unit vectors, squared distances and the contrastive loss: what the tests of all operations do not ask."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyformer import ops
from tinyformer.autograd import Tensor
from tinyformer.nn import functional as F
from tinyformer.resampling import bilinear


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1, 1e12, 1e30])
def test_the_length_is_divided_out_and_has_no_gradient(rng, size):
    x = (rng.standard_normal((5, 7)) * size).astype("f")
    u, vjp = ops.normalize.raw(x, eps=1e-37)
    np.testing.assert_allclose((u.astype("d") ** 2).sum(1), 1, rtol=1e-6)
    du = rng.standard_normal((5, 7)).astype("f")
    dx = vjp(du)
    assert u.dtype == dx.dtype == np.float32
    assert np.abs((dx.astype("d") * x).sum(1)).max() < 1e-5                     # dx is orthogonal to x


def test_a_zero_vector_stays_zero():
    u, vjp = ops.normalize.raw(np.zeros((1, 3)), eps=0.5)
    np.testing.assert_array_equal(u, 0)
    np.testing.assert_array_equal(vjp(np.ones((1, 3))), 2)


def test_equal_vectors_have_distance_zero_to_the_last_bit(rng):
    x = (rng.standard_normal((3, 8)) + 1e4).astype("f")
    distances, _ = ops.squared_distances.raw(x, x)
    np.testing.assert_array_equal(np.diag(distances), 0)
    assert distances.min() == 0


@pytest.mark.parametrize("within, candidates", [(False, 6), (True, 11)])
def test_vectors_that_say_nothing_cost_the_logarithm_of_the_candidates(within, candidates):
    a = np.ones((6, 3))
    loss, vjp = ops.contrastive_loss.raw(a, a, np.array(1.0), within=within)
    assert loss == pytest.approx(math.log(candidates))
    np.testing.assert_allclose(vjp(1.0)[0], 0, atol=1e-15)


def test_the_loss_is_half_the_rows_and_half_the_columns(rng):
    a, b = (Tensor(rng.standard_normal((5, 3)), requires_grad=True) for _ in range(2))
    logits, right = math.exp(0.7) * (a @ b.T), np.arange(5)
    expected = 0.5 * (ops.cross_entropy(logits, right) + ops.cross_entropy(logits.T, right))
    assert ops.contrastive_loss(a, b, 0.7).item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("scale", [0.0, 4.6, 20.0])
def test_a_high_scale_overflows_nothing(rng, scale):
    a = rng.standard_normal((4, 3)).astype("f")
    loss, vjp = ops.contrastive_loss.raw(a, a[::-1], np.float32(scale))
    assert np.isfinite(loss) and all(np.isfinite(g).all() for g in vjp(np.float32(1)))


@pytest.mark.parametrize("call, message", [
    (lambda: ops.contrastive_loss(np.ones((3, 2)), np.ones((2, 2)), 0.0), r"a has shape \(3, 2\) and b \(2, 2\)"),
    (lambda: ops.contrastive_loss(np.ones((3, 2)), np.ones((3, 2)), np.ones(2)), "logit_scale has shape"),
    (lambda: ops.squared_distances(np.ones((3, 2)), np.ones((3, 4))), "squared_distances: x has shape"),
    (lambda: ops.normalize(np.ones((3, 2)), axis=2), "normalize: axis is 2"),
    (lambda: ops.grid_sample(np.ones((1, 1, 4, 4)), np.ones((2, 3, 3, 2))), "grid_sample: x has shape"),
    (lambda: F.normalize(np.ones((3, 2)), p=1), "normalize: p is 1, expected 2"),
    (lambda: F.grid_sample(np.ones((1, 1, 4, 4)), np.ones((1, 3, 3, 2)), mode="nearest"), "mode is 'nearest'")])
def test_wrong_shapes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_places_of_the_pixels_give_the_picture_and_those_outside_zero(rng):
    x = rng.standard_normal((2, 3, 4, 5))
    rows, columns = (np.broadcast_to(a, (2, 4, 5)) for a in np.meshgrid(np.arange(4.0), np.arange(5.0), indexing="ij"))
    np.testing.assert_array_equal(bilinear(x, rows, columns)[0], x)
    np.testing.assert_array_equal(bilinear(x, rows + 9, columns)[0], 0)
    np.testing.assert_allclose(bilinear(x, rows[:, :3] + 0.5, columns[:, :3])[0], (x[:, :, 1:] + x[:, :, :-1]) / 2)
