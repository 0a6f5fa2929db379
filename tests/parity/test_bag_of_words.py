"""Logistic regression against scikit-learn's: the same best solution."""

import numpy as np
import pytest

from tinyformer.data.sparse import SparseRows
from tinyformer.models import BagOfWords
from tinyformer.optim import AdamW, CosineSchedule
from tinyformer.train.loop import training_steps


def test_the_same_weights(rng):
    linear_model = pytest.importorskip("sklearn.linear_model",
                                       reason="scikit-learn is the oracle here and is not installed")
    full = rng.random((200, 12)) * (rng.random((200, 12)) < 0.5)
    labels = (full @ rng.standard_normal(12) + 0.3 * rng.standard_normal(200) > 0).astype(int)
    C = 5.0
    expected = linear_model.LogisticRegression(C=C, tol=1e-10, max_iter=5000).fit(full, labels)
    # ½ ‖w‖² + C Σ loss, with w = W₁ − W₀ and ‖w‖² = 2 ‖W‖²: l2 = 2/(C N)
    model = BagOfWords(BagOfWords.Config(12, 2, l2=2 / (C * 200)))
    x = SparseRows.of((np.flatnonzero(row), row[row != 0]) for row in full)
    optimizer = AdamW(model.parameters(), lr=0.3, weight_decay=0)
    for _ in training_steps(model, optimizer, CosineSchedule(optimizer, 0, 600, 0.3, 0), lambda: (x, labels),
                            max_steps=600):
        pass
    w = model.weight.data[1] - model.weight.data[0]
    np.testing.assert_allclose(w, expected.coef_[0], atol=2e-3)
    assert model.bias.data[1] - model.bias.data[0] == pytest.approx(expected.intercept_[0], abs=2e-3)
