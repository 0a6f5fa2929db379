"""Fairness: rates of groups, the paired gap of a swap, weights that make label and group independent."""

from __future__ import annotations

import numpy as np

from ..exercise import Exercise, WrongAnswer


def _labeled(rng, n_groups, N):
    """(labels, predictions, groups): N random examples, and before them both labels and predictions in each group."""
    y, predicted = np.tile([0, 0, 1, 1], n_groups), np.tile([0, 1, 0, 1], n_groups)
    group = np.repeat(np.arange(n_groups), 4)
    return (np.append(y, rng.integers(0, 2, N)), np.append(predicted, rng.integers(0, 2, N)),
            np.append(group, rng.integers(0, n_groups, N)))


def group_rates(y, predicted, group):
    """The rates of a binary classifier in each group.

        TPR_a = P(ŷ = 1 | y = 1, a)      FPR_a = P(ŷ = 1 | y = 0, a)

    y, predicted (N,), labels 0 and 1    group integers (N,), 0 … A−1; both labels occur in each group.
    Returns (A, 2): the TPR and the FPR of each group.
    """
    rates = np.zeros((group.max() + 1, 2))
    for a in range(len(rates)):
        inside = group == a
        rates[a, 0] = predicted[inside & (y == 1)].mean()
        rates[a, 1] = predicted[inside & (y == 0)].mean()
    return rates


GROUP_RATES = Exercise(
    group_rates, "22 Fairness",
    inputs=lambda rng, N=11, A=3: _labeled(rng, A, N),
    cases={"one group": lambda rng: _labeled(rng, 1, 5),
           "a group of which all are selected": lambda rng: (np.array([0, 1, 1, 0]), np.array([1, 1, 1, 0]),
                                                             np.array([0, 0, 1, 1]))},
    question="A group has 8 positive and 2 negative examples. The classifier selects 6 of the positive ones and 1 of "
             "the negative ones. What is its false positive rate?",
    answer=lambda f: f(np.repeat([1, 0], [8, 2]), np.repeat([1, 0, 1, 0], [6, 2, 1, 1]), np.zeros(10, int))[0, 1],
    hints=("A rate divides by a row of the confusion matrix: all examples with one true label.",
           "Select the examples of the group and of one label with a mask. The mean of ŷ there is the rate."),
    wrong=(
        WrongAnswer("formula", "columns of the confusion matrix",
                    "This divides by the selected examples. A rate divides by those with one true label.",
                    {"predicted[inside & (y == 1)]": "y[inside & (predicted == 1)]",
                     "predicted[inside & (y == 0)]": "y[inside & (predicted == 0)]"}),
        WrongAnswer("formula", "TPR and FPR swapped", "The true positive rate is over the examples with y = 1.",
                    {"y == 1": "y == 0", "y == 0)": "y == 1)"}),
        WrongAnswer("formula", "divided by the whole group", "The TPR is over the positive examples of the group only.",
                    {"predicted[inside & (y == 1)].mean()": "(predicted * y)[inside].mean()",
                     "predicted[inside & (y == 0)].mean()": "(predicted * (1 - y))[inside].mean()"}),
        WrongAnswer("formula", "the group forgotten", "Each rate is within one group.",
                    {"inside = group == a": "inside = group >= 0"}),
        WrongAnswer("formula", "the true negative rate in place of the FPR",
                    "The false positive rate counts the selected examples among y = 0.",
                    {"predicted[inside & (y == 0)].mean()": "(1 - predicted[inside & (y == 0)]).mean()"}),
        WrongAnswer("formula", "the false negative rate in place of the TPR",
                    "The true positive rate counts the selected examples among y = 1.",
                    {"predicted[inside & (y == 1)].mean()": "(1 - predicted[inside & (y == 1)]).mean()"}),
    ))


def swap_gap(first, second):
    """The mean gap of pairs of scores, and its standard error.

        dᵢ = firstᵢ − secondᵢ      d̄ = (1/n) Σ dᵢ      se = s/√n,   s² = Σ (dᵢ − d̄)²/(n − 1)

    first, second (n,), the scores of the same texts with the first and with the second word.
    Returns (2,): d̄ and se.
    """
    gaps = first - second
    mean = gaps.sum() / len(gaps)
    variance = ((gaps - mean) ** 2).sum() / (len(gaps) - 1)
    return np.array([mean, np.sqrt(variance / len(gaps))])


def _pairs(rng, n):
    base = rng.normal(size=n)
    return base + 0.3 * rng.normal(size=n), base + 0.3 * rng.normal(size=n) - 0.2


SWAP_GAP = Exercise(
    swap_gap, "22 Fairness",
    inputs=lambda rng, N=7: _pairs(rng, N),
    cases={"equal gaps": lambda rng: (np.array([0.5, 0.75]), np.array([0.25, 0.5]))},
    question="The scores are [0.9, 0.1] with the first words and [0.7, 0.1] with the second ones. What is se?",
    answer=lambda f: np.round(f(np.array([0.9, 0.1]), np.array([0.7, 0.1]))[1], 6),
    hints=("Each text is its own control: subtract first, then look at the spread of the differences.",
           "s² divides by n − 1, because the mean was estimated from the same gaps. The variance of the mean is s²/n."),
    wrong=(
        WrongAnswer("formula", "the unpaired standard error",
                    "Scores differ from text to text, and this counts that spread. The pairs share their text.",
                    {"((gaps - mean) ** 2).sum() / (len(gaps) - 1)": "first.var(ddof=1) + second.var(ddof=1)"}),
        WrongAnswer("formula", "the mean of |d|",
                    "The mean of |d| hides the direction, and is above 0 even without bias.",
                    {"gaps = first - second": "gaps = abs(first - second)"}),
        WrongAnswer("formula", "s in place of s/√n", "The mean of n gaps varies less than one gap.",
                    {"np.sqrt(variance / len(gaps))": "np.sqrt(variance)"}),
        WrongAnswer("formula", "s/n in place of s/√n", "Divide the variance by n, then take the root.",
                    {"np.sqrt(variance / len(gaps))": "np.sqrt(variance) / len(gaps)"}),
        WrongAnswer("formula", "n in place of n − 1", "The mean was estimated from these gaps, which leaves n − 1.",
                    {"(len(gaps) - 1)": "len(gaps)"}),
        WrongAnswer("formula", "the sign reversed", "A positive gap means a higher score with the first word.",
                    {"first - second": "second - first"}),
        WrongAnswer("formula", "the spread around 0", "s² is the spread around the mean gap, not around 0.",
                    {"(gaps - mean) ** 2": "gaps ** 2"}),
    ))


def reweigh(y, group):
    """Weights of examples under which label and group are independent.

        wᵢ = P(a) P(y) / P(a, y),   a = groupᵢ, y = yᵢ; the probabilities are shares of the N examples

    y integers (N,)    group integers (N,)    Returns w (N,).
    """
    weights = np.zeros(len(y))
    for i in range(len(y)):
        same_label = y == y[i]
        same_group = group == group[i]
        weights[i] = same_group.mean() * same_label.mean() / (same_group & same_label).mean()
    return weights


REWEIGH = Exercise(
    reweigh, "22 Fairness",
    inputs=lambda rng, N=11, A=3: _labeled(rng, A, N)[::2],
    cases={"independent already": lambda rng: (np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])),
           "one label in one group": lambda rng: (np.array([0, 0, 0, 1, 0]), np.array([0, 0, 1, 1, 1]))},
    question="Half of 100 examples are in group a, half of them are positive, and 40 are both. "
             "What is the weight of a positive example in group a?",
    answer=lambda f: f(np.repeat([1, 0, 1, 0], [40, 10, 10, 40]), np.repeat([0, 1], 50))[0],
    hints=("If label and group were independent, the share of (a, y) would be P(a) P(y). What is it now?",
           "An example that occurs too often needs a weight below 1: expected share over observed share."),
    wrong=(
        WrongAnswer("formula", "inverse", "A frequent combination needs a smaller weight, not a larger one.",
                    {"same_group.mean() * same_label.mean() / (same_group & same_label).mean()":
                     "(same_group & same_label).mean() / (same_group.mean() * same_label.mean())"}),
        WrongAnswer("formula", "P(a) forgotten", "The expected share is P(a) P(y).",
                    {"same_group.mean() * same_label.mean()": "same_label.mean()"}),
        WrongAnswer("formula", "P(y) forgotten", "The expected share is P(a) P(y).",
                    {"same_group.mean() * same_label.mean()": "same_group.mean()"}),
        WrongAnswer("formula", "all combinations alike",
                    "This also makes rare groups and rare labels as frequent as others.",
                    {"same_group.mean() * same_label.mean()": "0.25"}),
        WrongAnswer("formula", "not divided by P(a, y)", "Divide the expected share by the observed share.",
                    {" / (same_group & same_label).mean()": ""}),
        WrongAnswer("formula", "or in place of and", "P(a, y) is the share of the examples that have both.",
                    {"same_group & same_label": "same_group | same_label"}),
    ))
