"""Logistic regression: both ways down end at one point, where the slope is zero."""

import numpy as np
import pytest

from tinyformer.models import LogisticConfig, LogisticRegression, load_model


def weights(model):
    return np.concatenate([model.linear.weight.data, model.linear.bias.data[:, None]], axis=1)


@pytest.fixture
def classes(rng):
    x = rng.normal(size=(120, 4)) + [0, 3, 0, -1]
    return x, (x @ rng.normal(size=(4, 3)) + rng.gumbel(size=(120, 3))).argmax(axis=1)


def test_fit_and_newton_reach_the_same_weights(classes):
    one, other = (LogisticRegression(LogisticConfig(4, 3, l2=0.01)) for _ in range(2))
    steps = one.fit(*classes, steps=5000, tolerance=1e-10)
    assert steps < 5000 and other.newton(*classes) < 15
    np.testing.assert_allclose(weights(one), weights(other), atol=1e-7)


@pytest.mark.parametrize("penalty", ({}, {"l2": 0.1}))
def test_at_the_end_the_gradient_of_the_loss_is_zero(classes, penalty):
    model = LogisticRegression(LogisticConfig(4, 3, **penalty))
    model.newton(*classes)
    model.loss(*classes).backward()
    assert np.abs(model.linear.weight.grad).max() < 1e-9 and np.abs(model.linear.bias.grad).max() < 1e-9


def test_l1_leaves_weights_at_zero_where_they_are_not_worth_it(classes):
    """What makes W best: the slope of the cross-entropy is −l1 sign w where w is not 0, and within ±l1 where it is."""
    model, plain = LogisticRegression(LogisticConfig(4, 3, l1=0.05)), LogisticRegression(LogisticConfig(4, 3))
    model.fit(*classes, steps=5000, tolerance=1e-10)
    W = model.linear.weight.data
    plain.load_state_dict(model.state_dict())
    plain.loss(*classes).backward()
    slope, zero = plain.linear.weight.grad, W == 0
    assert 0 < zero.sum() < W.size
    np.testing.assert_allclose(slope[~zero], -0.05 * np.sign(W[~zero]), atol=1e-7)
    assert np.abs(slope[zero]).max() < 0.05


def test_separable_classes_are_told_apart(rng):
    x = np.concatenate([rng.normal(size=(30, 2)) + 4, rng.normal(size=(30, 2)) - 4])
    y = np.repeat([0, 1], 30)
    model = LogisticRegression(LogisticConfig(2, 2))
    model.fit(x, y, steps=200)
    assert (model.predict(x) == y).all() and np.isfinite(weights(model)).all()


def test_saved_and_made_again(tmp_path, classes):
    model = LogisticRegression(LogisticConfig(4, 3, l2=0.1), dtype=np.float32)
    model.fit(*classes)
    model.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert type(again) is LogisticRegression and again.config == model.config
    np.testing.assert_array_equal(weights(again), weights(model))


@pytest.mark.parametrize("call, message", (
    (lambda: LogisticConfig(3, 2, l1=-1), "l1 is -1"),
    (lambda: LogisticRegression(LogisticConfig(3, 2)).fit(np.ones((4, 3)), np.array([0, 1, 2, 1])),
     "a class is 2, expected 0…1"),
    (lambda: LogisticRegression(LogisticConfig(3, 2)).fit(np.ones((4, 3)), np.ones(4)),
     "y is float64, expected integers"),
    (lambda: LogisticRegression(LogisticConfig(3, 2)).fit(np.ones((0, 3)), np.ones(0, int)), "with N ≥ 1"),
    (lambda: LogisticRegression(LogisticConfig(3, 2, l1=1.0)).newton(np.ones((4, 3)), np.ones(4, int)),
     "l1 is not 0; use fit"),
    (lambda: LogisticRegression(LogisticConfig(999, 3)).newton(np.ones((4, 999)), np.arange(4) % 3),
     "expected at most 2000"),
    (lambda: LogisticRegression(LogisticConfig(3, 2)).fit(np.ones((4, 3)), np.ones(4, int)),
     "all 4 examples are of the class 1, expected at least two classes"),
))
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
