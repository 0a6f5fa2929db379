"""Optimizers and clipping at the edges of the floating-point types."""

import copy

import numpy as np
import pytest

from tinyformer import optim
from tinyformer.autograd import Tensor, tensor
from tinyformer.nn.module import Parameter


@pytest.mark.parametrize("dtype, size", [(np.float32, 1e-30), (np.float32, 1e30), (np.float64, 1e200),
                                         (np.float64, 1e-200)])
def test_the_length_of_gradients_whose_squares_leave_the_range(dtype, size):
    p = Tensor(np.zeros(2, dtype), requires_grad=True)
    p.grad = np.array([3 * size, 4 * size], dtype)
    assert optim.clip_grad_norm_([p], 1.0) == pytest.approx(5 * size, rel=1e-6, abs=0)
    expected = [0.6, 0.8] if size > 1 else [3 * size, 4 * size]
    np.testing.assert_allclose(p.grad, expected, rtol=1e-6)


@pytest.mark.parametrize("make", [optim.AdamW, optim.Adam, optim.SGD])
def test_a_step_after_the_parameters_changed_their_type(make):
    p = Tensor(np.ones(3, np.float32), requires_grad=True)
    stepper = make((q for q in [p]), lr=0.1, **({"momentum": 0.9} if make is optim.SGD else {}))
    p.grad = np.ones(3, np.float32)
    stepper.step()
    p.data, p.grad = p.data.astype(np.float64), np.ones(3)
    before = p.data.copy()
    stepper.step()
    assert p.dtype == np.float64 and (p.data < before).all()
    assert all(a.dtype == np.float64 for a in stepper.state_dict()["arrays"].values())


def test_a_masked_array_is_refused():
    masked = np.ma.array([1.0, 2.0], mask=[True, False])
    with pytest.raises(TypeError, match="tensor: a masked array would lose its mask"):
        tensor(masked)
    with pytest.raises(TypeError, match="add: a masked array would lose its mask"):
        tensor([1.0, 2.0]) + masked


def test_a_deep_copy_of_a_leaf_and_of_a_computed_tensor():
    leaf = tensor([1.0, 2.0], requires_grad=True)
    leaf.grad = np.ones(2, np.float32)
    copied = copy.deepcopy([leaf, leaf])
    assert copied[0] is copied[1] and copied[0].requires_grad
    copied[0].data[0] = copied[0].grad[0] = 7
    assert leaf.data[0] == 1 and leaf.grad[0] == 1
    assert type(copy.deepcopy(Parameter(np.ones(2, np.float32)))) is Parameter
    with pytest.raises(RuntimeError, match="deepcopy: this tensor was computed by"):
        copy.deepcopy(leaf * 2)
