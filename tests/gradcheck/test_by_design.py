"""A straight-through estimator is information; any other gradient of a constant is a mistake."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.gradcheck import check

X = 1.5 * np.random.default_rng(0).standard_normal((3, 5))


@pytest.mark.parametrize("vjp", [lambda dy: dy, lambda dy: dy * (np.abs(X) <= 1), lambda dy: dy / (1 + X * X)])
@pytest.mark.parametrize("step", [np.round, np.sign, lambda x: (x > 0) * 1.0])
def test_straight_through(step, vjp):
    report = check(lambda x: (step(x), vjp), X)
    assert report.ok and [f.code for f in report.inputs[0].findings] == ["straight-through"]
    assert not report.inputs[0].findings[0].is_mistake and "by design" in str(report).splitlines()[0]


@pytest.mark.parametrize("forward, vjp", [
    (np.round, lambda dy: -dy), (np.round, lambda dy: dy * dy), (np.round, lambda dy: dy + 1), (np.round, np.cumsum),
    (lambda x: np.round(x) + x, lambda dy: dy * 2), (lambda x: np.ones_like(x), lambda dy: dy),
    (lambda x: np.round(x[:2]), lambda dy: np.ones_like(X))])
def test_other_gradients_of_constants_are_mistakes(forward, vjp):
    assert not check(lambda x: (forward(x), vjp), X).ok


def test_zero_is_right_too():
    assert check(lambda x: (np.round(x), lambda dy: np.zeros_like(dy)), X).ok
