"""Rates of groups by hand, their intervals in simulations, calibration within groups, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinyformer.fairness import (demographic_parity_difference, equalized_odds_difference, group_calibration,
                                 group_intervals, group_metrics, rate_differences)
from tinyformer.fairness.intervals import newcombe, t_probability, t_quantile, wilson

Y = np.array([1, 1, 0, 0, 1, 0, 0, 0])
P = np.array([1, 0, 1, 0, 1, 0, 0, 1])
G = np.array(list("aaaabbbb"))


def test_by_hand():
    found = group_metrics(Y, P, sensitive_features=G)
    assert found == {
        "a": {"count": 4, "accuracy": 0.5, "selection_rate": 0.5, "true_positive_rate": 0.5,
              "false_positive_rate": 0.5},
        "b": {"count": 4, "accuracy": 0.75, "selection_rate": 0.5, "true_positive_rate": 1.0,
              "false_positive_rate": 1 / 3}}
    assert demographic_parity_difference(Y, P, sensitive_features=G) == 0
    assert equalized_odds_difference(Y, P, sensitive_features=G) == 0.5
    assert group_metrics(Y * 2 - 1, P * 2 - 1, sensitive_features=G.tolist()) == found
    lone = group_metrics([0, 1], [0, 1], sensitive_features=[3, 7])
    assert lone[3]["true_positive_rate"] == 0 and lone[7]["false_positive_rate"] == 0


def test_chouldechovas_identity(rng):
    """FPR = p/(1 − p) · (1 − PPV)/PPV · TPR, in each group."""
    y, predicted, groups = rng.integers(0, 2, (2, 400)).tolist() + [rng.choice(list("abc"), 400)]
    for group, found in group_metrics(y, predicted, sensitive_features=groups).items():
        inside = groups == group
        base = np.mean(np.array(y)[inside])
        ppv = np.mean(np.array(y)[inside & (np.array(predicted) == 1)])
        assert found["false_positive_rate"] == pytest.approx(
            base / (1 - base) * (1 - ppv) / ppv * found["true_positive_rate"])


def test_the_intervals_are_those_of_the_literature():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)             # Newcombe (1998), table I
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert newcombe(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=1e-4)    # Newcombe (1998), part II, table II
    assert newcombe(9, 10, 3, 10) == pytest.approx((0.1705, 0.8090), abs=1e-4)
    assert wilson(0, 0) == (0, 1) and newcombe(0, 0, 3, 10) == (-1, 1)
    assert t_quantile(0.95, 1) == pytest.approx(12.7062, abs=1e-4)
    assert t_quantile(0.95, 30) == pytest.approx(2.0423, abs=1e-4)
    assert t_quantile(0.99, 5) == pytest.approx(4.0321, abs=1e-4)
    assert t_probability(2.0423, 30) == pytest.approx(0.05, abs=1e-5) and t_probability(0, 4) == 1


@pytest.mark.parametrize("planted", (0.0, 0.2))
def test_the_interval_of_a_difference_covers_in_95_of_100_sets(planted):
    """1,000 sets of 60 and 90 examples; without a planted difference, about 5 % of the intervals miss 0."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(1000):
        groups = np.repeat([0, 1], (60, 90))
        predicted = (rng.random(150) < 0.4 + planted * (groups == 0)).astype(int)
        one = rate_differences(predicted, predicted, sensitive_features=groups)[0]
        covered += one["interval"][0] <= planted <= one["interval"][1]
    assert abs(covered / 1000 - 0.95) <= 0.02


def test_differences_and_intervals():
    found = rate_differences(Y, P, sensitive_features=G, rate="true_positive_rate", reference="b")
    assert found == {"a": {"difference": -0.5, "interval": newcombe(1, 2, 1, 1)}}
    groups = [*"aaabbbbc"]
    assert rate_differences(Y, P, sensitive_features=groups).keys() == {"a", "c"}      # minus the largest group
    inside = group_intervals(Y, P, sensitive_features=G)["b"]
    assert inside["accuracy"] == wilson(3, 4) and inside["false_positive_rate"] == wilson(1, 3)
    wide, narrow = (group_intervals(Y, P, sensitive_features=G, level=level)["a"]["accuracy"] for level in (0.99, 0.5))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_calibration_within_groups():
    """Two groups, each with the right share at each probability; then one with labels from other probabilities."""
    rng = np.random.default_rng(0)
    p, groups = rng.random(4000), rng.integers(0, 2, 4000)
    y = (rng.random(4000) < np.where(groups == 1, p ** 2, p)).astype(int)
    found = group_calibration(y, p, sensitive_features=groups)
    low, high = found[0]["interval"]
    assert low < 0 < high and found[0]["error"] < 0.05
    assert found[1]["interval"][1] < 0 and found[1]["difference"] == pytest.approx(1 / 3 - 1 / 2, abs=0.03)
    assert sum(one["count"] for one in found[1]["bins"]) == found[1]["count"] == (groups == 1).sum()
    one = group_calibration([1, 0, 1], [1.0, 0.0, 0.5], sensitive_features=[0, 0, 1], bins=2)
    assert one[0]["error"] == 0 and one[1]["interval"] == (-math.inf, math.inf) and one[1]["error"] == 0.5


MEASURES = (demographic_parity_difference, equalized_odds_difference, group_metrics, group_intervals, rate_differences)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("y, predicted, groups, message", [
    ([], [], [], r"y_true has shape \(0,\), expected \(N,\) with N ≥ 1"),
    ([1, 0], [1], [0, 0], "unequal lengths, 2 in y_true, 1 in y_pred, 2 in sensitive_features"),
    ([1, 0], [1, 0], [0], "unequal lengths"),
    ([1, 2], [1, 0], [0, 1], "y_true has the value 2, expected labels 0 and 1, or -1 and 1"),
    ([1, 0], [0.7, 0], [0, 1], "y_pred has the value 0.7"), ([1, -1], [0, 1], [0, 1], "has the value -1"),
    ([1, 0], [0, 1], [0.0, float("nan")], r"sensitive_features\[1\] is nan, expected a group"),
    ([1, 0], [0, 1], np.array(["a", None]), r"sensitive_features\[1\] is None"),
    ([[1, 0]], [0, 1], [0, 1], r"y_true has shape \(1, 2\)"),
])
def test_refusals(measure, y, predicted, groups, message):
    with pytest.raises(ValueError, match=f"{measure.__name__}: .*{message}"):
        measure(y, predicted, sensitive_features=groups)


def test_refusals_of_differences_and_calibration():
    with pytest.raises(ValueError, match="the group 'c' has no members, expected one of 'a', 'b'"):
        rate_differences(Y, P, sensitive_features=G, reference="c")
    with pytest.raises(ValueError, match="all examples are in the group 'a', expected at least two groups"):
        rate_differences(Y, P, sensitive_features=["a"] * 8)
    with pytest.raises(ValueError, match="rate is 'odds', expected one of accuracy, selection_rate"):
        rate_differences(Y, P, sensitive_features=G, rate="odds")
    with pytest.raises(ValueError, match="level is 1, expected a finite number above 0 and below 1"):
        group_intervals(Y, P, sensitive_features=G, level=1)
    with pytest.raises(ValueError, match=r"probabilities\[1\] is 1.5, expected 0…1"):
        group_calibration([0, 1], [0.5, 1.5], sensitive_features=[0, 1])
    with pytest.raises(ValueError, match="bins is 0, expected an integer of at least 1"):
        group_calibration([0, 1], [0.5, 0.5], sensitive_features=[0, 1], bins=0)
