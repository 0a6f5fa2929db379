"""LSTM classifiers: the three that articles print, and one whose attention chooses what to read.

The first two were published as the code of "Qwen" and of "Llama 3". They are neither: both of those are decoder-only
Transformers. As printed they also give one answer for each word, with one label for each text; here the last state answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import nn, ops
from ..autograd import no_grad
from ..nn import init
from .classifier import Classifier, ClassifierConfig
from .config_checks import check_at_least_zero
from .registry import register

__all__ = ["AttentionLSTM", "AttentionLSTMConfig", "LSTMClassifier", "LSTMConfig", "SigmoidLSTM", "VectorLSTM"]


@dataclass(frozen=True)
class LSTMConfig(ClassifierConfig):
    """As ``ClassifierConfig``, and H = n_hidden units in each of ``n_layer`` layers."""

    n_hidden: int = 128
    n_layer: int = 1


@register
class LSTMClassifier(Classifier):
    """Embedding → LSTM → its last state → linear. With width 256, two layers and 512 units it is the one printed as a
    "pre-trained language model"."""

    architecture, Config = "lstm", LSTMConfig

    def __init__(self, config):
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd, padding_idx=0)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(config.n_embd, config.n_hidden, config.n_layer, batch_first=True, dropout=config.dropout)
        self.head = nn.Linear(config.n_hidden, self.outputs)

    @property
    def outputs(self):
        """How many numbers the head gives."""
        return self.config.n_classes

    def read(self, vectors, mask):
        _, (h, _) = self.lstm(self.dropout(vectors), lengths=np.maximum(mask.sum(axis=1), 1))
        return self.head(self.dropout(h[-1]))                                   # (B, K)


@register
class SigmoidLSTM(LSTMClassifier):
    """Embedding → LSTM → one unit σ(z), the probability of class 1; printed as "Llama 3". Two classes: logits (0, z)."""

    architecture, outputs = "lstm-sigmoid", 1

    def __init__(self, config):
        if config.n_classes != 2:
            raise ValueError(f"{type(self).__name__}: n_classes is {config.n_classes}, expected 2: one sigmoid tells two "
                             f"classes apart; elstm-movie and transformer-movie are recipes for any number of classes")
        super().__init__(config)

    def read(self, vectors, mask):
        z = super().read(vectors, mask)                                         # (B, 1)
        return ops.concatenate(np.zeros_like(z.data), z, axis=-1)               # softmax(0, z)₁ = σ(z)


@register
class VectorLSTM(SigmoidLSTM):
    """LSTM → σ over 128 given numbers for each word; printed as "Qwen". The article does not say where they come from: here
    they are random and stay as they are."""

    architecture = "lstm-vectors"

    def __init__(self, config):
        super().__init__(config)
        table = self.embedding.weight.data
        del self.embedding
        self.register_buffer("vectors", table)

    def embedding(self, ids):
        return ops.embedding(ids, self.vectors)


@dataclass(frozen=True)
class AttentionLSTMConfig(LSTMConfig):
    """As ``LSTMConfig``; the embedding table starts with a deviation of ``init_std``."""

    init_std: float = 0.1           # standard deviation of the initial embeddings

    def __post_init__(self):
        super().__post_init__()
        check_at_least_zero(self, "init_std")


@register
class AttentionLSTM(Classifier):
    """Embedding → LSTM in both directions → attention → linear: a mean of all states, weighted by what they say of themselves.

        αₜ = softmax over t of v · tanh(yₜ)         features = Σ αₜ yₜ

    Source: Zhou et al. (2016), "Attention-based bidirectional long short-term memory networks for relation classification".
    """

    architecture, Config = "attention-lstm", AttentionLSTMConfig

    def __init__(self, config):
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd, padding_idx=0)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(config.n_embd, config.n_hidden, config.n_layer, batch_first=True, dropout=config.dropout,
                            bidirectional=True)
        self.score = nn.Linear(2 * config.n_hidden, 1, bias=False)
        self.head = nn.Linear(2 * config.n_hidden, config.n_classes)
        init.normal_(self.embedding.weight, std=config.init_std)

    def read(self, vectors, mask):
        y, attention = self._attend(vectors, mask)
        return self.head(self.dropout((y * attention).sum(axis=1)))             # (B, K)

    def _attend(self, vectors, mask):
        """States (B, T, 2H) and their weights (B, T, 1)."""
        y, _ = self.lstm(self.dropout(vectors), lengths=np.maximum(mask.sum(axis=1), 1))
        scores = ops.where(mask[:, :, None], self.score(y.tanh()), -1e4)
        return y, ops.softmax(scores, axis=1)

    def contributions(self, ids, label):
        """The attention weight of each token (T,): what it looked at, whichever class that spoke for."""
        with no_grad():
            return self._attend(self.embedding(ids), np.asarray(ids) != 0)[1].data[0, :, 0]
