"""Measuring the fairness of a trained classifier of texts: swaps of words, and groups of examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import fairness
from ..data import read_columns
from ..fairness.checks import checked_texts
from ..files import read_text
from .classes import load_classes
from .saved_run import SavedRun, open_run
from .tasks.classification import class_probabilities, encoded_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATES = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate")


class TextScorer:
    """The classifier in ``folder`` as a function: list of texts → P(target), (n,).

    target      the name of a class; by default the last class, such as "positive"

    ValueError for another kind of model, for an unknown class, and for a text without a token.
    """

    def __init__(self, folder: str | Path, target: str | None = None) -> None:
        self.folder = Path(folder)
        self.run: SavedRun = open_run(folder)
        if self.run.model.task != "classification":
            raise ValueError(f"{folder}: a {type(self.run.model).__name__} does not classify texts, "
                             f"expected a classifier of texts")
        self.classes = load_classes(self.folder)
        if target is not None and target not in self.classes:
            raise ValueError(f"target is {target!r}, expected one of the classes {', '.join(self.classes)}")
        self.target = self.classes[-1] if target is None else target

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return self.probabilities(texts)[:, self.classes.index(self.target)]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n, K), the probability of each class."""
        assert self.run.tokenizer is not None
        texts = checked_texts("TextScorer", texts)
        for text in texts:
            if not self.run.tokenizer.encode(text).size:
                raise ValueError(f"the text {text!r} has no word, expected at least one")
        return class_probabilities(self.run.model, encoded_texts(self.run.model, self.run.tokenizer, texts)[0])


def read_texts(path: str | Path, column: str = "text") -> list[str]:
    """The texts in a file: the column ``column`` of a .csv or .tsv file, or the lines of another file that are not
    empty. ValueError if there are none."""
    if Path(path).suffix in (".csv", ".tsv"):
        return read_columns(path, column)[0]
    texts = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not texts:
        raise ValueError(f"{path} has no texts, expected one on each line")
    return texts


def measure_swaps(scorer: TextScorer, texts: Sequence[str] | None,
                  swaps: Mapping[str, Any]) -> tuple[fairness.Counterfactual, list[dict[str, Any]]]:
    """(the counterfactual report, the pairs with the largest gaps) of ``texts``, by default the test split.

    A pair is {"text", "swapped", "gap"}, where gap = score of the first word − score of the second.
    """
    if texts is None:
        texts = scorer.run.task.test.x
    exchange = fairness.Swaps(swaps)
    report = fairness.counterfactual(scorer, texts, exchange)
    largest = np.argsort(-np.abs(report.gaps), kind="stable")[:5]
    return report, [{"text": texts[report.places[i]], "swapped": exchange(texts[report.places[i]]),
                     "gap": float(report.gaps[i])} for i in largest]


def measure_groups(scorer: TextScorer, path: str | Path, group: str) -> dict[str, Any]:
    """The rates of the groups in the column ``group`` of a .csv or .tsv file, their differences, and calibration.

    The columns of texts and labels are those of the recipe, by default "text" and "label". ``scorer.target`` is the
    positive class. An example is predicted as positive if no class is more likely.

    {"groups": {name: {rate: …, "intervals": {rate: (low, high)}}}, "reference", "differences": {rate: {name: …}},
    "demographic_parity_difference", "equalized_odds_difference", "calibration"}

    ValueError for a label that the model does not know, for labels of one class and for a single group.
    """
    data = scorer.run.recipe.data if scorer.run.recipe else None
    texts, labels, groups = read_columns(path, getattr(data, "text", "text"), getattr(data, "label", "label"), group)
    unknown = sorted(set(labels) - set(scorer.classes))
    if unknown:
        raise ValueError(f"{path}: unknown label {unknown[0]!r}, expected one of {', '.join(scorer.classes)}")
    y = np.array([label == scorer.target for label in labels], np.int64)
    if y.min() == y.max():
        raise ValueError(f"{path}: all labels are {'' if y[0] else 'not '}{scorer.target!r}, expected both kinds")
    p = scorer.probabilities(texts)
    place = scorer.classes.index(scorer.target)
    predicted = (p.argmax(axis=1) == place).astype(np.int64)
    given = {"sensitive_features": groups}
    metrics = fairness.group_metrics(y, predicted, **given)
    reference = max(metrics, key=lambda name: metrics[name]["count"])
    differences = {rate: fairness.rate_differences(y, predicted, **given, rate=rate, reference=reference)
                   for rate in RATES}
    intervals = fairness.group_intervals(y, predicted, **given)
    return {"groups": {name: {**found, "intervals": intervals[name]} for name, found in metrics.items()},
            "target": scorer.target, "reference": reference, "differences": differences,
            "demographic_parity_difference": fairness.demographic_parity_difference(y, predicted, **given),
            "equalized_odds_difference": fairness.equalized_odds_difference(y, predicted, **given),
            "calibration": fairness.group_calibration(y, p[:, place], **given)}
