"""Ways to reduce a difference between groups: other training texts, weights or thresholds, or the mean over a swap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..option_checks import check_callable, check_choice
from .checks import both_classes, checked_texts, fractions, members, positive, same_length
from .swaps import Swaps

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["apply_thresholds", "group_thresholds", "reweighing", "swap_augmented", "swap_averaged"]

CRITERIA = ("selection_rate", "true_positive_rate", "false_positive_rate")


def swap_augmented(texts: Sequence[str], labels: ArrayLike,
                   swaps: Mapping[str, str | Sequence[str]] | Swaps) -> tuple[list[str], NDArray[Any]]:
    """(texts, labels) with a swapped copy of each text that has a swap word, after the texts themselves.

    Each copy has the label of its text, so that swap words are equally frequent in each class.
    Source: Lu et al. (2018), "Gender bias in neural natural language processing".
    """
    texts = checked_texts("swap_augmented", texts)
    swaps = swaps if isinstance(swaps, Swaps) else Swaps(swaps)
    labels = np.asarray(labels)
    if len(labels) != len(texts):
        raise ValueError(f"swap_augmented: unequal lengths, {len(texts)} texts and {len(labels)} labels; "
                         f"expected one label for each text")
    chosen = [i for i, text in enumerate(texts) if swaps.first_side(text)]
    return [*texts, *(swaps(texts[i]) for i in chosen)], np.concatenate([labels, labels[chosen]])


def swap_averaged(predict: Callable[[list[str]], ArrayLike],
                  swaps: Mapping[str, str | Sequence[str]] | Swaps) -> Callable[[Sequence[str]], NDArray[np.float64]]:
    """The function of texts that returns the mean score of a text and its swapped copy; no model is trained again.

        g(text) = ½ (predict(text) + predict(swap(text)))

    Where swapping twice gives the text back, g(swap(text)) = g(text): no swap changes an answer. The price is that a
    text with a swap word is scored twice, and that what the word says is ignored. Texts without one keep their score.

    predict     list of texts → scores (n,) or (n, classes)
    swaps       {first word: second word}, or a ``Swaps``

    TypeError for a predict that is no function; the returned function raises ValueError if predict returns another
    number of scores than there are texts.
    """
    check_callable("swap_averaged", "predict", predict, "from a list of texts to their scores")
    swaps = swaps if isinstance(swaps, Swaps) else Swaps(swaps)

    def averaged(texts: Sequence[str]) -> NDArray[np.float64]:
        texts = checked_texts("swap_averaged", texts)
        chosen = [i for i, text in enumerate(texts) if swaps.first_side(text)]
        scores = np.asarray(predict([*texts, *(swaps(texts[i]) for i in chosen)]), np.float64)
        if scores.ndim == 0 or len(scores) != len(texts) + len(chosen):
            raise ValueError(f"swap_averaged: predict returned the shape {scores.shape} for "
                             f"{len(texts) + len(chosen)} texts, expected a score for each")
        found = scores[:len(texts)].copy()
        found[chosen] = (found[chosen] + scores[len(texts):]) / 2
        return found

    return averaged


def reweighing(y_true: ArrayLike, *, sensitive_features: ArrayLike) -> NDArray[np.float64]:
    """Weights (N,) of the examples under which label and group are independent:

        w = P(a) P(y) / P(a, y),   a the group, y the label of the example

    Their sum is N if every label occurs in every group. ValueError for labels of one class.
    Source: Kamiran & Calders (2012), "Data preprocessing techniques for classification without discrimination".
    Book (22.11).
    """
    y, groups = same_length("reweighing", y_true=y_true, sensitive_features=sensitive_features)
    (y,) = positive("reweighing", y_true=y)
    both_classes("reweighing", y)
    weights = np.empty(len(y))
    for places in members("reweighing", groups).values():
        for label in (True, False):
            cell = places[y[places] == label]
            weights[cell] = len(places) * (y == label).sum() / (len(y) * max(len(cell), 1))
    return weights


def group_thresholds(y_true: ArrayLike, probabilities: ArrayLike, *, sensitive_features: ArrayLike,
                     rate: str = "selection_rate", target: float | None = None) -> dict[Any, float]:
    """{group: threshold}, so that each group has nearly the same rate; examples above the threshold are positive.

    rate        "selection_rate" (demographic parity), "true_positive_rate" (equal opportunity), "false_positive_rate"
    target      the rate that each group shall have; by default that of all examples at the threshold 0.5

    Choose thresholds on the validation split, and measure them on the test split. ValueError for labels of one class,
    and for a group in which the rate is over no example.
    Source: Hardt, Price & Srebro (2016), "Equality of opportunity in supervised learning".
    """
    operation = "group_thresholds"
    y, p, groups = same_length(operation, y_true=y_true, probabilities=probabilities,
                               sensitive_features=sensitive_features)
    (p,), (y,) = fractions(operation, probabilities=p), positive(operation, y_true=y)
    both_classes(operation, y)
    check_choice(operation, "rate", rate, CRITERIA)
    counted = {"selection_rate": np.ones(len(y), bool), "true_positive_rate": y, "false_positive_rate": ~y}[rate]
    if target is None:
        target = (p[counted] > 0.5).mean()
    (target,) = fractions(operation, target=np.array([target]))[0].tolist()
    found = {}
    for group, places in members(operation, groups).items():
        ranked = np.sort(p[places[counted[places]]])[::-1]
        if not len(ranked):
            raise ValueError(f"{operation}: no example of the group {group!r} counts for the {rate}, "
                             f"expected both classes in each group")
        edges = np.concatenate([[1.0], (ranked[1:] + ranked[:-1]) / 2, [0.0]])          # (n + 1,): above edge k are k
        rates = (ranked > edges[:, None]).mean(axis=1)                                   # fewer at ties
        found[group] = float(edges[np.abs(rates - target).argmin()])
    return found


def apply_thresholds(probabilities: ArrayLike, thresholds: Mapping[Any, float], *,
                     sensitive_features: ArrayLike) -> NDArray[np.int64]:
    """Labels 0 and 1 (N,): whether each probability is above the threshold of its group.

    ValueError for a group without a threshold.
    """
    p, groups = same_length("apply_thresholds", probabilities=probabilities, sensitive_features=sensitive_features)
    (p,) = fractions("apply_thresholds", probabilities=p)
    found = np.zeros(len(p), np.int64)
    for group, places in members("apply_thresholds", groups).items():
        if group not in thresholds:
            raise ValueError(f"apply_thresholds: the group {group!r} has no threshold, expected one of "
                             f"{', '.join(map(repr, thresholds))}")
        found[places] = p[places] > thresholds[group]
    return found
