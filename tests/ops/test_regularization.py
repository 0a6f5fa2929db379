from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import ops
from tinyformer.autograd import Tensor


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_passes_the_gradient_where_it_kept(p):
    x = Tensor(np.ones(20_000, np.float32), requires_grad=True)
    y = ops.dropout(x, p=p, rng=0)
    kept = y.data != 0
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data[kept], 1 / (1 - p), rtol=1e-6)
    assert abs(kept.mean() - (1 - p)) < 0.02                            # more than five standard deviations
    dy = np.random.default_rng(1).standard_normal(20_000).astype(np.float32)
    y.backward(dy)
    np.testing.assert_allclose(x.grad, dy * y.data, rtol=1e-6)


def test_the_framework_s_seed_decides():
    x = Tensor(np.ones(100))
    tfm.seed(1)
    first, second = ops.dropout(x).data, ops.dropout(x).data
    tfm.seed(1)
    np.testing.assert_array_equal(ops.dropout(x).data, first)
    assert (first != second).any()


@pytest.mark.parametrize("p", [1.5, -0.1, float("nan")])
def test_errors(p):
    with pytest.raises(ValueError, match=f"dropout: p is {p}, expected 0 ≤ p ≤ 1"):
        ops.dropout(Tensor(np.ones(3)), p=p)


def test_probability_one_gives_zeros_and_zeros_as_the_gradient():
    x = Tensor(np.arange(3.), requires_grad=True)
    y = ops.dropout(x, p=1)
    y.sum().backward()
    np.testing.assert_array_equal(y.data, np.zeros(3))
    np.testing.assert_array_equal(x.grad, np.zeros(3))
    q = Tensor(np.ones((1, 2, 3, 4)), requires_grad=True)
    y = ops.scaled_dot_product_attention(q, q, q, dropout_p=1.0)
    y.sum().backward()
    np.testing.assert_array_equal(y.data, 0)
    np.testing.assert_array_equal(q.grad, 0)
