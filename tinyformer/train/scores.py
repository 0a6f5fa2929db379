"""Scores of classifiers and their uncertainty.

    labels, predicted       integers (N,), each in 0 … K−1          probabilities   (N, K), rows that sum to one
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import plain_array
from ..names import module_attributes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["accuracy", "bootstrap", "calibration", "confusion_matrix",
           "k_fold", "mcnemar", "precision_recall_f1", "roc_auc", "roc_auc_one_vs_rest", "spread", "standard_error"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, n_classes: int) -> NDArray[np.int64]:
    """(K, K) counts: row = true class, column = predicted class. ``viz.draw_confusion_matrix`` draws them.

    Raises ValueError for classes that are not 0 … K−1, and unless there is a prediction for each label.
    """
    labels, predicted = checked_labels("confusion_matrix", labels, n_classes), checked_labels(
        "confusion_matrix", predicted, n_classes, "predicted")
    if len(labels) != len(predicted):
        raise ValueError(f"confusion_matrix: {len(labels)} labels and {len(predicted)} predicted, expected as many")
    return np.bincount(labels * n_classes + predicted, minlength=n_classes ** 2).reshape(n_classes, n_classes)


def precision_recall_f1(confusion: ArrayLike) -> dict[str, dict[str, Any]]:
    """{"precision", "recall", "f1"} of a confusion matrix.

    Each is {"per_class": [K], "macro": their mean, "micro": of all}.

        precision = tp / (tp + fp)      recall = tp / (tp + fn)      F1 = 2 tp / (2 tp + fp + fn)

    0 where the denominator is 0 (a class that is never predicted, or never occurs), as in scikit-learn.
    """
    confusion = plain_array("precision_recall_f1", confusion)
    right, predicted, true = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    scores = {}
    for name, top, bottom in (("precision", right, predicted), ("recall", right, true),
                              ("f1", 2 * right, predicted + true)):
        each = top / np.maximum(bottom, 1)
        scores[name] = {"per_class": each.tolist(), "macro": float(each.mean()),
                        "micro": float(top.sum() / max(bottom.sum(), 1))}
    return scores


def accuracy(labels: ArrayLike, predicted: ArrayLike) -> float:
    """The share of labels that are predicted correctly.

    ValueError unless both have the same shape and are not empty.
    """
    labels, predicted = plain_array("accuracy", labels), plain_array("accuracy", predicted)
    if labels.shape != predicted.shape or not labels.size:
        raise ValueError(f"accuracy: labels have shape {labels.shape} and predicted {predicted.shape}, "
                         "expected one shape, not empty")
    return float((labels == predicted).mean())


def standard_error(share: float, n: int) -> float:
    """√(p (1 − p)/n): the standard error of a share p that was counted on n examples."""
    return math.sqrt(share * (1 - share) / n)


def roc_auc(positive: ArrayLike, scores: ArrayLike) -> float:
    """The area under the ROC curve.

    It is P(the score of a positive example is above that of a negative one), where ties count half.

        AUC = (Σ ranks of the positives − n₊(n₊ + 1)/2) / (n₊ n₋)

    positive (N,) booleans    scores (N,), the higher the more positive. ValueError unless both occur.
    """
    positive, scores = np.asarray(positive, bool), _finite("roc_auc", scores)
    n, total = int(positive.sum()), len(positive)
    if n in (0, total):
        raise ValueError(f"roc_auc: {n} of {total} examples are positive, expected examples of both kinds")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2                                # equal scores share their mean rank
    return float((ranks[place][positive].sum() - n * (n + 1) / 2) / (n * (total - n)))


def roc_auc_one_vs_rest(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The mean over the classes of the AUC of each class against all others; for two classes the AUC of class 1."""
    probabilities = checked_probabilities("roc_auc_one_vs_rest", probabilities)
    K = probabilities.shape[1]
    labels = checked_labels("roc_auc_one_vs_rest", labels, K)
    if K == 2:
        return roc_auc(labels == 1, probabilities[:, 1])
    return float(np.mean([roc_auc(labels == k, probabilities[:, k]) for k in range(K)]))


def calibration(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> tuple[list[dict[str, Any]], float]:
    """The calibration of probabilities: (bins, expected calibration error).

    A bin is {"confidence", "accuracy", "count"}.

    Examples fall into ``bins`` equal parts of [0, 1] by the probability of the predicted class.

        ECE = Σ over bins of (count/N) |accuracy − mean confidence|

    Source: Guo et al. (2017), "On calibration of modern neural networks".
    """
    probabilities = checked_probabilities("calibration", probabilities)
    labels = checked_labels("calibration", labels, probabilities.shape[1])
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bin = np.minimum((confidence * bins).astype(int), bins - 1)
    curve, error = [], 0.0
    for b in np.unique(bin):
        inside = bin == b
        curve.append({"confidence": float(confidence[inside].mean()), "accuracy": float(right[inside].mean()),
                      "count": int(inside.sum())})
        error += inside.mean() * abs(curve[-1]["accuracy"] - curve[-1]["confidence"])
    return curve, float(error)


# ------------------------------------------------------------------------------------------------ uncertainty

def bootstrap(statistic: Callable[[NDArray[np.int64]], float], n: int, *, level: float = 0.95, draws: int = 1000,
              rng: np.random.Generator | int = 0) -> tuple[float, float]:
    """(low, high): the central interval with the share ``level`` of ``statistic(chosen)``.

    ``chosen`` are many resamples of n examples.

    statistic       function of the indices (n,) of a resample, which are drawn with replacement

    Source: Efron (1979), percentile intervals.
    """
    if n < 1:
        raise ValueError(f"bootstrap: got {n} examples, expected at least one")
    rng = np.random.default_rng(rng)
    values = [statistic(rng.integers(0, n, n)) for _ in range(draws)]
    low, high = np.quantile(values, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def spread(values: ArrayLike) -> dict[str, float]:
    """{"mean", "sd", "se", "n"} of several runs.

    They are the mean, the sample standard deviation, the standard error sd/√n and the number of runs.
    """
    values = _finite("spread", values)
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(values.mean()), "sd": sd, "se": sd / math.sqrt(len(values)), "n": len(values)}


def mcnemar(right_a: ArrayLike, right_b: ArrayLike) -> dict[str, float]:
    """McNemar's test: do two classifiers differ on the same examples?

    Only examples that exactly one of them has right count.

    b = only a is right, c = only b is right. If neither is better, b is Binomial(b + c, ½): ``p_exact`` is its
    two-sided probability of as uneven a split. ``chi2`` = (|b − c| − 1)²/(b + c) with ``p_chi2`` is the approximation
    for many.

    Source: McNemar (1947); the correction is Edwards' (1948).
    """
    right_a, right_b = np.asarray(right_a, bool), np.asarray(right_b, bool)
    if right_a.shape != right_b.shape or not right_a.size:
        raise ValueError(f"mcnemar: got shapes {right_a.shape} and {right_b.shape}, expected one shape, not empty")
    b, c = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    n = b + c
    if n == 0:
        return {"only_first": 0, "only_second": 0, "p_exact": 1.0, "chi2": 0.0, "p_chi2": 1.0}
    log_terms = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
                 for k in range(min(b, c) + 1)]
    chi2 = max(abs(b - c) - 1, 0) ** 2 / n
    return {"only_first": b, "only_second": c, "p_exact": min(1.0, 2 * sum(map(math.exp, log_terms))),
            "chi2": chi2, "p_chi2": math.erfc(math.sqrt(chi2 / 2))}             # of one degree of freedom


def k_fold(n: int, k: int, rng: np.random.Generator | int = 0) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """k pairs (rest, held out) of indices of n examples.

    Each example is held out once; the sizes of the parts differ by at most 1.
    """
    if not 2 <= k <= n:
        raise ValueError(f"k_fold: k is {k} for {n} examples, expected 2 ≤ k ≤ {n}")
    parts = np.array_split(np.random.default_rng(rng).permutation(n), k)
    return [(np.sort(np.concatenate(parts[:i] + parts[i + 1:])), np.sort(parts[i])) for i in range(k)]


# ------------------------------------------------------------------------------------------------ checks

def checked_labels(operation: str, labels: ArrayLike, n_classes: int, name: str = "labels") -> NDArray[np.int64]:
    """``labels`` as int64 (N,), N ≥ 1, each in 0 … n_classes − 1."""
    labels = plain_array(operation, labels)
    if labels.ndim != 1 or not labels.size:
        raise ValueError(f"{operation}: {name} have shape {labels.shape}, expected (N,) with N ≥ 1")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{operation}: {name} are {labels.dtype}, expected integers")
    wrong = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if wrong.size:
        raise ValueError(f"{operation}: {name}[{wrong[0]}] is {labels[wrong[0]]}, expected 0…{n_classes - 1}")
    return labels.astype(np.int64)


def checked_probabilities(operation: str, probabilities: ArrayLike) -> NDArray[np.float64]:
    """``probabilities`` as float64 (N, K), each at least 0 and each row with the sum 1."""
    probabilities = _finite(operation, probabilities, 2)
    if probabilities.min() < 0 or np.abs(probabilities.sum(axis=1) - 1).max() > 1e-4:
        raise ValueError(f"{operation}: probabilities are below 0 or do not sum to one in each row")
    return probabilities


def _finite(operation: str, values: ArrayLike, ndim: int = 1) -> NDArray[np.float64]:
    values = np.asarray(values, np.float64)
    if values.ndim != ndim or not values.size:
        raise ValueError(f"{operation}: got shape {values.shape}, "
                         f"expected {'(N,)' if ndim == 1 else '(N, K)'}, not empty")
    if not np.isfinite(values).all():
        raise ValueError(f"{operation}: entry {np.flatnonzero(~np.isfinite(values.reshape(-1)))[0]} is not finite")
    return values
