from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from tinyformer import ops
from tinyformer.autograd import Tensor

NUMPY = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min,
         "var": lambda x, **o: np.var(x, ddof=1, **o), "std": lambda x, **o: np.std(x, ddof=1, **o),
         "logsumexp": lambda x, **o: np.log(np.sum(np.exp(x), **o))}


@st.composite
def arrays_and_axes(draw, min_side=1):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=min_side, max_side=4))
    axis = draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1),
                          hnp.valid_tuple_axes(len(shape), min_size=1)))
    return np.random.default_rng(draw(st.integers(0, 99))).standard_normal(shape), axis


@pytest.mark.parametrize("name", NUMPY)
@given(example=arrays_and_axes(), keepdims=st.booleans())
def test_value_and_the_gradient_s_shape(name, example, keepdims):
    x, axis = example
    if name in ("var", "std") and np.sum(x, axis=axis).size == x.size:
        return                                              # the variance of one entry is not defined
    t = Tensor(x, requires_grad=True)
    y = getattr(ops, name)(t, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(y.data, NUMPY[name](x, axis=axis, keepdims=keepdims), rtol=1e-12, atol=1e-12)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(dy)
    assert t.grad.shape == x.shape
    # All but var and std give each of dy out in shares that sum to one, or to n for a sum.
    total = {"var": 0, "std": 0, "sum": np.sum(dy) * (x.size // max(dy.size, 1))}.get(name, np.sum(dy))
    np.testing.assert_allclose(t.grad.sum(), total, rtol=1e-9, atol=1e-9)


@given(arrays_and_axes(min_side=0), st.booleans())
def test_sums_of_nothing(example, keepdims):
    x, axis = example
    t = Tensor(x, requires_grad=True)
    y = t.sum(axis=axis, keepdims=keepdims)
    y.backward(np.ones(y.shape))
    np.testing.assert_array_equal(t.grad, np.ones(x.shape))


def test_the_largest_of_nothing_is_an_error():
    with pytest.raises(ValueError, match=r"max: .*no identity.*\(inputs: \(0, 3\)\)"):
        Tensor(np.zeros((0, 3))).max()


@pytest.mark.parametrize("name", ["var", "std"])
def test_fewer_entries_than_the_correction_are_refused(name):
    x = Tensor(np.ones((2, 4)))
    with pytest.raises(ValueError, match=f"{name}: 2 entries with a correction of 3; expected at least 3"):
        getattr(x, name)(axis=0, correction=3)
    assert getattr(x, name)(axis=1, correction=3).tolist() == [0, 0]


def test_equals_share_the_gradient():
    x = Tensor(np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), requires_grad=True)
    x.max(axis=1).backward(np.array([1.0, 3.0]))
    np.testing.assert_allclose(x.grad, [[0, 0.5, 0.5], [1, 1, 1]])
    x.grad = None
    x.min().backward()
    np.testing.assert_allclose(x.grad, [[1, 0, 0], [0, 0, 0]])


def test_logsumexp_at_the_ends():
    x = np.array([[1e4, 1e4], [-1e4, -1e4], [1e4, -1e4]])
    with np.errstate(all="raise", under="ignore"):
        y, vjp = ops.logsumexp.raw(x, axis=1)
        dx = vjp(np.ones(3))
    np.testing.assert_allclose(y, [1e4 + np.log(2), -1e4 + np.log(2), 1e4])
    np.testing.assert_allclose(dx, [[0.5, 0.5], [0.5, 0.5], [1, 0]])
    y, vjp = ops.logsumexp.raw(np.full((1, 2), -np.inf), axis=1)
    assert y.tolist() == [-np.inf] and vjp(np.ones(1)).tolist() == [[0, 0]]


@given(arrays_and_axes(min_side=0), st.data())
def test_the_gradient_of_cumsum_sums_from_behind(example, data):
    x = example[0]
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    y, vjp = ops.cumsum.raw(x, axis=axis)
    dy = np.random.default_rng(2).standard_normal(y.shape)
    np.testing.assert_allclose(np.sum(dy * y), np.sum(vjp(dy) * x), atol=1e-9)      # it is linear: ⟨dy, Ax⟩ = ⟨Aᵀdy, x⟩
