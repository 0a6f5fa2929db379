from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from tinyformer import ops
from tinyformer.autograd import Tensor


@given(hnp.arrays(st.sampled_from([np.int32, np.int64, np.uint8]), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
                  elements=st.integers(0, 4)), st.integers(0, 3))
def test_a_row_gets_the_sum_of_the_gradients_of_its_places(indices, width):
    weight = Tensor(np.random.default_rng(0).standard_normal((5, width)), requires_grad=True)
    y = ops.embedding(indices, weight)
    np.testing.assert_array_equal(y.data, weight.data[indices])
    dy = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(dy)
    expected = np.zeros((5, width))
    np.add.at(expected, indices, dy)
    np.testing.assert_allclose(weight.grad, expected, atol=1e-12)


def test_the_padding_row_gets_no_gradient():
    weight = Tensor(np.ones((3, 2)), requires_grad=True)
    ops.embedding(np.array([0, 1, 1, 2]), weight, padding_idx=1).sum().backward()
    assert weight.grad.tolist() == [[1, 1], [0, 0], [1, 1]]


@pytest.mark.parametrize("indices, error, words", [
    ([0.5], TypeError, "embedding: indices are float.*, expected integers"),
    (np.array([True]), TypeError, "embedding: indices are bool"),
    ([0, 3], ValueError, r"embedding: indices lie in 0…3, expected 0…2"),
    ([-1], ValueError, r"embedding: indices lie in -1…-1, expected 0…2"),
])
def test_errors(indices, error, words):
    with pytest.raises(error, match=words):
        ops.embedding(indices, Tensor(np.ones((3, 2)), requires_grad=True))
