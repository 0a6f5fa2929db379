"""The base of classifiers that read texts as integers (B, T), with 0 as padding, and the simplest of them.

They return logits (B, K). All have ``loss(x, labels)``, ``probabilities(x)`` and ``contributions(x, label)``, like the
classifiers of ``bag_of_words``, which read rows of counts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import nn, ops
from ..arrays import plain_array
from ..autograd import Tensor, no_grad
from ..nn import init
from ..rng import generator
from .config_checks import check_at_least_zero, check_fractions, check_integers, checked_block
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from ..typing import Array, TensorLike

__all__ = ["Average", "AverageConfig", "Classifier", "ClassifierConfig"]

UNKNOWN = 1                                                 # the id of a token outside the vocabulary


@dataclass(frozen=True)
class ClassifierConfig:
    """Sizes: V = vocab_size, K = n_classes, T ≤ block_size (longer texts are cut), C = n_embd.

    dropout         dropout probability of features
    word_dropout    probability with which training replaces a token by <unk>
    """

    vocab_size: int
    n_classes: int
    block_size: int = 256
    n_embd: int = 128
    dropout: float = 0.0
    word_dropout: float = 0.0

    def __post_init__(self) -> None:
        check_integers(self, *(field.name for field in fields(self) if field.type == "int"))
        check_fractions(self, "dropout", "word_dropout")


class Classifier(Pretrained):
    """A subclass has ``embedding`` and ``read(vectors, mask)``, which returns logits.

    vectors: (B, T, C)   mask: (B, T), True at tokens
    """

    task, Config = "classification", ClassifierConfig
    embedding: Any
    input_type = "tokens"                                   # or "counts"

    def forward(self, ids: TensorLike) -> Tensor:
        """The logits (B, K) of ids (B, T)."""
        ids = checked_block(self, ids, self.config.block_size)
        mask = ids != 0
        if self.training and self.config.word_dropout:
            ids = np.where(mask & (generator().random(ids.shape) < self.config.word_dropout), UNKNOWN, ids)
        return self.read(self.embedding(ids), mask)

    def read(self, vectors: Tensor, mask: Array) -> Tensor:
        """The logits (B, K) of vectors (B, T, C); mask (B, T) is True at tokens."""
        raise NotImplementedError

    def loss(self, x: Any, labels: TensorLike) -> Tensor:
        """The mean cross-entropy in nats of ``labels`` (B,)."""
        return ops.cross_entropy(self(x), labels)

    def probabilities(self, x: Any) -> Array:
        """softmax(logits) (B, K) in float64."""
        with no_grad():
            return ops.softmax(self(x)).data.astype(np.float64)

    def contributions(self, ids: TensorLike, label: int) -> Array:
        """The contribution (T,) of each token of one text, ids (1, T), to the log-odds of ``label``: gradient · vector.

            ∂(log p − log(1 − p))/∂vector · vector      (Source: Baehrens et al. 2010; a Taylor series' first term)
        """
        from ..explain import input_x_gradient
        ids = plain_array("contributions", ids)
        rest = np.arange(self.config.n_classes) != label

        def log_odds(vectors: Tensor) -> Tensor:
            logits = self.read(vectors, ids != 0)
            return logits[:, label] - ops.logsumexp(logits[:, rest], axis=-1)

        return input_x_gradient(log_odds, self.embedding(ids).data).sum(axis=-1)[0]


def masked_mean(x: Tensor, mask: Array) -> Tensor:
    """The mean (B, C) over time of x (B, T, C) where ``mask`` (B, T) is True; 0 for a row without True."""
    weights = mask / np.maximum(mask.sum(axis=1, keepdims=True), 1)
    return (x * weights[:, :, None].astype(x.dtype)).sum(axis=1)


def masked_max(x: Tensor, mask: Array) -> Tensor:
    """The maximum (B, C) over time of x (B, T, C) where ``mask`` (B, T) is True; −10⁴ for a row without True."""
    return ops.where(mask[:, :, None], x, -1e4).max(axis=1)


@dataclass(frozen=True)
class AverageConfig(ClassifierConfig):
    """As ``ClassifierConfig``; the embedding starts with the standard deviation ``init_std``."""

    init_std: float = 0.1           # standard deviation of the initial embeddings

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least_zero(self, "init_std")


@register
class Average(Classifier):
    """A linear layer on the mean and the maximum over all vectors of a text. The tokens may be n-grams.

    Source: Joulin et al. (2017), "Bag of tricks for efficient text classification" (fastText), which uses only the
    mean.
    """

    architecture, Config = "average", AverageConfig
    config: AverageConfig

    def __init__(self, config: AverageConfig) -> None:
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd, padding_idx=0)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.n_embd, config.n_classes)
        init.normal_(self.embedding.weight, std=config.init_std)

    def read(self, vectors: Tensor, mask: Array) -> Tensor:
        """The logits (B, K)."""
        vectors = self.dropout(vectors)
        features = ops.concatenate(masked_mean(vectors, mask), masked_max(vectors, mask), axis=-1)          # (B, 2C)
        return self.head(self.dropout(features))
