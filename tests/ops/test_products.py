from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from tinyformer import ops
from tinyformer.autograd import Tensor


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@given(hnp.mutually_broadcastable_shapes(signature="(m,k),(k,n)->(m,n)", max_dims=2, min_side=0, max_side=4))
def test_matmul_of_any_shape_is_einsum(shapes):
    a, b = shapes.input_shapes
    tensors = Tensor(normal(a), requires_grad=True), Tensor(normal(b, 1), requires_grad=True)
    z = tensors[0] @ tensors[1]
    np.testing.assert_allclose(z.data, np.einsum("...mk,...kn->...mn", tensors[0].data, tensors[1].data), atol=1e-12)
    dz = normal(z.shape, 2)
    z.backward(dz)
    # z is linear in each operand: ⟨dz, z⟩ = ⟨dx, x⟩ = ⟨dy, y⟩.
    for t in tensors:
        assert t.grad.shape == t.shape
        np.testing.assert_allclose(np.sum(t.grad * t.data), np.sum(dz * z.data), atol=1e-9)


@given(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4), st.integers(0, 4), st.booleans())
def test_linear_of_any_shape_is_a_product(shape, width, with_bias):
    x, weight = normal(shape), normal((width, shape[-1]), 1)
    bias = normal(width, 2) if with_bias else None
    tensors = [None if a is None else Tensor(a, requires_grad=True) for a in (x, weight, bias)]
    y = ops.linear(*tensors)
    np.testing.assert_allclose(y.data, x @ weight.T + (0 if bias is None else bias), atol=1e-12)
    dy = normal(y.shape, 3)
    y.backward(dy)
    axes = "abcd"[:x.ndim - 1]
    np.testing.assert_allclose(tensors[0].grad, dy @ weight, atol=1e-12)
    np.testing.assert_allclose(tensors[1].grad, np.einsum(f"{axes}o,{axes}i->oi", dy, x), atol=1e-12)
    if bias is not None:
        np.testing.assert_allclose(tensors[2].grad, np.einsum(f"{axes}o->o", dy), atol=1e-12)


def test_a_plain_array_on_either_side():
    w = Tensor(normal((3, 4)), requires_grad=True)
    (normal((2, 3)) @ w).sum().backward()
    (w @ normal((4, 5))).sum().backward()
    np.testing.assert_allclose(w.grad, normal((2, 3)).sum(axis=0)[:, None] + normal((4, 5)).sum(axis=1))


@pytest.mark.parametrize("call, error, words", [
    (lambda x: ops.linear(x, np.ones((4, 5))), ValueError,
     r"linear: x has 3 features in its last axis, but weight is \(4, 5\): expected 5"),
    (lambda x: ops.linear(x, np.ones(3)), ValueError, r"linear: weight has shape \(3,\), expected \(out, in\)"),
    (lambda x: ops.linear(x, np.ones((4, 3)), np.ones(5)), ValueError, r"bias has shape \(5,\).*expected \(4,\)"),
    (lambda x: ops.linear(x.sum(), np.ones((4, 3))), ValueError, "linear: x has no axis"),
    (lambda x: x @ np.ones((4, 3)), ValueError, r"matmul: a has shape \(2, 3\) and b has shape \(4, 3\)"),
    (lambda x: x @ 2.0, ValueError, r"matmul: a has shape \(2, 3\) and b has shape \(\)"),
    (lambda x: ops.einsum("ij,jk", x, x), ValueError, "einsum: got 'ij,jk' for 2 operands; expected explicit"),
    (lambda x: ops.einsum("ij->i", x, x), ValueError, "einsum: got 'ij->i' for 2 operands"),
    (lambda x: ops.einsum("ii->i", x), ValueError, "einsum: 'ii->i' takes a diagonal"),
    (lambda x: ops.einsum("ijk->i", x), ValueError, "einsum: "),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(Tensor(np.ones((2, 3))))
