from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyformer import ops
from tinyformer.autograd import Tensor


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@given(st.integers(0, 5), st.integers(1, 6), st.sampled_from([0.0, 0.1, 1.0]), st.data())
def test_cross_entropy_is_its_definition(N, V, smoothing, data):
    logits, targets = normal((N, V)), np.array(data.draw(st.lists(st.integers(-1, V - 1), min_size=N, max_size=N)), int)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    t = ((1 - smoothing) * np.eye(V)[targets] + smoothing / V) * (targets != -1)[:, None]
    losses = -(t * np.log(p)).sum(axis=1)
    counted = np.count_nonzero(targets != -1)
    options = {"ignore_index": -1, "label_smoothing": smoothing}
    mean = losses.sum() / counted if counted else np.nan
    for reduction, value in (("none", losses), ("sum", losses.sum()), ("mean", mean)):
        x = Tensor(logits, requires_grad=True)
        loss = ops.cross_entropy(x, targets, reduction=reduction, **options)
        np.testing.assert_allclose(loss.data, value, rtol=1e-11, atol=1e-12)
        if counted:
            dL = normal(loss.shape, 1)
            loss.backward(dL)
            dp = (p * t.sum(axis=1, keepdims=True)
                  - t) * np.reshape(dL, (-1, 1)) / (counted if reduction == "mean" else 1)
            np.testing.assert_allclose(x.grad, dp, atol=1e-12)


def test_rows_that_are_ignored_add_nothing():
    logits, targets = normal((2, 3, 4)), np.array([[0, -100, 2], [-100, -100, 3]])
    x = Tensor(logits, requires_grad=True)
    loss = ops.cross_entropy(x, targets)
    loss.backward()
    kept = ops.cross_entropy(Tensor(logits[targets >= 0]), targets[targets >= 0])
    assert loss.item() == pytest.approx(kept.item(), rel=1e-12)
    assert (x.grad[targets < 0] == 0).all() and (x.grad[targets >= 0] != 0).any()


def test_nothing_to_count_is_nan_for_a_mean_and_zero_for_a_sum():
    x, ignored = Tensor(normal((2, 3))), np.full(2, -100)
    with np.errstate(all="raise"):
        assert np.isnan(ops.cross_entropy(x, ignored).item())
        assert ops.cross_entropy(x, ignored, reduction="sum").item() == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits(dtype):
    far = np.array([-1e4, 0.0, 1e4], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        losses, vjp = ops.cross_entropy.raw(np.stack([far, far]), np.array([2, 0]), reduction="none")
        dlogits = vjp(np.ones(2, dtype))[0]
        np.testing.assert_allclose(losses, [0, 2e4])
        np.testing.assert_allclose(dlogits, [[0, 0, 0], [-1, 0, 1]])
        losses, vjp = ops.binary_cross_entropy_with_logits.raw(far, np.array([1, 1, 0], dtype), reduction="none")
        np.testing.assert_allclose(losses, [1e4, np.log(2), 1e4], rtol=1e-6)
        np.testing.assert_allclose(vjp(np.ones(3, dtype))[0], [-1, -0.5, 1])


def test_mse_of_nothing_but_equals():
    x = Tensor(normal(5), requires_grad=True)
    ops.mse_loss(x, x.data).backward()
    assert (x.grad == 0).all()


@pytest.mark.parametrize("call, error, words", [
    (lambda x: ops.cross_entropy(x, np.array([0.5, 1])), TypeError,
     "cross_entropy: targets are float64, expected integers"),
    (lambda x: ops.cross_entropy(x, np.array([0, 1, 2])), ValueError, r"logits have shape \(2, 3\), targets \(3,\)"),
    (lambda x: ops.cross_entropy(x, np.array([0, 3])), ValueError,
     "cross_entropy: a target is 3, expected 0…2, or -100"),
    (lambda x: ops.cross_entropy(x, np.array([-1, 0])), ValueError, "cross_entropy: a target is -1"),
    (lambda x: ops.cross_entropy(x, np.array([0, 1]), reduction="avg"), ValueError,
     "reduction is 'avg', expected one of"),
    (lambda x: ops.mse_loss(x, np.ones(3)), ValueError, r"mse_loss: x has shape \(2, 3\) and target \(3,\)"),
    (lambda x: ops.binary_cross_entropy_with_logits(x, np.ones((3, 2))), ValueError,
     r"x has shape \(2, 3\) and target \(3, 2\)"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(Tensor(np.ones((2, 3))))
