from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from tinyformer import ops
from tinyformer.autograd import Tensor

any_shape = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def adjoint(operation, x, *inputs, **options):
    """These operations are linear, y = Ax, so that ⟨dy, Ax⟩ = ⟨Aᵀdy, x⟩ for any dy."""
    t = Tensor(x, requires_grad=True)
    y = operation(t, *inputs, **options)
    dy = normal(y.shape, 1)
    y.backward(dy)
    assert t.grad.shape == x.shape
    np.testing.assert_allclose(np.sum(dy * y.data), np.sum(t.grad * x), atol=1e-9)
    return y.data


@given(any_shape, st.data())
def test_moving_entries(shape, data):
    x = normal(shape)
    axes = data.draw(st.permutations(range(x.ndim)))
    np.testing.assert_array_equal(adjoint(ops.transpose, x, axes=axes), x.transpose(axes))
    axis = data.draw(st.one_of(st.none(), st.integers(-x.ndim, x.ndim - 1)))
    np.testing.assert_array_equal(adjoint(ops.flip, x, axis=axis), np.flip(x, axis))
    np.testing.assert_array_equal(adjoint(ops.reshape, x, shape=(x.size, 1)), x.reshape(x.size, 1))
    widths = tuple(data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) for _ in shape)
    np.testing.assert_array_equal(adjoint(ops.pad, x, widths=widths), np.pad(x, widths))


@given(any_shape, st.data())
def test_basic_indices(shape, data):
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    np.testing.assert_array_equal(adjoint(ops.getitem, normal(shape), index), normal(shape)[index])


@given(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
def test_array_indices_with_repeats(shape, data):
    index = data.draw(hnp.integer_array_indices(shape))
    np.testing.assert_array_equal(adjoint(ops.getitem, normal(shape), index), normal(shape)[index])


def test_an_entry_taken_twice_gets_both_gradients():
    x = Tensor(np.zeros(4), requires_grad=True)
    x[np.array([1, 1, 3])].backward(np.array([10.0, 1.0, 5.0]))
    assert x.grad.tolist() == [0, 11, 0, 5]
    for index in ([2, 2], Tensor(np.array([2, 2])), ([2, 2],), (Tensor(np.array([2, 2])),)):
        x.grad = None
        x[index].backward(np.array([1.0, 2.0]))
        assert x.grad.tolist() == [0, 0, 3, 0]


@given(hnp.mutually_broadcastable_shapes(num_shapes=1, base_shape=(2, 3, 4), max_dims=3))
def test_broadcast_to(shapes):
    x = normal(shapes.input_shapes[0])
    np.testing.assert_array_equal(adjoint(ops.broadcast_to, x, shape=(2, 3, 4)), np.broadcast_to(x, (2, 3, 4)))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(-2, 1))
def test_concatenate_and_split_undo_each_other(lengths, axis):
    shape = lambda n: (n, 2) if axis in (0, -2) else (2, n)
    parts = [Tensor(normal(shape(n), i), requires_grad=True) for i, n in enumerate(lengths)]
    whole = ops.concatenate(parts, axis=axis)
    again = ops.split(whole, sections=lengths, axis=axis)
    assert [p.shape for p in again] == [p.shape for p in parts]
    dys = [normal(p.shape, 9 + i) for i, p in enumerate(parts)]
    for p, dy in zip(again, dys):
        p.backward(dy, retain_graph=True)
    for p, q, dy in zip(parts, again, dys):
        np.testing.assert_array_equal(q.data, p.data)
        np.testing.assert_array_equal(p.grad, dy)


def test_stack_takes_a_list_too():
    a, b = Tensor(np.ones(2), requires_grad=True), Tensor(np.zeros(2), requires_grad=True)
    y = ops.stack([a, b], axis=1)
    y.backward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert y.data.tolist() == [[1, 0], [1, 0]] and a.grad.tolist() == [1, 3] and b.grad.tolist() == [2, 4]


def test_as_methods():
    x = Tensor(normal((2, 3, 4)))
    for y, shape in ((x.reshape(6, 4), (6, 4)), (x.reshape((4, -1)), (4, 6)), (x.T, (4, 3, 2)),
                     (x.transpose(), (4, 3, 2)),
                     (x.transpose(0, 2, 1), (2, 4, 3)), (x.transpose((2, 0, 1)), (4, 2, 3)),
                     (x.swapaxes(0, -1), (4, 3, 2))):
        assert y.shape == shape
    assert [row.shape for row in x] == [(3, 4), (3, 4)]


def test_errors():
    x = Tensor(normal((2, 3)))
    with pytest.raises(ValueError, match=r"split: axis 1 has length 3; it cannot be split into 2"):
        x.split(sections=2, axis=1)
    with pytest.raises(ValueError, match="pad: got widths for 1 axes, expected 2"):
        x.pad(widths=((1, 1),))
    with pytest.raises(ValueError, match=r"reshape: .*\(inputs: \(2, 3\)\)"):
        x.reshape(4, 2)
    with pytest.raises(IndexError, match="getitem: .*out of bounds"):
        x[5]
    with pytest.raises(ValueError, match="concatenate: "):
        ops.concatenate(x, Tensor(normal((2, 4))))
