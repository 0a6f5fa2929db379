from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from tinyformer import ops
from tinyformer.autograd import Tensor

shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=4)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"])
@given(shapes=shapes)
def test_a_gradient_is_summed_over_broadcast_axes(name, shapes):
    """Broadcasting by hand first must give the same gradients, summed."""
    rng = np.random.default_rng(0)
    (a, b), out = shapes.input_shapes, shapes.result_shape
    x, y = rng.uniform(0.5, 2, a), rng.uniform(0.5, 2, b)
    dz = rng.standard_normal(out)
    tensors = Tensor(x, requires_grad=True), Tensor(y, requires_grad=True)
    z = getattr(ops, name)(*tensors)
    z.backward(dz)
    wide, vjp = getattr(ops, name).raw(np.broadcast_to(x, out).copy(), np.broadcast_to(y, out).copy())
    np.testing.assert_array_equal(z.data, wide)
    for tensor, dx in zip(tensors, vjp(dz)):
        axes = tuple(range(dx.ndim - tensor.ndim))
        dx = dx.sum(axis=axes)
        dx = dx.sum(axis=tuple(i for i, n in enumerate(tensor.shape) if n == 1), keepdims=True)
        assert tensor.grad.shape == tensor.shape
        np.testing.assert_allclose(tensor.grad, dx, rtol=1e-12, atol=1e-12)


@given(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0), st.booleans())
def test_where_splits_the_gradient(shape, scalar):
    rng = np.random.default_rng(0)
    condition, dz = rng.random(shape) < 0.5, rng.standard_normal(shape)
    x, y = Tensor(rng.standard_normal(shape), True), Tensor(rng.standard_normal(() if scalar else shape), True)
    z = ops.where(condition, x, y)
    z.backward(dz)
    np.testing.assert_array_equal(z.data, np.where(condition, x.data, y.data))
    np.testing.assert_array_equal(x.grad, np.where(condition, dz, 0))
    rest = np.where(condition, 0, dz)
    np.testing.assert_allclose(y.grad, rest.sum() if scalar else rest, atol=1e-12)


def gradients(operation, *arrays):
    tensors = [Tensor(np.array(a, np.float64), requires_grad=True) for a in arrays]
    operation(*tensors).sum().backward()
    return [t.grad.tolist() for t in tensors]


def test_equals_share_the_gradient():
    assert gradients(ops.maximum, [1, 2, 3], [3, 2, 1]) == [[0, 0.5, 1], [1, 0.5, 0]]
    assert gradients(ops.minimum, [1, 2, 3], [3, 2, 1]) == [[1, 0.5, 0], [0, 0.5, 1]]


def test_power_at_zero():
    with np.errstate(divide="raise", invalid="raise"):
        assert gradients(ops.power, [0, 0, 0], [0, 1, 2]) == [[0, 1, 0], [0, 0, 0]]
    x = Tensor(np.array([0.0, -2.0]), requires_grad=True)
    (x ** 3).sum().backward()
    assert x.grad.tolist() == [0, 12]


def test_the_kink_of_abs_and_the_ends_of_clip():
    assert gradients(ops.abs, [-2, 0, 3]) == [[-1, 0, 1]]
    x = Tensor(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), requires_grad=True)
    x.clip(0, 1).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_integer_arrays_take_the_floating_type():
    x, i = Tensor(np.ones(3, np.float32), requires_grad=True), np.array([1, 2, 3])
    for y in (x + i, i + x, x * Tensor(i), x / i, i - x, x ** i, ops.maximum(x, i), ops.where(i > 1, x, i)):
        assert y.dtype == np.float32
    (x * Tensor(i)).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [1, 2, 3]


def test_reflected_operators():
    x = Tensor(np.array([1.0, 4.0]), requires_grad=True)
    ((2 - x) + (2 / x) + 2 ** x + (3 * x)).sum().backward()
    np.testing.assert_allclose(x.grad, -1 - 2 / x.data ** 2 + 2 ** x.data * np.log(2) + 3)


def test_astype_changes_the_type_there_and_back():
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    y = x.astype(np.float64)
    (y * np.array([1.0, 2.0, 3.0])).sum().backward()
    assert y.dtype == np.float64 and x.grad.dtype == np.float32 and x.grad.tolist() == [1, 2, 3]
    assert not x.astype(np.int64).requires_grad


def test_errors():
    x = Tensor(np.ones((2, 3)))
    with pytest.raises(TypeError, match="where: condition is float64, expected bool"):
        ops.where(np.ones(3), x, x)
    with pytest.raises(ValueError, match="clip: expected min, max or both"):
        x.clip()
    with pytest.raises(ValueError, match=r"add: .*broadcast.* \(inputs: \(2, 3\), \(4,\)\)"):
        x + np.ones(4)
