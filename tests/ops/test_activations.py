from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from tinyformer import ops
from tinyformer.autograd import Tensor

FAR = np.array([-1e4, -1e3, -50.0, 0.0, 50.0, 1e3, 1e4])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name, limit", [
    ("sigmoid", lambda x: (x > 0) + 0.5 * (x == 0)), ("softplus", lambda x: np.maximum(x, 0) + math.log(2) * (x == 0)),
    ("silu", lambda x: np.maximum(x, 0)), ("gelu", lambda x: np.maximum(x, 0)), ("relu", lambda x: np.maximum(x, 0)),
    ("tanh", np.sign)])
def test_far_from_zero_nothing_overflows(name, limit, dtype):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y, vjp = getattr(ops, name).raw(FAR.astype(dtype))
        dx = vjp(np.ones(len(FAR), dtype))
    np.testing.assert_allclose(y, limit(FAR), atol=1e-7)
    slopes = {"sigmoid": 0.25 * (FAR == 0), "tanh": 1.0 * (FAR == 0), "relu": FAR > 0}
    np.testing.assert_allclose(dx, slopes.get(name, (FAR > 0) + 0.5 * (FAR == 0)), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_of_large_values(dtype, axis):
    x = np.stack([FAR, FAR[::-1], np.full(7, 1e4), np.full(7, -1e4)]).astype(dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        p, vjp = ops.softmax.raw(x, axis=axis)
        logp, log_vjp = ops.log_softmax.raw(x, axis=axis)
        assert np.isfinite(vjp(x)).all() and np.isfinite(log_vjp(np.ones_like(x))).all()
    np.testing.assert_allclose(p.sum(axis=axis), 1, rtol=1e-6)
    np.testing.assert_allclose(np.exp(logp), p, atol=1e-6)


def test_a_softmax_row_of_minus_infinity_gives_zeros():
    x = np.array([[0.0, -np.inf], [-np.inf, -np.inf]])
    with np.errstate(all="raise"):
        p, vjp = ops.softmax.raw(x)
        dx = vjp(np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(p, [[1, 0], [0, 0]])
    np.testing.assert_array_equal(dx, np.zeros((2, 2)))


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=6), elements=st.floats(-50, 50)), st.data())
def test_softmax_is_a_distribution_and_ignores_a_shift(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    p, vjp = ops.softmax.raw(x, axis=axis)
    np.testing.assert_allclose(p.sum(axis=axis), 1, rtol=1e-12)
    np.testing.assert_allclose(ops.softmax.raw(x + 3, axis=axis)[0], p, rtol=1e-11)
    dp = np.random.default_rng(0).standard_normal(x.shape)
    np.testing.assert_allclose(vjp(dp).sum(axis=axis), 0, atol=1e-12)           # a shift changes nothing


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "tanh", "silu", "softplus", "gelu", "softmax",
                                  "exp"])
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 4), (2, 0, 5)])
def test_nothing_in_nothing_out(name, shape):
    y, vjp = getattr(ops, name).raw(np.zeros(shape))
    assert y.shape == shape and vjp(np.zeros(shape)).shape == shape


def test_gelu_is_the_normal_distribution_function():
    x = np.linspace(-8, 8, 201)
    exact = [v * 0.5 * math.erfc(-v / math.sqrt(2)) for v in x]
    np.testing.assert_allclose(ops.gelu(Tensor(x)).data, exact, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(ops.gelu(Tensor(x), approximate="tanh").data, exact, atol=5e-4)


def test_gelu_names_its_forms():
    with pytest.raises(ValueError, match="gelu: approximate is 'fast', expected 'none' or 'tanh'"):
        ops.gelu(Tensor(np.ones(3)), approximate="fast")


def test_an_axis_that_is_not_there():
    with pytest.raises(ValueError, match="softmax: axis is 2, expected an integer from -2 to 1"):
        ops.softmax(Tensor(np.ones((2, 3))), axis=2)
