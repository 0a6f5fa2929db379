"""Classifiers: what they share, and the two that do not look at the order of words.

A classifier reads texts as integers (B, T), 0 where a shorter text is filled up, and gives logits (B, K). ``BagOfWords``
reads rows of counts. All have ``loss(x, labels)``, ``probabilities(x)`` and ``contributions(x)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import nn, ops
from ..autograd import Tensor, no_grad
from ..nn import init
from ..rng import generator
from .pretrained import Pretrained

UNKNOWN = 1                                                 # the id of a token that is not in the vocabulary


@dataclass(frozen=True)
class ClassifierConfig:
    """Sizes: V = vocab_size, K = n_classes, T ≤ block_size (longer texts are cut), C = n_embd.

    dropout         of features, in training
    word_dropout    share of tokens that training turns into <unk>
    """

    vocab_size: int
    n_classes: int
    block_size: int = 256
    n_embd: int = 128
    dropout: float = 0.0
    word_dropout: float = 0.0

    def __post_init__(self):
        for name, value in vars(self).items():
            if name.endswith("dropout"):
                if not 0 <= value < 1:
                    raise ValueError(f"{type(self).__name__}: {name} is {value!r}, expected 0 ≤ {name} < 1")
            elif isinstance(value, int) and not isinstance(value, bool) and value < 1:
                raise ValueError(f"{type(self).__name__}: {name} is {value!r}, expected a whole number of at least 1")


class Classifier(Pretrained):
    """A subclass has ``embedding``, and ``read(vectors, mask)`` from vectors (B, T, C), mask (B, T) True at tokens, to logits."""

    task, Config = "classification", ClassifierConfig
    reads = "tokens"                                        # or "counts"

    def forward(self, ids):
        ids = np.asarray(ids)
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= self.config.block_size:
            raise ValueError(f"{type(self).__name__}: ids have shape {ids.shape}, expected (B, T) with "
                             f"1 ≤ T ≤ {self.config.block_size}")
        mask = ids != 0
        if self.training and self.config.word_dropout:
            ids = np.where(mask & (generator().random(ids.shape) < self.config.word_dropout), UNKNOWN, ids)
        return self.read(self.embedding(ids), mask)

    def read(self, vectors, mask):
        """The logits (B, K)."""
        raise NotImplementedError

    def loss(self, x, labels):
        """Mean cross-entropy in nats of ``labels`` (B,)."""
        return ops.cross_entropy(self(x), labels)

    def probabilities(self, x):
        """(B, K) in float64."""
        with no_grad():
            return ops.softmax(self(x)).data.astype(np.float64)

    def contributions(self, ids, label):
        """How much each token (T,) of one text, ids (1, T), speaks for ``label``: gradient · vector of its log-odds.

            ∂(log p − log(1 − p))/∂vector · vector      (Source: Baehrens et al. 2010; the first term of a Taylor series)
        """
        ids = np.asarray(ids)
        vectors = Tensor(self.embedding(ids).data, requires_grad=True)
        logits = self.read(vectors, ids != 0)
        rest = np.arange(self.config.n_classes) != label
        (logits[:, label] - ops.logsumexp(logits[:, rest], axis=-1)).sum().backward()
        return (vectors.grad * vectors.data).sum(axis=-1)[0]


def masked_mean(x, mask):
    """The mean over time of x (B, T, C) where ``mask`` (B, T) is True: (B, C); 0 for a row without any."""
    weights = mask / np.maximum(mask.sum(axis=1, keepdims=True), 1)
    return (x * weights[:, :, None].astype(x.dtype)).sum(axis=1)


def masked_max(x, mask):
    """The maximum over time, as ``masked_mean``."""
    return ops.where(mask[:, :, None], x, -1e4).max(axis=1)


# ------------------------------------------------------------------------------------------------ without order

@dataclass(frozen=True)
class BagOfWordsConfig:
    """``l2``: the loss gets l2/2 · Σ w², which keeps weights of rare features small."""

    vocab_size: int
    n_classes: int
    l2: float = 4e-5

    def __post_init__(self):
        if not 0 <= self.l2 < float("inf"):
            raise ValueError(f"BagOfWordsConfig: l2 is {self.l2!r}, expected a number of at least 0")


class BagOfWords(Pretrained):
    """Logistic regression on counts of n-grams, weighted as ``SparseRows``: p = softmax(W x + b). The baseline of all others.

    It has one best solution, so weights start at 0 and every seed ends there.
    """

    architecture, task, Config, reads = "bow", "classification", BagOfWordsConfig, "counts"

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

    probabilities = Classifier.probabilities

    def contributions(self, x, label):
        """Weight × value of each entry of one text, against the mean of the other classes: their sum and the biases' are
        the log-odds of two classes."""
        rest = np.arange(self.config.n_classes) != label
        weight = self.weight.data[:, x.columns]
        return x.values * (weight[label] - weight[rest].mean(axis=0))


@dataclass(frozen=True)
class BayesBagConfig(BagOfWordsConfig):
    """As ``BagOfWordsConfig``; ``smoothing`` is added to every count."""

    smoothing: float = 0.25

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.smoothing < float("inf"):
            raise ValueError(f"BayesBagConfig: smoothing is {self.smoothing!r}, expected a number above 0")


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


@dataclass(frozen=True)
class AverageConfig(ClassifierConfig):
    """As ``ClassifierConfig``; the embedding table starts with a deviation of ``init_std``."""

    init_std: float = 0.1


class Average(Classifier):
    """The mean and the maximum over all vectors of a text, in a linear layer. Its tokens may be n-grams.

    Source: Joulin et al. (2017), "Bag of tricks for efficient text classification" (fastText), which has the mean alone.
    """

    architecture, Config = "average", AverageConfig

    def __init__(self, config):
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd, padding_idx=0)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.n_embd, config.n_classes)
        init.normal_(self.embedding.weight, std=config.init_std)

    def read(self, vectors, mask):
        vectors = self.dropout(vectors)
        features = ops.concatenate(masked_mean(vectors, mask), masked_max(vectors, mask), axis=-1)          # (B, 2C)
        return self.head(self.dropout(features))
