"""Classifiers that read rows of counts, ``SparseRows``: which n-grams occur in a text, not where.

They are linear in the counts.

They return logits (B, K) and have the ``loss(x, labels)``, ``probabilities(x)`` and ``contributions(x, label)`` of
other classifiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import nn, ops
from ..arrays import plain_array
from .classifier import Classifier
from .config_checks import check_above_zero, check_at_least_zero, check_integers
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..data.sparse import SparseRows
    from ..typing import Array, TensorLike

__all__ = ["BagOfWords", "BagOfWordsConfig", "BayesBag", "BayesBagConfig"]


@dataclass(frozen=True)
class BagOfWordsConfig:
    """V = vocab_size features, K = n_classes.

    In training, the loss has the penalty l2/2 · Σ w², which keeps the weights small.
    """

    vocab_size: int
    n_classes: int
    l2: float = 4e-5                # strength of the penalty l2/2 · Σ w² in training

    def __post_init__(self) -> None:
        check_integers(self, "vocab_size", "n_classes")
        check_at_least_zero(self, "l2")


@register
class BagOfWords(Pretrained):
    """Logistic regression on counts of n-grams: p = softmax(W x + b). The baseline of all classifiers.

    The loss is strictly convex in W. The weights start at 0, and every seed leads to the same solution.
    """

    architecture, task, Config, input_type = "bow", "classification", BagOfWordsConfig, "counts"
    config: BagOfWordsConfig

    def __init__(self, config: BagOfWordsConfig) -> None:
        self.config = config
        self.weight = nn.Parameter(np.zeros((config.n_classes, config.vocab_size), np.float32))
        self.bias = nn.Parameter(np.zeros(config.n_classes, np.float32))

    def forward(self, x: SparseRows) -> Tensor:
        """The logits (B, K)."""
        return ops.sparse_linear(x.rows, x.columns, x.values, self.weight, self.bias, N=len(x))

    def dense(self, x: TensorLike) -> Tensor:
        """The logits (B, K) of the same counts as ordinary rows, x (B, V), as other programs hold them."""
        return ops.linear(x, self.weight, self.bias)

    def loss(self, x: SparseRows, labels: TensorLike) -> Tensor:
        """The mean cross-entropy in nats of ``labels`` (B,), plus the penalty in training."""
        loss = ops.cross_entropy(self(x), labels)
        return loss + (self.weight * self.weight).sum() * (self.config.l2 / 2) if self.training else loss

    probabilities = Classifier.probabilities                # it reads only the logits

    def terms(self, x: SparseRows) -> Array:
        """Weight × value of each entry of one text, for each class: (K, entries). With the bias they are the logits."""
        return x.values * self.weight.data[:, x.columns]

    def contributions(self, x: SparseRows, label: int) -> Array:
        """Weight × value of each entry of one text, minus the mean over the other classes.

        With two classes, the sum of the contributions and of the biases is the log-odds.
        """
        terms = self.terms(x)
        return terms[label] - np.delete(terms, label, axis=0).mean(axis=0)


@dataclass(frozen=True)
class BayesBagConfig(BagOfWordsConfig):
    """As ``BagOfWordsConfig``; the log-count ratios add ``smoothing`` to every count."""

    smoothing: float = 0.25         # added to every count

    def __post_init__(self) -> None:
        super().__post_init__()
        check_above_zero(self, "smoothing")


@register
class BayesBag(BagOfWords):
    """A bag of words whose features are weighted by the log-count ratios of naive Bayes:

        r(k, f) = ln p(f | k) − ln p(f | not k)      x(k) = r(k)[what occurs] / its norm      logit(k) = w(k) · x(k) +
        b(k)

    Source: Wang & Manning (2012), "Baselines and bigrams: simple, good sentiment and topic classification" (NB-SVM).
    """

    architecture, Config = "bayes-bow", BayesBagConfig
    config: BayesBagConfig
    ratio: Array

    def __init__(self, config: BayesBagConfig) -> None:
        super().__init__(config)
        self.register_buffer("ratio", np.zeros_like(self.weight.data))

    def prepare(self, x: SparseRows, labels: Array) -> None:
        """Compute r from the counts of the features in each class. Training calls this once, before the first step."""
        K, F = self.weight.shape
        counts = np.stack([np.bincount(x.columns[labels[x.rows] == k], minlength=F) for k in range(K)])
        inside, outside = (part + self.config.smoothing for part in (counts, counts.sum(axis=0) - counts))
        inside, outside = (part / part.sum(axis=1, keepdims=True) for part in (inside, outside))
        self.ratio[:] = np.log(inside) - np.log(outside)

    def forward(self, x: SparseRows) -> Tensor:
        """The logits (B, K)."""
        rows = x.rows
        return ops.concatenate(*(ops.sparse_linear(rows, x.columns, values, self.weight[k:k + 1], self.bias[k:k + 1],
                                                   N=len(x))
                                 for k, values in enumerate(self._values(x, rows))), axis=-1)

    def dense(self, x: TensorLike) -> Tensor:
        """The logits (B, K) of counts as ordinary rows, x (B, V)."""
        x, logits = plain_array(type(self).__name__, x), []
        for k, ratio in enumerate(self.ratio):
            values = ops.where(x != 0, ratio, 0.0)                              # (B, V)
            norm = ops.maximum(ops.sqrt((values * values).sum(axis=1, keepdims=True)), 1e-12)
            logits.append(ops.linear(values / norm, self.weight[k:k + 1], self.bias[k:k + 1]))
        return ops.concatenate(*logits, axis=-1)

    def _values(self, x, rows):
        for ratio in self.ratio:
            values = ratio[x.columns]
            yield values / np.sqrt(np.bincount(rows, values * values, len(x))).clip(1e-12)[rows].astype(values.dtype)

    def terms(self, x: SparseRows) -> Array:
        """As ``BagOfWords.terms``, with the weighted features."""
        return np.stack([w[x.columns] * values for w, values in zip(self.weight.data, self._values(x, x.rows))])
