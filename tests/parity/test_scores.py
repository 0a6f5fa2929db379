"""Scores against scikit-learn's, and the paired test against SciPy's."""

import numpy as np
import pytest

from tinyformer.train import scores
from tinyformer.train.tasks.labeled import cross_entropy

sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle here and is not installed")


@pytest.mark.parametrize("K", (2, 3, 5))
def test_equal_to_scikit_learn(rng, K):
    labels, predicted = rng.integers(0, K, 400), rng.integers(0, K, 400)
    predicted[:150] = labels[:150]
    if K == 5:
        predicted[predicted == 4] = 0                       # a class without predictions
    confusion = scores.confusion_matrix(labels, predicted, K)
    np.testing.assert_array_equal(confusion, sklearn.confusion_matrix(labels, predicted))
    found = scores.precision_recall_f1(confusion)
    for average in (None, "macro", "micro"):
        expected = sklearn.precision_recall_fscore_support(labels, predicted, average=average, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), expected):
            np.testing.assert_allclose(found[name][average or "per_class"], value, rtol=1e-12)
    assert scores.accuracy(labels, predicted) == pytest.approx(sklearn.accuracy_score(labels, predicted), rel=1e-12)


@pytest.mark.parametrize("K", (2, 4))
def test_auc(rng, K):
    labels, p = rng.integers(0, K, 300), rng.dirichlet(np.ones(K), 300).round(2)
    p[:, -1] += 1 - p.sum(axis=1)
    p = np.abs(p) / np.abs(p).sum(axis=1, keepdims=True)
    expected = sklearn.roc_auc_score(labels, p[:, 1]) if K == 2 else sklearn.roc_auc_score(labels, p, multi_class="ovr")
    assert scores.roc_auc_one_vs_rest(labels, p) == pytest.approx(expected, rel=1e-12)


def test_the_loss(rng):
    labels, p = rng.integers(0, 4, 300), rng.dirichlet(np.ones(4), 300)
    assert cross_entropy(p, labels) == pytest.approx(sklearn.log_loss(labels, p), rel=1e-12)


def test_the_reliability_curve(rng):
    calibration = pytest.importorskip("sklearn.calibration")
    p = rng.uniform(0.5, 1, 500)
    labels = (rng.random(500) > p).astype(int)              # class 0 is the one that is chosen
    curve, _ = scores.calibration(labels, np.stack([p, 1 - p], axis=1))
    right, said = calibration.calibration_curve(labels == 0, p, n_bins=10)
    np.testing.assert_allclose([b["accuracy"] for b in curve], right)
    np.testing.assert_allclose([b["confidence"] for b in curve], said)


def test_mcnemar(rng):
    stats = pytest.importorskip("scipy.stats")
    a, b = rng.random(300) < 0.8, rng.random(300) < 0.7
    found = scores.mcnemar(a, b)
    n = found["only_first"] + found["only_second"]
    assert found["p_exact"] == pytest.approx(stats.binomtest(found["only_first"], n, 0.5).pvalue, rel=1e-9)
    assert found["p_chi2"] == pytest.approx(stats.chi2.sf(found["chi2"], 1), rel=1e-9)
