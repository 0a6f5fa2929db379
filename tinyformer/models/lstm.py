"""LSTM classifiers: three that articles print, and one with attention.

Articles print two of them as the code of "Qwen" and of "Llama 3". They are neither, since Qwen and Llama 3 are
decoder-only Transformers. As printed, they also return one output for each word, although each text has one label; here
the last state gives the output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import nn, ops
from ..autograd import no_grad
from ..nn import init
from .classifier import Classifier, ClassifierConfig
from .config_checks import check_at_least_zero
from .registry import register

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import Array, TensorLike

__all__ = ["AttentionLSTM", "AttentionLSTMConfig", "LSTMClassifier", "LSTMConfig", "SigmoidLSTM", "VectorLSTM"]


@dataclass(frozen=True)
class LSTMConfig(ClassifierConfig):
    """As ``ClassifierConfig``, with H = n_hidden units in each of n_layer layers."""

    n_hidden: int = 128
    n_layer: int = 1


@register
class LSTMClassifier(Classifier):
    """Embedding → LSTM → last state → linear.

    With C = 256, two layers and 512 units, an article prints it as a "pre-trained language model".
    """

    architecture, Config = "lstm", LSTMConfig
    config: LSTMConfig

    def __init__(self, config: LSTMConfig) -> None:
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd, padding_idx=0)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(config.n_embd, config.n_hidden, config.n_layer, batch_first=True, dropout=config.dropout)
        self.head = nn.Linear(config.n_hidden, self.outputs)

    @property
    def outputs(self) -> int:
        """The number of outputs of the head."""
        return self.config.n_classes

    def read(self, vectors: Tensor, mask: Array) -> Tensor:
        """The logits (B, K)."""
        _, (h, _) = self.lstm(self.dropout(vectors), lengths=np.maximum(mask.sum(axis=1), 1))
        return self.head(self.dropout(h[-1]))                                   # (B, K)


@register
class SigmoidLSTM(LSTMClassifier):
    """Embedding → LSTM → one unit σ(z), the probability of class 1; printed as "Llama 3".

    The logits of its two classes are (0, z).
    """

    architecture = "lstm-sigmoid"

    def __init__(self, config: LSTMConfig) -> None:
        if config.n_classes != 2:
            raise ValueError(f"{type(self).__name__}: n_classes is {config.n_classes}, expected 2: one sigmoid tells "
                             "two "
                             f"classes apart; elstm-movie and transformer-movie are recipes for any number of classes")
        super().__init__(config)

    @property
    def outputs(self) -> int:
        """1, the logit z."""
        return 1

    def read(self, vectors: Tensor, mask: Array) -> Tensor:
        """The logits (B, 2)."""
        z = super().read(vectors, mask)                                         # (B, 1)
        return ops.concatenate(np.zeros_like(z.data), z, axis=-1)               # softmax(0, z)₁ = σ(z)


@register
class VectorLSTM(SigmoidLSTM):
    """LSTM → σ over 128 given numbers for each word; printed as "Qwen".

    The article does not say where these numbers come from. Here they are random and are not trained.
    """

    architecture = "lstm-vectors"
    vectors: Array

    def __init__(self, config: LSTMConfig) -> None:
        super().__init__(config)
        self.register_buffer("vectors", vars(self).pop("embedding").weight.data)

    def embedding(self, ids: TensorLike) -> Tensor:
        """The fixed vectors (B, T, C) of ids (B, T)."""
        return ops.embedding(ids, self.vectors)


@dataclass(frozen=True)
class AttentionLSTMConfig(LSTMConfig):
    """As ``LSTMConfig``; the embedding starts with the standard deviation ``init_std``."""

    init_std: float = 0.1           # standard deviation of the initial embeddings

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least_zero(self, "init_std")


@register
class AttentionLSTM(Classifier):
    """Embedding → bidirectional LSTM → attention → linear: a mean of all states, weighted by scores of these states.

        αₜ = softmax over t of v · tanh(yₜ)         features = Σ αₜ yₜ

    Source: Zhou et al. (2016), "Attention-based bidirectional long short-term memory networks for relation
    classification".
    """

    architecture, Config = "attention-lstm", AttentionLSTMConfig
    config: AttentionLSTMConfig

    def __init__(self, config: AttentionLSTMConfig) -> None:
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd, padding_idx=0)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(config.n_embd, config.n_hidden, config.n_layer, batch_first=True, dropout=config.dropout,
                            bidirectional=True)
        self.score = nn.Linear(2 * config.n_hidden, 1, bias=False)
        self.head = nn.Linear(2 * config.n_hidden, config.n_classes)
        init.normal_(self.embedding.weight, std=config.init_std)

    def read(self, vectors: Tensor, mask: Array) -> Tensor:
        """The logits (B, K)."""
        y, attention = self._attend(vectors, mask)
        return self.head(self.dropout((y * attention).sum(axis=1)))             # (B, K)

    def _attend(self, vectors, mask):
        """States (B, T, 2H) and their weights (B, T, 1)."""
        y, _ = self.lstm(self.dropout(vectors), lengths=np.maximum(mask.sum(axis=1), 1))
        scores = ops.where(mask[:, :, None], self.score(y.tanh()), -1e4)
        return y, ops.softmax(scores, axis=1)

    def contributions(self, ids: TensorLike, label: int) -> Array:
        """The attention weight of each token (T,) of one text, ids (1, T).

        The weights are the same for every ``label``.
        """
        with no_grad():
            return self._attend(self.embedding(ids), np.asarray(ids) != 0)[1].data[0, :, 0]
