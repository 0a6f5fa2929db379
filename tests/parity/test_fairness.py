"""Measures of fairness against Fairlearn's, calibration against scikit-learn's, and t intervals against SciPy's."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tinyformer import fairness

if os.environ.get("TINYFORMER_REQUIRE_TORCH"):
    import fairlearn.metrics as theirs
else:
    theirs = pytest.importorskip("fairlearn.metrics", reason="Fairlearn is the oracle here and is not installed")

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")


@pytest.mark.parametrize("groups", (2, 5, 40))
@pytest.mark.parametrize("signs", (False, True))
def test_equal_to_fairlearn(rng, groups, signs):
    """With 40 groups, some have no positive or no negative example."""
    for _ in range(4 if groups < 40 else 1):
        y, predicted = (rng.random((2, 90)) < rng.random((2, 1))).astype(int)
        given = {"sensitive_features": rng.integers(0, groups, 90)}
        if signs:
            y, predicted = 2 * y - 1, 2 * predicted - 1
        for name in ("demographic_parity_difference", "equalized_odds_difference"):
            assert getattr(fairness, name)(y, predicted, **given) == pytest.approx(
                getattr(theirs, name)(y, predicted, **given), abs=1e-12), name
        frame = theirs.MetricFrame(metrics={rate: getattr(theirs, rate) for rate in RATES} | {"count": theirs.count},
                                   y_true=y, y_pred=predicted, **given).by_group
        ours = fairness.group_metrics(y, predicted, **given)
        assert list(ours) == frame.index.tolist()
        for group, found in ours.items():
            for rate in (*RATES, "count"):
                assert found[rate] == pytest.approx(frame.loc[group, rate], abs=1e-12)


def test_calibration(rng):
    calibration = pytest.importorskip("sklearn.calibration")
    p, groups = rng.random(600), rng.choice(["a", "b"], 600)
    y = (rng.random(600) < p).astype(int)
    for group, found in fairness.group_calibration(y, p, sensitive_features=groups).items():
        positive, said = calibration.calibration_curve(y[groups == group], p[groups == group], n_bins=10)
        np.testing.assert_allclose([one["positive_rate"] for one in found["bins"]], positive)
        np.testing.assert_allclose([one["probability"] for one in found["bins"]], said)


def test_the_paired_t_test_and_the_sign_test(rng):
    stats = pytest.importorskip("scipy.stats")
    for n in (2, 3, 30, 300):
        scores = rng.normal(0.3, 1, (2, n))
        given = iter(scores)
        report = fairness.counterfactual(lambda texts: next(given), ["he"] * n, {"he": "she"})
        expected = stats.ttest_rel(*scores)
        assert report.p == pytest.approx(expected.pvalue, rel=1e-9)
        np.testing.assert_allclose(report.interval, expected.confidence_interval(), rtol=1e-9)
        above = int((report.gaps > 0).sum())
        assert report.p_sign == pytest.approx(stats.binomtest(above, n).pvalue, rel=1e-9)
