"""What reduces a difference: swapped copies, weights that make label and group independent, thresholds by group."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.fairness import (apply_thresholds, equalized_odds_difference, group_metrics, group_thresholds,
                                 counterfactual, reweighing, swap_augmented, swap_averaged)


def test_swapped_copies():
    texts, labels = swap_augmented(["He ran.", "a film", "her film"], [1, 0, 0], {"he": "she", "his": "her"})
    assert texts == ["He ran.", "a film", "her film", "She ran.", "his film"] and labels.tolist() == [1, 0, 0, 1, 0]
    assert swap_augmented(["a film"], [1], {"he": "she"})[0] == ["a film"]
    with pytest.raises(ValueError, match="unequal lengths, 1 texts and 2 labels"):
        swap_augmented(["he"], [1, 0], {"he": "she"})


def test_the_mean_over_a_swap():
    def predict(texts):
        """Longer texts get more, and "he" gets 0.4."""
        return [0.02 * len(text) + 0.4 * ("he" in text.lower().split()) for text in texts]

    texts, swaps = ["He ran", "she ran", "a film", "he and she"], {"he": "she"}
    averaged = swap_averaged(predict, swaps)
    np.testing.assert_allclose(averaged(texts), [0.33, 0.33, 0.12, 0.6])
    assert counterfactual(predict, texts, swaps).mean_absolute > 0.1
    assert counterfactual(averaged, texts, swaps).mean_absolute == 0
    both = swap_averaged(lambda texts: np.stack([predict(texts)] * 2, axis=1), swaps)(texts)
    np.testing.assert_allclose(both, np.stack([averaged(texts)] * 2, axis=1))
    with pytest.raises(TypeError, match="swap_averaged: predict is a float, expected a function from a list of texts"):
        swap_averaged(0.5, swaps)
    with pytest.raises(ValueError, match=r"predict returned the shape \(1,\) for 7 texts, expected a score for each"):
        swap_averaged(lambda texts: [0.5], swaps)(texts)


def test_weights_make_label_and_group_independent(rng):
    groups = rng.choice(["a", "b", "c"], 300, p=(0.5, 0.3, 0.2))
    y = (rng.random(300) < np.where(groups == "a", 0.7, 0.2)).astype(int)
    w = reweighing(y, sensitive_features=groups)
    rates = [np.average(y[groups == group], weights=w[groups == group]) for group in "abc"]
    np.testing.assert_allclose(rates, y.mean())
    assert w.sum() == pytest.approx(300)
    np.testing.assert_allclose([w[groups == group].sum() for group in "abc"], [(groups == g).sum() for g in "abc"])
    assert reweighing([1, 1, 0, 1], sensitive_features=[0, 0, 1, 1]).tolist() == [0.75, 0.75, 0.5, 1.5]
    with pytest.raises(ValueError, match="all labels in y_true are positive, expected both classes"):
        reweighing([1, 1], sensitive_features=[0, 1])


@pytest.mark.parametrize("rate", ("selection_rate", "true_positive_rate", "false_positive_rate"))
def test_thresholds_give_equal_rates(rng, rate):
    groups, y = rng.integers(0, 2, (2, 2000))
    p = 1 / (1 + np.exp(-(rng.normal(size=2000) + 1.5 * y - 0.7 + 0.8 * groups)))
    thresholds = group_thresholds(y, p, sensitive_features=groups, rate=rate)
    before, after = (group_metrics(y, answers, sensitive_features=groups) for answers in (
        (p > 0.5).astype(int), apply_thresholds(p, thresholds, sensitive_features=groups)))
    assert abs(before[0][rate] - before[1][rate]) > 0.1
    assert abs(after[0][rate] - after[1][rate]) < 0.004 and thresholds[0] < 0.5 < thresholds[1]
    fixed = apply_thresholds(p, group_thresholds(y, p, sensitive_features=groups, rate=rate, target=0.25),
                             sensitive_features=groups)
    assert all(found[rate] == pytest.approx(0.25, abs=0.004)
               for found in group_metrics(y, fixed, sensitive_features=groups).values())
    assert equalized_odds_difference(y, fixed, sensitive_features=groups) < 1


def test_extremes_of_the_target():
    p, y, groups = [0.0, 0.4, 1.0], [0, 1, 1], [0, 0, 0]
    for target, labels in ((0.0, [0, 0, 0]), (2 / 3, [0, 1, 1]), (1 / 3, [0, 0, 1])):
        found = group_thresholds(y, p, sensitive_features=groups, target=target)
        assert apply_thresholds(p, found, sensitive_features=groups).tolist() == labels


def test_refusals():
    with pytest.raises(ValueError, match="all labels in y_true are negative, expected both classes"):
        group_thresholds([0, 0], [0.1, 0.2], sensitive_features=[0, 1])
    with pytest.raises(ValueError, match="no example of the group 1 counts for the true_positive_rate"):
        group_thresholds([0, 1, 0], [0.1, 0.2, 0.3], sensitive_features=[0, 0, 1], rate="true_positive_rate")
    with pytest.raises(ValueError, match="rate is 'accuracy', expected one of selection_rate"):
        group_thresholds([0, 1], [0.1, 0.2], sensitive_features=[0, 1], rate="accuracy")
    with pytest.raises(ValueError, match=r"target\[0\] is 2.0, expected 0…1"):
        group_thresholds([0, 1], [0.1, 0.2], sensitive_features=[0, 1], target=2)
    with pytest.raises(ValueError, match="the group 2 has no threshold, expected one of 0, 1"):
        apply_thresholds([0.1], {0: 0.5, 1: 0.5}, sensitive_features=[2])
    with pytest.raises(ValueError, match="unequal lengths, 2 in probabilities, 1 in sensitive_features"):
        apply_thresholds([0.1, 0.2], {0: 0.5}, sensitive_features=[0])


def test_texts_that_are_no_list_of_str():
    with pytest.raises(TypeError, match=r"swap_augmented: texts\[0\] is a int, expected a str"):
        swap_augmented([3], [1], {"he": "she"})
    with pytest.raises(TypeError, match="swap_augmented: got one text"):
        swap_augmented("he", [1, 0], {"he": "she"})
