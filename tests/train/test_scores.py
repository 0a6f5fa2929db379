"""Scores by hand, against loops, and what they refuse."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyformer.train import scores

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 1, 0, 1, 2, 1])


def test_counts_by_hand():
    confusion = scores.confusion_matrix(LABELS, PREDICTED, 3)
    assert confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 1, 0]]
    found = scores.precision_recall_f1(confusion)
    assert found["precision"]["per_class"] == pytest.approx([1, 1 / 3, 0])
    assert found["recall"]["per_class"] == pytest.approx([2 / 3, 1 / 2, 0])
    assert found["f1"]["per_class"] == pytest.approx([4 / 5, 2 / 5, 0])
    assert found["f1"]["macro"] == pytest.approx(0.4)
    assert {found[name]["micro"] for name in found} == {0.5} == {scores.accuracy(LABELS, PREDICTED)}


def test_a_class_that_never_occurs_counts_zero():
    found = scores.precision_recall_f1(scores.confusion_matrix([0, 0], [0, 0], 2))
    assert found["precision"]["per_class"] == found["recall"]["per_class"] == found["f1"]["per_class"] == [1, 0]


def test_standard_error_by_hand():
    assert scores.standard_error(0.8, 1004) == pytest.approx(0.01262, abs=1e-5)
    assert scores.standard_error(1.0, 10) == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_auc_counts_pairs(examples):
    positive, values = map(np.array, zip(*examples))
    ups, downs = values[positive], values[~positive]
    if len(ups) and len(downs):
        pairs = [(a > b) + (a == b) / 2 for a in ups for b in downs]
        assert scores.roc_auc(positive, values) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_auc_of_three_classes_is_the_mean_of_each_against_the_rest(rng):
    p = rng.dirichlet(np.ones(3), 60)
    labels = rng.integers(0, 3, 60)
    each = [scores.roc_auc(labels == k, p[:, k]) for k in range(3)]
    assert scores.roc_auc_one_vs_rest(labels, p) == pytest.approx(np.mean(each)) != pytest.approx(0.5, abs=1e-3)


def test_calibration_by_hand():
    p = np.array([[0.95, 0.05], [0.05, 0.95], [0.62, 0.38], [0.66, 0.34]])
    curve, error = scores.calibration([0, 0, 0, 1], p)
    assert [bin["count"] for bin in curve] == [2, 2]
    assert [bin["accuracy"] for bin in curve] == [0.5, 0.5]
    assert [bin["confidence"] for bin in curve] == pytest.approx([0.64, 0.95])
    assert error == pytest.approx(0.5 * 0.14 + 0.5 * 0.45)
    assert scores.calibration([1], [[0.0, 1.0]])[1] == 0


def test_the_bootstrap_covers_the_truth_as_often_as_it_says():
    rng, hits = np.random.default_rng(5), 0
    for i in range(100):
        right = rng.random(200) < 0.8
        low, high = scores.bootstrap(lambda chosen: right[chosen].mean(), 200, draws=300, rng=i)
        hits += low <= 0.8 <= high
    assert 87 <= hits <= 99


def test_the_bootstrap_is_about_two_standard_errors_wide():
    right = np.arange(1000) < 800
    low, high = scores.bootstrap(lambda chosen: right[chosen].mean(), 1000)
    assert high - low == pytest.approx(2 * 1.96 * scores.standard_error(0.8, 1000), rel=0.1)
    assert (low, high) == scores.bootstrap(lambda chosen: right[chosen].mean(), 1000)


def test_spread_by_hand():
    sd, se = pytest.approx(math.sqrt(7)), pytest.approx(math.sqrt(7 / 3))
    assert scores.spread([1, 2, 6]) == {"mean": 3, "sd": sd, "se": se, "n": 3}
    assert scores.spread([4.0])["se"] == 0


@given(st.integers(0, 12), st.integers(0, 12))
def test_mcnemar_counts_ways(b, c):
    a_right = np.array([True] * b + [False] * c + [True, False])
    b_right = np.array([False] * b + [True] * c + [True, False])
    found = scores.mcnemar(a_right, b_right)
    n = b + c
    tail = sum(Fraction(math.comb(n, k), 2 ** n) for k in range(min(b, c) + 1))
    assert found["p_exact"] == pytest.approx(float(min(1, 2 * tail)), abs=1e-12)
    assert (found["only_first"], found["only_second"]) == (b, c)


def test_mcnemar_with_many():
    """b = 10, c = 30: χ² = 19²/40 = 9.025, p = 0.00266 from a table."""
    a, b = np.array([True] * 10 + [False] * 30), np.array([False] * 10 + [True] * 30)
    found = scores.mcnemar(a, b)
    assert found["chi2"] == pytest.approx(9.025) and found["p_chi2"] == pytest.approx(0.00266, abs=1e-5)
    assert scores.mcnemar(np.ones(5000) > 0, np.arange(5000) < 2000)["p_exact"] < 1e-300


@given(st.integers(2, 40), st.integers(2, 9))
def test_every_example_is_held_out_once(n, k):
    if k > n:
        with pytest.raises(ValueError, match=f"k is {k} for {n} examples"):
            scores.k_fold(n, k)
        return
    folds = scores.k_fold(n, k)
    assert sorted(i for _, held in folds for i in held) == list(range(n)) and len(folds) == k
    for rest, held in folds:
        assert sorted([*rest, *held]) == list(range(n)) and abs(len(held) - n / k) < 1


@pytest.mark.parametrize("call, error, message", (
    (lambda: scores.accuracy([], []), ValueError, "not empty"),
    (lambda: scores.accuracy([1], [1, 2]), ValueError, "one shape"),
    (lambda: scores.confusion_matrix([], [], 2), ValueError, r"labels have shape \(0,\)"),
    (lambda: scores.confusion_matrix([0, 2], [0, 1], 2), ValueError, r"labels\[1\] is 2, expected 0…1"),
    (lambda: scores.confusion_matrix([0, 1], [-1, 1], 2), ValueError, r"predicted\[0\] is -1"),
    (lambda: scores.confusion_matrix([0, 1], [1], 2), ValueError, "2 labels and 1 predicted"),
    (lambda: scores.confusion_matrix([0.5], [1], 2), TypeError, "labels are float64, expected integers"),
    (lambda: scores.roc_auc([True, True], [0.1, 0.2]), ValueError,
     "2 of 2 examples are positive, expected examples of both"),
    (lambda: scores.roc_auc([True, False], [0.1, np.nan]), ValueError, "entry 1 is not finite"),
    (lambda: scores.calibration([0], [[np.nan, 1]]), ValueError, "entry 0 is not finite"),
    (lambda: scores.calibration([0], [[0.7, 0.7]]), ValueError, "do not sum to one"),
    (lambda: scores.calibration([2], [[0.3, 0.7]]), ValueError, r"labels\[0\] is 2"),
    (lambda: scores.mcnemar([True], [True, False]), ValueError, "expected one shape"),
    (lambda: scores.bootstrap(np.mean, 0), ValueError, "0 examples"),
    (lambda: scores.spread([]), ValueError, "not empty"),
))
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
