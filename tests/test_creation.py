"""New tensors under PyTorch's names."""

from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm


@pytest.mark.parametrize("make, value", [(tfm.zeros, 0), (tfm.ones, 1),
                                         (lambda *shape, **o: tfm.full(shape, 2.5, **o), 2.5)])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3)])
def test_one_value_everywhere(make, value, shape):
    x = make(*shape) if shape else make(shape) if make in (tfm.zeros, tfm.ones) else make()
    assert x.shape == shape and x.dtype == np.float32 and not x.requires_grad and np.all(x.data == value)
    y = make(*(shape or (2,)), dtype=np.float64, requires_grad=True)
    (y * y).sum().backward()
    assert y.dtype == np.float64 and np.all(y.grad == 2 * value)


def test_a_shape_is_given_as_lengths_or_together():
    for make in (tfm.zeros, tfm.ones, tfm.rand, tfm.randn):
        assert make(2, 3).shape == make((2, 3)).shape == make([2, 3]).shape == make(np.int64(2), 3).shape == (2, 3)
        with pytest.raises(TypeError, match=r"the shape is missing; expected \w+\(2, 3\), or \w+\(\(\)\) for a single"):
            make()
        with pytest.raises(TypeError, match=r"the shape is \(2.0,\), expected integers"):
            make(2.0)
        with pytest.raises(ValueError, match=r"the shape is \(2, -1\), expected lengths of at least 0"):
            make(2, -1)


def test_full_takes_the_type_of_its_value():
    assert [tfm.full((2,), value).dtype for value in (3, 3.0, True)] == [np.int64, np.float32, bool]
    assert tfm.full((2, 1), 3, dtype=np.float64).tolist() == [[3], [3]]


@pytest.mark.parametrize("arguments, expected", [((3,), [0, 1, 2]), ((1, 4), [1, 2, 3]), ((5, 0, -2), [5, 3, 1]),
                                                 ((0,), []), ((2.5,), [0, 1, 2]), ((0, 1, 0.25), [0, 0.25, 0.5, 0.75]),
                                                 ((1.0, 3), [1, 2])])
def test_arange(arguments, expected):
    x = tfm.arange(*arguments)
    assert x.tolist() == expected and x.dtype == (np.int64 if all(type(a) is int for a in arguments) else np.float32)
    assert tfm.arange(*arguments, dtype=np.float64).dtype == np.float64


@pytest.mark.parametrize("arguments", [(1, 3, 0), (3, 1), (1, 3, -1), (float("nan"),), (0, float("inf"))])
def test_a_range_that_leads_nowhere(arguments):
    with pytest.raises(ValueError, match="arange: "):
        tfm.arange(*arguments)


def test_random_numbers_follow_the_seed_and_their_distribution():
    tfm.manual_seed(5)
    x, u = tfm.randn(100, 100), tfm.rand(100, 100)
    tfm.seed(5)
    np.testing.assert_array_equal(tfm.randn(100, 100), x.data)
    assert abs(x.mean().item()) < 0.05 and abs(x.std().item() - 1) < 0.05 and x.dtype == u.dtype == np.float32
    assert 0 <= u.min().item() < 0.01 and 0.99 < u.max().item() < 1 and abs(u.mean().item() - 0.5) < 0.02
    assert tfm.rand(3, rng=1).tolist() == tfm.rand(3, rng=np.random.default_rng(1)).tolist()
    assert tfm.randn(3, dtype="float64", requires_grad=True).requires_grad
    with pytest.raises(TypeError, match="randn: dtype is int64, expected float32 or float64"):
        tfm.randn(3, dtype=np.int64)


def test_tensors_of_integers_require_no_gradient():
    with pytest.raises(TypeError, match="only float32 and float64 can require a gradient"):
        tfm.arange(3, requires_grad=True)
    with pytest.raises(TypeError, match="float16 cannot be held"):
        tfm.zeros(3, dtype=np.float16)


def test_joining():
    a, b = tfm.ones(2, requires_grad=True), tfm.zeros(2, requires_grad=True)
    y = tfm.cat([a, b, tfm.arange(2)])
    assert y.tolist() == [1, 1, 0, 0, 0, 1] and y.dtype == np.float32
    (y * np.arange(6)).sum().backward()
    assert a.grad.tolist() == [0, 1] and b.grad.tolist() == [2, 3]
    assert tfm.stack([a, b], axis=1).shape == (2, 2) and tfm.stack([tfm.arange(2), a]).dtype == np.float32
    for call, message in ((lambda: tfm.cat([a, b], dim=0), "concatenate: no argument is called dim; write axis"),
                          (lambda: tfm.cat([a, tfm.tensor(1.0)]), "concatenate: "), (lambda: tfm.cat([]),
                          "concatenate: "),
                          (lambda: tfm.stack([]), "stack: "), (lambda: tfm.stack([a, tfm.ones(3)]), "stack: ")):
        with pytest.raises((ValueError, TypeError), match=message):
            call()
