"""What classifiers of texts and of pictures share: labels, class probabilities, and the figures from them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import Dataset, Examples
from ...nn import evaluating
from .. import scores
from ..loop import not_finite
from ..settings import check_settings, setting
from .base import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...models.pretrained import Pretrained

__all__ = ["Labeled"]


@dataclass
class Folds:
    """Settings that the section [data] of each classifier has: cross-validation, and training on few examples."""

    folds: int = setting(0, "K ≥ 3: cross-validation with K parts of the training and validation splits; "
                            "0: the splits of the data set.", at_least=0)
    fold: int = setting(1, "With folds: the part to test on; the next part is the validation split.", at_least=1)
    labels: int = setting(0, "The number of training examples to keep, equally many of each class; 0: all.",
                          at_least=0)
    draw: int = setting(1, "With labels: seed of the choice of these examples.", at_least=0)

    def check(self) -> None:
        """ValueError for a setting that cannot be used."""
        check_settings("data", self)
        if self.folds and self.folds < 3:
            raise ValueError(f"data.folds: got {self.folds}, expected at least 3 (or 0 for the set's own split)")
        if self.folds and self.fold > self.folds:
            raise ValueError(f"data.fold: got {self.fold}, expected 1…{self.folds}")


class Labeled(Task):
    """Examples with labels, split into ``train``, ``validation`` and ``test``; ``classes`` names the labels 0, 1, …

    examples    what the examples are called: "texts"
    baseline    the name of the baseline that each model is compared with
    Baseline    the class of the baseline; a model of this class is its own baseline
    """

    headline, examples, baseline = "accuracy", "", ""
    Baseline = None

    def __init__(self, data: Any, dataset: Dataset):
        self.data, self.classes = data, dataset.classes
        self.train, self.validation, self.test = folded(dataset, data) if data.folds else (
            dataset.train, dataset.validation, dataset.test)
        for part in ("train", "validation", "test"):
            self._check_labels(part)
        if data.labels:
            self.train = few(self.train, data.labels, len(self.classes), np.random.default_rng(data.draw))

    def _check_labels(self, part: str) -> None:
        """ValueError unless each class occurs in the split."""
        labels = getattr(self, part).y
        if not len(labels):
            raise ValueError(f"{self.data.set}: its {part} part has no {self.examples}; expected more {self.examples}")
        missing = [kind for i, kind in enumerate(self.classes) if not (labels == i).any()]
        if missing:
            raise ValueError(f"{self.data.set}: none of its {self.examples} in the {part} part are of the class "
                             f"{missing[0]!r}, expected each class in each part")

    def probabilities(self, model: Pretrained, part: str) -> NDArray[np.float64]:
        """(N, K) in float64 for the examples of "train", "validation" or "test", in evaluation mode."""
        raise NotImplementedError

    def examples_of(self, model: Pretrained, part: str, chosen: NDArray[np.int64]) -> tuple[Any, Any]:
        """The arguments (x, y) of ``model.loss``: the examples of a split with the indices ``chosen``, unchanged."""
        raise NotImplementedError

    @cached_property
    def baseline_answers(self) -> NDArray[np.int64]:
        """The classes (N,) that the baseline, trained on the same examples, gives the test split."""
        raise NotImplementedError

    def number_of_examples(self) -> int:
        """The size of the training split."""
        return len(self.train.y)

    def measure(self, model: Pretrained, at_most: int | None = None) -> dict[str, float]:
        """Loss and accuracy, always on the whole validation split."""
        p, labels = self.probabilities(model, "validation"), self.validation.y
        broken = np.flatnonzero(~np.isfinite(p).all(axis=1))
        if len(broken):
            with evaluating(model):
                raise not_finite(model, model.loss(*self.examples_of(model, "validation", broken[:1])))
        return {"val_loss": cross_entropy(p, labels), "val_accuracy": scores.accuracy(labels, p.argmax(axis=1))}

    def cost(self, figures: dict[str, float]) -> float:
        """The error rate.

        The loss would stop a training too early: it rises with the confidence of a model that still improves.
        """
        return 1 - figures["val_accuracy"]

    def evaluate(self, model: Pretrained) -> dict[str, Any]:
        """All figures on the test split, and the accuracy of the baseline there."""
        labels = self.test.y
        began = time.perf_counter()
        p = self.probabilities(model, "test")
        seconds = time.perf_counter() - began
        predicted, n = p.argmax(axis=1), len(labels)
        right = predicted == labels
        beside = right if type(model) is self.Baseline else self.baseline_answers == labels
        accuracy, loss = scores.accuracy(labels, predicted), cross_entropy(p, labels)
        confusion = scores.confusion_matrix(labels, predicted, len(self.classes))
        curve, error = scores.calibration(labels, p)
        split = f"fold {self.data.fold} of {self.data.folds}" if self.data.folds else "test"
        return {"set": self.data.set, "split": split,
                "kind": self.examples, "examples": n, "accuracy": accuracy,
                "standard_error": scores.standard_error(accuracy, n),
                "confidence_interval": list(scores.bootstrap(lambda chosen: right[chosen].mean(), n)),
                "baseline": self.baseline, "baseline_accuracy": float(beside.mean()),
                "baseline_standard_error": scores.standard_error(beside.mean(), n),
                "against_baseline": scores.mcnemar(right, beside),
                "most_frequent_class_accuracy": float((labels == np.bincount(self.train.y).argmax()).mean()),
                **scores.precision_recall_f1(confusion), "roc_auc": scores.roc_auc_one_vs_rest(labels, p),
                "calibration_error": error, "test_loss": loss, "perplexity": math.exp(loss),
                "classes": list(self.classes), "confusion": confusion.tolist(), "reliability": curve,
                **self.footprint(model),
                "examples_per_s": round(n / max(seconds, 1e-9))}

    def baselines(self) -> dict[str, float]:
        """The losses of the uniform distribution over the classes and of the class frequencies."""
        shares = np.bincount(self.train.y, minlength=len(self.classes)) / len(self.train.y)
        return {"uniform": math.log(len(self.classes)), "shares": float(-np.log(shares[self.validation.y]).mean())}

    def describe(self) -> str:
        """The data in words."""
        return (f"{self.data.set}: {len(self.train.y):,} {self.examples} to train on, {len(self.validation.y):,} to "
                f"validate, {len(self.test.y):,} to test, {len(self.classes)} classes")


def cross_entropy(p: NDArray[np.float64], labels: NDArray[Any]) -> float:
    """Mean −ln p(label), in nats, of probabilities (N, K)."""
    return float(-np.log(p[np.arange(len(labels)), labels].clip(1e-300)).mean())


def few(examples: Examples, labels: int, classes: int, rng: np.random.Generator) -> Examples:
    """``labels`` random ones of ``examples``, the same number of each class (one more of the first ones for a rest).

    ValueError unless there is at least one of each class, and enough of each.
    """
    if labels < classes:
        raise ValueError(f"data.labels: got {labels}, expected 0 (all) or at least {classes}, one of each class")
    chosen = []
    for k in range(classes):
        own, wanted = np.flatnonzero(examples.y == k), labels // classes + (k < labels % classes)
        if len(own) < wanted:
            raise ValueError(f"data.labels: got {labels}, but the training split has {len(own)} examples of class {k}, "
                             f"expected at least {wanted}")
        chosen.append(rng.choice(own, wanted, replace=False))
    chosen = np.sort(np.concatenate(chosen))
    x = examples.x[chosen] if isinstance(examples.x, np.ndarray) else [examples.x[i] for i in chosen]
    return Examples(x, examples.y[chosen])


def folded(dataset: Dataset, data: Folds) -> list[Examples]:
    """(training, validation, test) of one fold. The test split of the data set is not used."""
    (x, y), (held_x, held_y) = dataset.train, dataset.validation
    x, y = np.concatenate([x, held_x]) if isinstance(x, np.ndarray) else x + held_x, np.concatenate([y, held_y])
    held = [part for _, part in scores.k_fold(len(y), data.folds)]
    test, validation = held[data.fold - 1], held[data.fold % data.folds]
    rest = np.setdiff1d(np.arange(len(y)), np.concatenate([test, validation]))
    return [Examples(x[part] if isinstance(x, np.ndarray) else [x[i] for i in part], y[part])
            for part in (rest, validation, test)]
