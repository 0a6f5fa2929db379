"""What functional adds to ops: PyTorch's axes and arguments. The operations themselves are tested in tests/ops."""

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import ops
from tinyformer.gradcheck import check
from tinyformer.nn import functional as F


def right(fn, *arrays):
    report = check(fn, *arrays, seed=1)                     # not the inputs' seed, as in conftest.py
    assert report.ok and all(one.error < 1e-7 for one in report.inputs if one.differentiated), str(report)


def test_gradients(rng):
    x = rng.normal(size=(2, 3, 4))
    right(lambda x: F.softmax(x, dim=1), x)
    right(lambda x: F.log_softmax(x, dim=0), x)
    right(lambda x: F.softplus(x, beta=2.0), x)
    right(lambda x, w, b: F.layer_norm(x, (3, 4), w, b), x, rng.normal(size=(3, 4)), rng.normal(size=(3, 4)))
    right(lambda x, w: F.rms_norm(x, (3, 4), w), x, rng.normal(size=(3, 4)))
    right(lambda x, w, b: F.batch_norm(x, weight=w, bias=b, training=True), x, rng.normal(size=3), rng.normal(size=3))
    right(lambda x: F.cross_entropy(x, np.array([[0, 1, 2, 1], [2, 2, 0, 1]]), label_smoothing=0.1), x)
    right(lambda w: F.embedding(np.array([0, 2, 2]), w), rng.normal(size=(4, 3)))


def test_the_same_function_where_the_signature_is_the_same():
    for name in ("linear", "gelu", "silu", "relu", "sigmoid", "tanh", "mse_loss",
                 "binary_cross_entropy_with_logits", "scaled_dot_product_attention"):
        assert getattr(F, name) is getattr(ops, name)


def test_options_by_position(rng):
    x, w = rng.normal(size=(2, 3, 6, 6)), rng.normal(size=(4, 3, 3, 3))
    right(lambda x, w: F.conv2d(x, w, None, 2, 1), x, w)
    right(lambda x, w: F.conv_transpose2d(x, w, None, 2, 1), x, rng.normal(size=(3, 4, 3, 3)))
    right(lambda x: F.max_pool2d(x, 2), x)
    right(lambda x: F.avg_pool2d(x, 3, 1, 1), x)
    np.testing.assert_array_equal(F.leaky_relu(x, 0.2).data, np.where(x > 0, x, 0.2 * x))


def test_attention_takes_its_options_by_position(rng):
    q = rng.normal(size=(2, 3, 4))
    np.testing.assert_array_equal(F.scaled_dot_product_attention(q, q, q, None, True, 0.5),
                                  ops.scaled_dot_product_attention(q, q, q, is_causal=True, scale=0.5))


def test_classes_stand_on_the_second_axis(rng):
    logits, targets = rng.normal(size=(2, 5, 3)), rng.integers(0, 5, (2, 3))
    np.testing.assert_allclose(F.cross_entropy(logits, targets, reduction="none"),
                               ops.cross_entropy(logits.swapaxes(1, 2).copy(), targets, reduction="none"), rtol=1e-12)


def test_dropout_is_the_input_itself_when_nothing_is_dropped(rng):
    x = rng.normal(size=(30, 40))
    given = tfm.tensor(x)
    assert F.dropout(given, 0.5, training=False) is given and F.dropout(given, 0.0) is given
    np.testing.assert_array_equal(F.dropout(x, 0.0).data, x)                    # an array becomes a tensor
    assert 0.3 < (np.asarray(F.dropout(x, 0.5)) == 0).mean() < 0.7


def test_rms_norm_eps_is_the_machine_epsilon_of_the_input():
    for dtype in (np.float32, np.float64):
        tiny = np.full((1, 4), 1e-9, dtype)
        np.testing.assert_allclose(F.rms_norm(tiny, 4), 1e-9 / np.sqrt(1e-18 + np.finfo(dtype).eps), rtol=1e-5)


def test_bad_input():
    with pytest.raises(ValueError, match="batch_norm: running_mean and running_var are needed unless training"):
        F.batch_norm(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"layer_norm: bias has shape \(4, 3\), expected \(3, 4\)"):
        F.layer_norm(np.ones((2, 3, 4)), (3, 4), np.ones((3, 4)), np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"cross_entropy: logits have shape \(2, 5, 3\), .* the last axis"):
        F.cross_entropy(np.ones((2, 5, 3)), np.zeros((2, 5), int))
    with pytest.raises(ValueError, match="dropout: p is 2, expected"):
        F.dropout(np.ones(3), 2)
