"""Linear models against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.models import LinearConfig, LinearRegression, LogisticConfig, LogisticRegression


@pytest.fixture
def linear_model():
    return pytest.importorskip("sklearn.linear_model", reason="scikit-learn is the oracle here and is not installed")


def test_linear_regression_and_ridge(linear_model, rng):
    x, y = rng.normal(size=(50, 4)) + 1, rng.normal(size=(50, 2))
    for ours, theirs in ((LinearRegression(LinearConfig(4, 2)).solve(x, y), linear_model.LinearRegression().fit(x, y)),
                         (LinearRegression(LinearConfig(4, 2)).solve(x, y, l2=3.0), linear_model.Ridge(3.0).fit(x, y))):
        np.testing.assert_allclose(ours.linear.weight.data, theirs.coef_, rtol=1e-9)
        np.testing.assert_allclose(ours.linear.bias.data, theirs.intercept_, rtol=1e-9)


def test_logistic_regression_l2(linear_model, rng):
    """Theirs is C Σ losses + ½ ‖W‖², so l2 = 1 / (C N)."""
    x = rng.normal(size=(150, 4)) + 1
    y = (x @ rng.normal(size=(4, 3)) + rng.gumbel(size=(150, 3))).argmax(axis=1)
    theirs = linear_model.LogisticRegression(C=0.5, tol=1e-10, max_iter=10000).fit(x, y)
    for how in ("fit", "newton"):
        ours = LogisticRegression(LogisticConfig(4, 3, l2=1 / (0.5 * 150)))
        getattr(ours, how)(x, y, steps=20000 if how == "fit" else 50, tolerance=1e-11)
        np.testing.assert_allclose(ours.linear.weight.data, theirs.coef_, atol=1e-5)


def test_logistic_regression_l1(linear_model, rng):
    x = rng.normal(size=(150, 6))
    y = (x[:, :3] @ rng.normal(size=(3, 3)) + rng.gumbel(size=(150, 3))).argmax(axis=1)
    theirs = linear_model.LogisticRegression(l1_ratio=1.0, C=0.3, solver="saga", tol=1e-9, max_iter=50000).fit(x, y)
    ours = LogisticRegression(LogisticConfig(6, 3, l1=1 / (0.3 * 150)))
    ours.fit(x, y, steps=20000, tolerance=1e-11)
    np.testing.assert_allclose(ours.linear.weight.data, theirs.coef_, atol=1e-4)
    assert (ours.linear.weight.data == 0).any()
