"""What stands on BERT: the two heads that it is pre-trained with, and a classifier.

Source: Devlin et al. (2019), sections 3.1 and 3.2.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .. import nn, ops
from ..interop.fields import require
from .bert import Bert, BertConfig, PublishedBert, initialise
from .classifier import Classifier
from .config_checks import check_integers
from .pretrained import Absent
from .registry import register

__all__ = ["BertClassifier", "BertClassifierConfig", "BertForPreTraining"]

UNMASKED = -100                                             # the label of a token that is not asked for


class Pairs(NamedTuple):
    """Two texts a row, behind each other: ids, mask and types (B, T), as ``Bert`` takes them."""

    ids: object
    mask: object
    types: object

    @property
    def size(self):
        """Tokens, [PAD] among them."""
        return self.ids.size


class Predictions(nn.Module):
    """The head for masked words: logits = norm(GELU(W x + b)) · word embeddingsᵀ + bias."""

    def __init__(self, config):
        self.bias = nn.Parameter(np.zeros(config.vocab_size, np.float32))
        self.transform = nn.Module()
        self.transform.dense = nn.Linear(config.n_embd, config.n_embd)
        self.transform.LayerNorm = nn.LayerNorm(config.n_embd, config.eps)

    def forward(self, x, words):
        return ops.linear(self.transform.LayerNorm(ops.gelu(self.transform.dense(x))), words, self.bias)


@register
class BertForPreTraining(PublishedBert):
    """``masked, following = model(ids, mask, types)``: logits of the words (B, T, V), and of the second text being another
    one (B, 2): class 0 says that it follows the first, class 1 that it does not.

    A head that the weights were published without gives None; ``loss`` and ``words`` then say what is missing.
    """

    architecture, task = "bert-pretraining", "masked"
    published_as = "BertForPreTraining", "BertForMaskedLM", "BertLMHeadModel", "BertForNextSentencePrediction"
    parts = {"bert.pooler": "pooler", "cls.predictions": "head for masked words", "cls.seq_relationship": "head for pairs of texts"}

    def __init__(self, config):
        self.config = config
        self.bert = Bert(config)
        self.cls = nn.Module()
        self.cls.predictions = Predictions(config)
        self.cls.seq_relationship = nn.Linear(config.n_embd, 2)
        initialise(self.cls)

    def forward(self, ids, mask=None, types=None):
        hidden, pooled = self.bert(ids, mask, types)
        masked = None if isinstance(self.cls.predictions, Absent) else self._masked(hidden)
        return masked, None if isinstance(self.cls.seq_relationship, Absent) else self.cls.seq_relationship(pooled)

    def words(self, ids, mask=None, types=None):
        """The logits of the words alone (B, T, V)."""
        return self._masked(self.bert(ids, mask, types)[0])

    def _masked(self, hidden):
        return self.cls.predictions(hidden, self.bert.embeddings.word_embeddings.weight)

    def _fitted(self, state, file):
        if not any(name.startswith("cls.") for name in state):
            raise ValueError("these are weights of a BERT without heads for masked words and pairs")
        return super()._fitted(state, file)

    def asked(self, pairs, labels):
        """(logits of the words that are asked for (N, V), those of the pairs (B, 2)); the head sees these N places alone.

        labels      (B, T), −100 at words that are not asked for
        """
        hidden, pooled = self.bert(*pairs)
        return self._masked(hidden[labels != UNMASKED]), self.cls.seq_relationship(pooled)

    def loss(self, pairs, targets):
        """Mean cross-entropy in nats of the masked words, plus that of the pairs.   targets: (labels (B, T), classes (B,))."""
        labels, classes = targets
        words, following = self.asked(pairs, labels)
        return ops.cross_entropy(words, labels[labels != UNMASKED]) + ops.cross_entropy(following, classes)


@dataclass(frozen=True)
class BertClassifierConfig(BertConfig):
    """As ``BertConfig``, with K = n_classes."""

    n_classes: int = 2

    def __post_init__(self):
        super().__post_init__()
        check_integers(self, "n_classes")


@register
class BertClassifier(PublishedBert, Classifier):
    """``logits = model(ids)``: pooled output, dropout, linear. ids integers (B, T), mask as ``Bert`` has it, logits (B, K)."""

    architecture, Config, published_as = "bert-classifier", BertClassifierConfig, ("BertForSequenceClassification",)

    def __init__(self, config):
        self.config = config
        self.bert = Bert(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.n_embd, config.n_classes)
        initialise(self.classifier)

    @property
    def embedding(self):
        """The table of words."""
        return self.bert.embeddings.word_embeddings

    def forward(self, ids, mask=None):
        return self.classifier(self.dropout(self.bert(ids, mask)[1]))

    def read(self, vectors, mask):
        _, pooled = self.bert.read(vectors, mask, np.zeros(mask.shape, int))
        return self.classifier(self.dropout(pooled))

    def levels(self):
        """Its parameters from the top down: the classifier and pooler, each layer, the embeddings."""
        below = [[*layer.parameters()] for layer in reversed(self.bert.encoder.layer)]
        return [[*self.classifier.parameters(), *self.bert.pooler.parameters()], *below, [*self.bert.embeddings.parameters()]]

    @classmethod
    def read_config(cls, values):
        config, names, count = super().read_config(values), values.get("id2label"), values.get("num_labels")
        if not isinstance(names, (dict, type(None))):
            raise ValueError(f"id2label is {names!r}, expected the classes' names by number")
        require(values, problem_type=(None, "single_label_classification"))
        if count is None and names:
            count = len(names)
        return config if count is None else dataclasses.replace(config, n_classes=count)

    def published_config(self):
        return {**super().published_config(), "id2label": {str(k): f"LABEL_{k}" for k in range(self.config.n_classes)}}
