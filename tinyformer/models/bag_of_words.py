"""Classifiers that read rows of counts, ``SparseRows``: which n-grams a text has, and not where. All are linear in them.

They give logits (B, K), and have ``loss(x, labels)``, ``probabilities(x)`` and ``contributions(x)`` as other classifiers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import nn, ops
from .classifier import Classifier
from .config_checks import check_above_zero, check_at_least_zero, check_integers
from .pretrained import Pretrained
from .registry import register

__all__ = ["BagOfWords", "BagOfWordsConfig", "BayesBag", "BayesBagConfig"]


@dataclass(frozen=True)
class BagOfWordsConfig:
    """``l2``: the loss gets l2/2 · Σ w², which keeps weights of rare features small."""

    vocab_size: int
    n_classes: int
    l2: float = 4e-5                # strength of the penalty l2/2 · Σ w² in training

    def __post_init__(self):
        check_integers(self, "vocab_size", "n_classes")
        check_at_least_zero(self, "l2")


@register
class BagOfWords(Pretrained):
    """Logistic regression on counts of n-grams, weighted as ``SparseRows``: p = softmax(W x + b). The baseline of all others.

    It has one best solution, so weights start at 0 and every seed ends there.
    """

    architecture, task, Config, input_type = "bow", "classification", BagOfWordsConfig, "counts"

    def __init__(self, config):
        self.config = config
        self.weight = nn.Parameter(np.zeros((config.n_classes, config.vocab_size), np.float32))
        self.bias = nn.Parameter(np.zeros(config.n_classes, np.float32))

    def forward(self, x):
        return ops.sparse_linear(x.rows, x.columns, x.values, self.weight, self.bias, N=len(x))

    def loss(self, x, labels):
        """Mean cross-entropy in nats, and the penalty in training."""
        loss = ops.cross_entropy(self(x), labels)
        return loss + (self.weight * self.weight).sum() * (self.config.l2 / 2) if self.training else loss

    probabilities = Classifier.probabilities                # of the logits, whatever they were made from

    def contributions(self, x, label):
        """Weight × value of each entry of one text, against the mean of the other classes: their sum and the biases' are
        the log-odds of two classes."""
        rest = np.arange(self.config.n_classes) != label
        weight = self.weight.data[:, x.columns]
        return x.values * (weight[label] - weight[rest].mean(axis=0))


@dataclass(frozen=True)
class BayesBagConfig(BagOfWordsConfig):
    """As ``BagOfWordsConfig``; ``smoothing`` is added to every count."""

    smoothing: float = 0.25         # added to every count

    def __post_init__(self):
        super().__post_init__()
        check_above_zero(self, "smoothing")


@register
class BayesBag(BagOfWords):
    """A bag of words whose features count as much as naive Bayes says that they tell a class from the others:

        r(k, f) = ln p(f | k) − ln p(f | not k)      x(k) = r(k)[what occurs] / its norm      logit(k) = w(k) · x(k) + b(k)

    Source: Wang & Manning (2012), "Baselines and bigrams: simple, good sentiment and topic classification" (NB-SVM).
    """

    architecture, Config = "bayes-bow", BayesBagConfig

    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("ratio", np.zeros_like(self.weight.data))

    def prepare(self, x, labels):
        """Count the features of texts, ``SparseRows``, in each class."""
        K, F = self.weight.shape
        counts = np.stack([np.bincount(x.columns[labels[x.rows] == k], minlength=F) for k in range(K)])
        inside, outside = (part + self.config.smoothing for part in (counts, counts.sum(axis=0) - counts))
        self.ratio[:] = np.log(inside / inside.sum(axis=1, keepdims=True)) - np.log(outside / outside.sum(axis=1, keepdims=True))

    def forward(self, x):
        rows = x.rows
        return ops.concatenate(*(ops.sparse_linear(rows, x.columns, values, self.weight[k:k + 1], self.bias[k:k + 1], N=len(x))
                                 for k, values in enumerate(self._values(x, rows))), axis=-1)

    def _values(self, x, rows):
        for ratio in self.ratio:
            values = ratio[x.columns]
            yield values / np.sqrt(np.bincount(rows, values * values, len(x))).clip(1e-12)[rows].astype(values.dtype)

    def contributions(self, x, label):
        each = np.stack([w[x.columns] * values for w, values in zip(self.weight.data, self._values(x, x.rows))])
        return each[label] - np.delete(each, label, axis=0).mean(axis=0)
