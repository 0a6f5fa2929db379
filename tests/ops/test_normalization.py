from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from tinyformer import ops
from tinyformer.autograd import Tensor

shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=2, max_side=5)


@given(shapes)
def test_layer_norm_has_mean_0_and_variance_1(shape):
    x = np.random.default_rng(0).normal(3, 5, shape)
    y, vjp = ops.layer_norm.raw(x, eps=0.0)
    np.testing.assert_allclose(y.mean(axis=-1), 0, atol=1e-9)
    np.testing.assert_allclose(y.var(axis=-1), 1, rtol=1e-9)
    dx = vjp(np.random.default_rng(1).standard_normal(shape))[0]
    # Neither a shift nor a scale of x changes y, so dx has no part along either.
    np.testing.assert_allclose(dx.sum(axis=-1), 0, atol=1e-9)
    np.testing.assert_allclose((dx * x).sum(axis=-1), 0, atol=1e-9)


@given(shapes)
def test_rms_norm_has_mean_square_1(shape):
    x = np.random.default_rng(0).normal(3, 5, shape)
    y, vjp = ops.rms_norm.raw(x, eps=0.0)
    np.testing.assert_allclose((y * y).mean(axis=-1), 1, rtol=1e-12)
    np.testing.assert_allclose((vjp(np.random.default_rng(1).standard_normal(shape))[0] * x).sum(axis=-1), 0, atol=1e-9)


@given(hnp.array_shapes(min_dims=2, max_dims=4, min_side=2, max_side=5))
def test_batch_norm_of_the_batch_and_of_constants(shape):
    x = np.random.default_rng(0).normal(3, 5, shape)
    axes = (0, *range(2, x.ndim))
    y = ops.batch_norm.raw(x, eps=0.0)[0]
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-9)
    np.testing.assert_allclose(y.var(axis=axes), 1, rtol=1e-9)
    again = ops.batch_norm.raw(x, mean=x.mean(axis=axes), var=x.var(axis=axes), eps=0.0)[0]
    np.testing.assert_allclose(again, y, atol=1e-12)


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("shape", [(0, 4), (2, 0, 4)])
def test_no_rows(name, shape):
    x, weight = Tensor(np.zeros(shape), requires_grad=True), Tensor(np.ones(4), requires_grad=True)
    y = getattr(ops, name)(x, weight)
    y.backward(np.zeros(shape))
    assert y.shape == x.grad.shape == shape and weight.grad.tolist() == [0] * 4


def test_a_constant_row_is_finite():
    x = np.full((2, 4), 1e4, np.float32)
    with np.errstate(all="raise"):
        y, vjp = ops.layer_norm.raw(x)
        assert (y == 0).all() and np.isfinite(vjp(np.eye(2, 4, dtype=np.float32))[0]).all()


def test_errors():
    x = Tensor(np.ones((2, 3)))
    for name in ("layer_norm", "rms_norm"):
        with pytest.raises(ValueError, match=rf"{name}: weight has shape \(4,\), but x is \(2, 3\): expected \(3,\)"):
            getattr(ops, name)(x, np.ones(4))
    with pytest.raises(ValueError, match=r"layer_norm: bias has shape \(1, 3\)"):
        ops.layer_norm(x, None, np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"batch_norm: x has shape \(3,\), expected \(N, C\)"):
        ops.batch_norm(Tensor(np.ones(3)))
    with pytest.raises(ValueError, match=r"batch_norm: var has shape \(2,\).*expected \(3,\)"):
        ops.batch_norm(x, mean=np.ones(3), var=np.ones(2))
