"""Rates of a binary classifier in each group, their differences, and calibration within groups.

    y_true, y_pred          labels (N,): 0 and 1, or −1 and 1; 1 is the positive class
    sensitive_features      the group of each example (N,)

In a group with tp, fp, tn and fn true and false positives and negatives:

    selection rate P(ŷ = 1) = (tp + fp)/n       accuracy = (tp + tn)/n
    true positive rate P(ŷ = 1 | y = 1) = tp/(tp + fn)      false positive rate P(ŷ = 1 | y = 0) = fp/(fp + tn)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_integer, check_number
from ..option_checks import check_choice
from .checks import fractions, members, positive, same_length
from .intervals import newcombe, t_quantile, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["demographic_parity_difference", "equalized_odds_difference", "group_calibration", "group_intervals",
           "group_metrics", "rate_differences"]

RATES = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate")


def group_metrics(y_true: ArrayLike, y_pred: ArrayLike, *, sensitive_features: ArrayLike) -> dict[Any, dict[str, Any]]:
    """{group: {"count", "accuracy", "selection_rate", "true_positive_rate", "false_positive_rate"}}.

    A rate over no example is 0, as in Fairlearn. ValueError for empty input, unequal lengths and other labels.
    """
    counts = _counts("group_metrics", y_true, y_pred, sensitive_features)
    return {group: {"count": found["accuracy"][1], **{rate: _share(*found[rate]) for rate in RATES}}
            for group, found in counts.items()}


def group_intervals(y_true: ArrayLike, y_pred: ArrayLike, *, sensitive_features: ArrayLike,
                    level: float = 0.95) -> dict[Any, dict[str, tuple[float, float]]]:
    """{group: {rate: (low, high)}}: Wilson's interval of each rate of ``group_metrics``; (0, 1) over no example."""
    level = check_number("group_intervals", "level", level, above=0, below=1)
    counts = _counts("group_intervals", y_true, y_pred, sensitive_features)
    return {group: {rate: wilson(*found[rate], level) for rate in RATES} for group, found in counts.items()}


def demographic_parity_difference(y_true: ArrayLike, y_pred: ArrayLike, *, sensitive_features: ArrayLike) -> float:
    """The largest minus the smallest selection rate of the groups: 0 if ŷ does not depend on the group.

    The labels ``y_true`` are not used; the arguments are Fairlearn's.   Book (22.2).   Source: Dwork et al. (2012).
    """
    counts = _counts("demographic_parity_difference", y_true, y_pred, sensitive_features)
    return _range(counts, "selection_rate")


def equalized_odds_difference(y_true: ArrayLike, y_pred: ArrayLike, *, sensitive_features: ArrayLike) -> float:
    """The larger of two ranges over the groups: of the true positive rate, and of the false positive rate.

    Source: Hardt, Price & Srebro (2016), in Fairlearn's form.   Book (22.2).
    """
    counts = _counts("equalized_odds_difference", y_true, y_pred, sensitive_features)
    return max(_range(counts, "true_positive_rate"), _range(counts, "false_positive_rate"))


def rate_differences(y_true: ArrayLike, y_pred: ArrayLike, *, sensitive_features: ArrayLike,
                     rate: str = "selection_rate", reference: Any = None,
                     level: float = 0.95) -> dict[Any, dict[str, Any]]:
    """{group: {"difference", "interval"}}: the rate of each other group minus that of the group ``reference``.

    The interval is Newcombe's; it says whether the difference can be chance. With many groups, some intervals miss 0
    by chance alone: 1 − level of them.

    rate            one of the rates of ``group_metrics``
    reference       a group; by default the largest

    ValueError for a single group, and for a ``reference`` without members.
    """
    level = check_number("rate_differences", "level", level, above=0, below=1)
    counts = _counts("rate_differences", y_true, y_pred, sensitive_features)
    check_choice("rate_differences", "rate", rate, RATES)
    if len(counts) < 2:
        raise ValueError(f"rate_differences: all examples are in the group {next(iter(counts))!r}, "
                         f"expected at least two groups")
    if reference is None:
        reference = max(counts, key=lambda group: counts[group]["accuracy"][1])
    if reference not in counts:
        raise ValueError(f"rate_differences: the group {reference!r} has no members, expected one of "
                         f"{', '.join(map(repr, counts))}")
    base = counts[reference][rate]
    return {group: {"difference": _share(*found[rate]) - _share(*base),
                    "interval": newcombe(*found[rate], *base, level)}
            for group, found in counts.items() if group != reference}


def group_calibration(y_true: ArrayLike, probabilities: ArrayLike, *, sensitive_features: ArrayLike,
                      bins: int = 10, level: float = 0.95) -> dict[Any, dict[str, Any]]:
    """How well P(y = 1) is calibrated within each group: P(y = 1 | p, group) = p would be perfect.

    {group: {"count", "mean_probability", "positive_rate", "difference", "interval", "error", "bins"}}

    difference, interval    positive rate − mean probability, and its t interval over the examples: the mean of y − p
    error                   Σ over bins of (count/n) |positive rate − mean probability|
    bins                    [{"probability", "positive_rate", "interval", "count"}], ``bins`` equal parts of [0, 1]

    probabilities (N,), of the positive class. ValueError for probabilities outside 0…1.
    """
    bins = check_integer("group_calibration", "bins", bins, at_least=1)
    level = check_number("group_calibration", "level", level, above=0, below=1)
    y, p, groups = same_length("group_calibration", y_true=y_true, probabilities=probabilities,
                               sensitive_features=sensitive_features)
    (p,), (y,) = fractions("group_calibration", probabilities=p), positive("group_calibration", y_true=y)
    found = {}
    for group, inside in members("group_calibration", groups).items():
        mine, p_mine = y[inside], p[inside]
        rest = mine - p_mine
        half = (t_quantile(level, len(rest) - 1) * rest.std(ddof=1) / math.sqrt(len(rest))
                if len(rest) > 1 else math.inf)
        bin = np.minimum((p_mine * bins).astype(int), bins - 1)
        curve = [{"probability": float(p_mine[bin == b].mean()), "positive_rate": float(mine[bin == b].mean()),
                  "interval": wilson(int(mine[bin == b].sum()), int((bin == b).sum()), level),
                  "count": int((bin == b).sum())} for b in np.unique(bin)]
        difference = float(rest.mean())
        found[group] = {"count": len(mine), "mean_probability": float(p_mine.mean()),
                        "positive_rate": float(mine.mean()), "difference": difference,
                        "interval": (difference - half, difference + half),
                        "error": sum(one["count"] * abs(one["positive_rate"] - one["probability"])
                                     for one in curve) / len(mine), "bins": curve}
    return found


# ------------------------------------------------------------------------------------------------ counting

def _counts(operation: str, y_true: ArrayLike, y_pred: ArrayLike,
            sensitive_features: ArrayLike) -> dict[Any, dict[str, tuple[int, int]]]:
    """{group: {rate: (numerator, denominator)}}."""
    true, pred, groups = same_length(operation, y_true=y_true, y_pred=y_pred, sensitive_features=sensitive_features)
    true, pred = positive(operation, y_true=true, y_pred=pred)
    found = {}
    for group, inside in members(operation, groups).items():
        y, chosen = true[inside], pred[inside]
        n, n_positive = len(y), int(y.sum())
        found[group] = {"accuracy": (int((y == chosen).sum()), n), "selection_rate": (int(chosen.sum()), n),
                        "true_positive_rate": (int((y & chosen).sum()), n_positive),
                        "false_positive_rate": (int((~y & chosen).sum()), n - n_positive)}
    return found


def _share(count: int, n: int) -> float:
    return count / n if n else 0.0


def _range(counts: dict[Any, dict[str, tuple[int, int]]], rate: str) -> float:
    """The largest minus the smallest rate of the groups."""
    shares = [_share(*found[rate]) for found in counts.values()]
    return max(shares) - min(shares)
