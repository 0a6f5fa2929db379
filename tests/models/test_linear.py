"""Linear regression: every way down ends at one point, and the formulas that an article prints do not lead there."""

import numpy as np
import pytest

from tinyformer.gradcheck import check
from tinyformer.models import LinearConfig, LinearRegression


@pytest.fixture
def line(rng):
    """(x, y): two outputs of three features with noise, not centered."""
    x = rng.normal(size=(60, 3)) + [2.0, 0, -1]
    return x, x @ rng.normal(size=(3, 2)) + [1.0, -3] + 0.3 * rng.normal(size=(60, 2))


def weights(model):
    return np.concatenate([model.linear.weight.data, model.linear.bias.data[:, None]], axis=1)


# ------------------------------------------------------------------------------------------------ linear regression

def test_the_closed_form_solves_the_normal_equations(line):
    x, y = line
    X = np.concatenate([x, np.ones((60, 1))], axis=1)
    np.testing.assert_allclose(weights(LinearRegression(LinearConfig(3, 2)).solve(x, y)),
                               np.linalg.solve(X.T @ X, X.T @ y).T,
                               rtol=1e-10)


def test_ridge_solves_its_equation(line):
    x, y = line
    X = np.concatenate([x, np.ones((60, 1))], axis=1)
    expected = np.linalg.solve(X.T @ X + np.diag([7.0, 7, 7, 0]), X.T @ y).T    # the bias bears no penalty
    np.testing.assert_allclose(weights(LinearRegression(LinearConfig(3, 2)).solve(x, y, l2=7.0)), expected, rtol=1e-10)


def test_gradient_descent_reaches_the_same_weights(line):
    best, model = LinearRegression(LinearConfig(3, 2)).solve(*line), LinearRegression(LinearConfig(3, 2))
    history = model.descend(*line, lr=0.15, steps=3000)
    np.testing.assert_allclose(weights(model), weights(best), atol=1e-9)
    assert all(later <= earlier + 1e-12 for earlier, later in zip(history, history[1:]))
    assert history[-1] * 60 == pytest.approx(best.loss(*line).item())


def test_sgd_reaches_the_same_weights(line):
    best, model = LinearRegression(LinearConfig(3, 2)).solve(*line), LinearRegression(LinearConfig(3, 2))
    model.descend(*line, lr=0.1, steps=3000, batch_size=4, rng=0)
    np.testing.assert_allclose(weights(model), weights(best), atol=0.02)
    x, y = line[0], line[0] @ np.ones((3, 2)) + 4                               # without noise: exactly
    model.descend(x, y, lr=0.1, steps=2000, batch_size=4, rng=0)
    np.testing.assert_allclose(weights(model), [[1, 1, 1, 4]] * 2, atol=1e-3)


def test_more_features_than_examples_give_the_shortest_weights(rng):
    x, y = rng.normal(size=(4, 9)), rng.normal(size=4)
    model = LinearRegression(LinearConfig(9)).solve(x, y)
    np.testing.assert_allclose(model(x).data[:, 0], y, atol=1e-12)
    shortest = np.linalg.pinv(x - x.mean(axis=0)) @ (y - y.mean())
    np.testing.assert_allclose(model.linear.weight.data[0], shortest, atol=1e-12)


def test_the_loss_is_half_the_sum_of_squares_and_its_gradient_the_docstrings(line):
    x, y = line
    model = LinearRegression(LinearConfig(3, 2))
    model.linear.weight.data[...] = [[0.5, -1, 2], [1, 0, 0.1]]
    error = y - model(x).data
    loss = model.loss(x, y)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * (error ** 2).sum())
    np.testing.assert_allclose(model.linear.weight.grad, -error.T @ x)
    np.testing.assert_allclose(model.linear.bias.grad, -error.sum(axis=0))


# ------------------------------------------------------------------------------------------------ the article's
# formulas

X3, Y3 = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.3, -2.0])


def squares(w, b):
    """L = ½ Σᵢ (yᵢ − (w xᵢ + b))², one weight for all three examples."""
    error = Y3 - (w * X3 + b)

    def vjp(dL):
        return -(error * X3).sum() * dL, -error.sum() * dL

    return 0.5 * (error ** 2).sum(), vjp


def test_x1_the_printed_gradient_is_wrong_in_sign_and_sum():
    def printed(w, b):
        error = Y3[0] - (w * X3[0] + b)
        return squares(w, b)[0], lambda dL: (error * X3[0] * dL, error * dL)

    def summed(w, b):
        error = Y3 - (w * X3 + b)
        return squares(w, b)[0], lambda dL: ((error * X3).sum() * dL, error.sum() * dL)

    at = np.array(0.3), np.array(-0.2)
    assert check(squares, *at).ok
    report = check(printed, *at)
    assert not report.inputs[0].ok and not report.inputs[1].ok
    report = check(summed, *at)                                                 # the sum put right, the sign left
    assert [i.findings[0].code for i in report.inputs] == ["sign", "sign"]


def test_x1_the_printed_step_climbs():
    w, b, losses = 0.3, -0.2, []
    for _ in range(20):
        losses.append(squares(w, b)[0])
        error = Y3 - (w * X3 + b)
        w, b = w - 0.05 * (error * X3).sum(), b - 0.05 * error.sum()
    assert all(later > earlier for earlier, later in zip(losses, losses[1:]))
    w, b, losses = 0.3, -0.2, []
    for _ in range(20):
        losses.append(squares(w, b)[0])
        dw, db = squares(w, b)[1](1.0)
        w, b = w - 0.05 * dw, b - 0.05 * db
    assert all(later < earlier for earlier, later in zip(losses, losses[1:]))


def test_x2_the_two_printed_models_are_different_ones():
    """Forward a weight for each example, wᵢ xᵢ + b; in the loss w₁ x₁ + b for all of them.

    Neither is a line through the data: the first fits any data at all, the second says the same whatever x is.
    """
    w = np.array([1.0, -2.0, 0.5])
    forward, in_loss = w * X3 + 0.1, w[0] * X3[0] + 0.1
    assert not np.allclose(0.5 * ((Y3 - forward) ** 2).sum(), 0.5 * ((Y3 - in_loss) ** 2).sum())
    any_y = np.random.default_rng(0).normal(size=3)
    np.testing.assert_allclose(((any_y - 0.1) / X3) * X3 + 0.1, any_y)          # a weight each: nothing is learned
    model = LinearRegression(LinearConfig(1)).solve(X3[:, None], Y3)
    ours = model.loss(X3[:, None], Y3[:, None]).item()
    # the best that one number for all can do
    constant = 0.5 * ((Y3 - Y3.mean()) ** 2).sum()
    assert 0 < ours < constant


@pytest.mark.parametrize("call, message", (
    (lambda: LinearConfig(0), "n_features is 0"),
    (lambda: LinearRegression(LinearConfig(3)).solve(np.ones((4, 2)), np.ones(4)),
     r"x has shape \(4, 2\) and y \(4, 1\), expected \(N, 3\) and \(N, 1\)"),
    (lambda: LinearRegression(LinearConfig(3)).solve(np.ones((4, 3)), np.ones(4), l2=-1), "l2 is -1"),
    (lambda: LinearRegression(LinearConfig(3)).descend(np.ones((4, 3)), np.ones(4), 0.1, 1, batch_size=5),
     "batch_size is 5, expected an integer from 1 to 4"),
))
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
