"""Clipping by norm and by value."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyformer.autograd import Tensor
from tinyformer.optim import clip_grad_norm_, clip_grad_value_


def with_gradients(*gradients, dtype=np.float64):
    params = [Tensor(np.zeros(np.shape(g), dtype), requires_grad=True) for g in gradients]
    for p, g in zip(params, gradients):
        p.grad = np.array(g, dtype)
    return params


def test_a_long_gradient_is_shortened_and_keeps_its_direction():
    params = with_gradients([3.0, 0.0], [[4.0]])
    arrays = [p.grad for p in params]
    norm = clip_grad_norm_(iter(params), 1.0)
    assert type(norm) is float and norm == 5.0
    np.testing.assert_allclose(params[0].grad, [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(params[1].grad, [[0.8]], rtol=1e-6)
    assert all(p.grad is array for p, array in zip(params, arrays))


def test_a_short_gradient_is_left_alone():
    params = with_gradients([3.0, 4.0])
    assert clip_grad_norm_(params, 5.1) == 5.0
    np.testing.assert_array_equal(params[0].grad, [3.0, 4.0])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_not_finite_is_returned_and_nothing_touched(bad):
    params = with_gradients([3.0, 0.0], [bad])
    norm = clip_grad_norm_(params, 1.0)
    assert not math.isfinite(norm) and math.isnan(norm) == math.isnan(bad)
    np.testing.assert_array_equal(params[0].grad, [3.0, 0.0])
    np.testing.assert_array_equal(params[1].grad, [bad])


def test_float32_stays_and_large_numbers_do_not_overflow():
    params = with_gradients([3e30, 4e30], dtype=np.float32)
    assert clip_grad_norm_(params, 1.0) == pytest.approx(5e30, rel=1e-6)
    assert params[0].grad.dtype == np.float32
    np.testing.assert_allclose(params[0].grad, [0.6, 0.8], rtol=1e-6)


def test_parameters_without_a_gradient_do_not_count():
    params = with_gradients([3.0, 4.0]) + [Tensor(np.ones(2), requires_grad=True)]
    assert clip_grad_norm_(params, 1.0) == 5.0
    clip_grad_value_(params, 0.1)
    assert params[1].grad is None
    assert clip_grad_norm_(params[1:], 1.0) == 0.0


def test_values_are_held_within_bounds():
    params = with_gradients([-3.0, 0.5, 2.0], dtype=np.float32)
    array = params[0].grad
    clip_grad_value_(params[0], np.float64(1.0))
    assert params[0].grad is array and array.dtype == np.float32
    np.testing.assert_array_equal(array, [-1.0, 0.5, 1.0])


@pytest.mark.parametrize("clip, name", [(clip_grad_norm_, "max_norm"), (clip_grad_value_, "clip_value")])
def test_errors(clip, name):
    with pytest.raises(ValueError, match=f"{clip.__name__}: {name} is -1, expected a number of at least 0"):
        clip(with_gradients([1.0]), -1)
    with pytest.raises(ValueError, match=f"{name} is nan"):
        clip(with_gradients([1.0]), math.nan)
    with pytest.raises(TypeError, match=f"{clip.__name__}: parameter 0 is a ndarray, expected a Tensor"):
        clip([np.ones(2)], 1.0)
