"""Models on BERT: the two heads of pre-training, and a classifier.

Source: Devlin et al. (2019), sections 3.1 and 3.2.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import nn, ops
from ..interop.fields import require
from .bert import Bert, BertConfig, PublishedBert, initialize
from .classifier import Classifier
from .config_checks import check_integers
from .pretrained import Absent
from .registry import register

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import Array, TensorLike

__all__ = ["BertClassifier", "BertClassifierConfig", "BertForPreTraining"]

UNMASKED = -100                                             # the label of a token that is not to be predicted


class Pairs(NamedTuple):
    """Two texts in each row, one after the other: ids, mask and types (B, T), the arguments of ``Bert``."""

    ids: Array
    mask: Array
    types: Array

    @property
    def size(self) -> int:
        """The number of tokens, [PAD] included."""
        return self.ids.size


class Predictions(nn.Module):
    """The head for masked words: logits = norm(GELU(W x + b)) · word embeddingsᵀ + bias."""

    def __init__(self, config: BertConfig) -> None:
        self.bias = nn.Parameter(np.zeros(config.vocab_size, np.float32))
        self.transform: Any = nn.Module()
        self.transform.dense = nn.Linear(config.n_embd, config.n_embd)
        self.transform.LayerNorm = nn.LayerNorm(config.n_embd, config.eps)

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """x (…, C), words (V, C) → (…, V)."""
        return ops.linear(self.transform.LayerNorm(ops.gelu(self.transform.dense(x))), words, self.bias)


@register
class BertForPreTraining(PublishedBert):
    """``masked, following = model(ids, mask, types)``: logits of the words (B, T, V), and of the pairs of texts (B, 2).

    Class 0 of a pair means that the second text follows the first, class 1 that it does not. A head that the published
    file lacks gives None; ``loss`` and ``words`` then raise a ValueError that names it.
    """

    architecture, task = "bert-pretraining", "masked"
    published_as = "BertForPreTraining", "BertForMaskedLM", "BertLMHeadModel", "BertForNextSentencePrediction"
    parts = {"bert.pooler": "pooler", "cls.predictions": "head for masked words",
             "cls.seq_relationship": "head for pairs of texts"}
    config: BertConfig

    def __init__(self, config: BertConfig) -> None:
        self.config = config
        self.bert = Bert(config)
        self.cls: Any = nn.Module()
        self.cls.predictions = Predictions(config)
        self.cls.seq_relationship = nn.Linear(config.n_embd, 2)
        initialize(self.cls)

    def forward(self, ids: TensorLike, mask: TensorLike | None = None,
                types: TensorLike | None = None) -> tuple[Tensor | None, Tensor | None]:
        """(logits of the words (B, T, V), logits of the pairs (B, 2))."""
        hidden, pooled = self.bert(ids, mask, types)
        masked = None if isinstance(self.cls.predictions, Absent) else self._masked(hidden)
        return masked, None if isinstance(self.cls.seq_relationship, Absent) else self.cls.seq_relationship(pooled)

    def words(self, ids: TensorLike, mask: TensorLike | None = None, types: TensorLike | None = None) -> Tensor:
        """Only the logits of the words (B, T, V)."""
        return self._masked(self.bert(ids, mask, types)[0])

    def _masked(self, hidden):
        return self.cls.predictions(hidden, self.bert.embeddings.word_embeddings.weight)

    def _fitted(self, state, file):
        if not any(name.startswith("cls.") for name in state):
            raise ValueError("these are weights of a BERT without heads for masked words and pairs")
        return super()._fitted(state, file)

    def asked(self, pairs: Pairs, labels: Array) -> tuple[Tensor, Tensor]:
        """(logits of the N words to predict (N, V), logits of the pairs (B, 2)).

        The head runs at these N positions only.

        labels      (B, T), −100 at words that are not to be predicted
        """
        hidden, pooled = self.bert(*pairs)
        return self._masked(hidden[labels != UNMASKED]), self.cls.seq_relationship(pooled)

    def loss(self, pairs: Pairs, targets: tuple[Array, Array]) -> Tensor:
        """The mean cross-entropy in nats of the masked words, plus that of the pairs.

        targets: (labels (B, T), classes (B,))
        """
        labels, classes = targets
        words, following = self.asked(pairs, labels)
        return ops.cross_entropy(words, labels[labels != UNMASKED]) + ops.cross_entropy(following, classes)


@dataclass(frozen=True)
class BertClassifierConfig(BertConfig):
    """As ``BertConfig``, with K = n_classes."""

    n_classes: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integers(self, "n_classes")


@register
class BertClassifier(PublishedBert, Classifier):
    """``logits = model(ids)``: pooled output, dropout, linear.

    ids: integers (B, T)   mask: as in ``Bert``   logits: (B, K)
    """

    architecture, Config, published_as = "bert-classifier", BertClassifierConfig, ("BertForSequenceClassification",)
    config: BertClassifierConfig

    def __init__(self, config: BertClassifierConfig) -> None:
        self.config = config
        self.bert = Bert(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.n_embd, config.n_classes)
        initialize(self.classifier)

    @property
    def embedding(self) -> nn.Embedding:
        """The table of word vectors."""
        return self.bert.embeddings.word_embeddings

    def forward(self, ids: TensorLike, mask: TensorLike | None = None) -> Tensor:
        """The logits (B, K)."""
        return self.classifier(self.dropout(self.bert(ids, mask)[1]))

    def read(self, vectors: Tensor, mask: Array) -> Tensor:
        """The logits (B, K) of word vectors (B, T, C)."""
        _, pooled = self.bert.read(vectors, mask, np.zeros(mask.shape, int))
        return self.classifier(self.dropout(pooled))

    def levels(self) -> list[list[nn.Parameter]]:
        """The parameters from the top down: classifier and pooler, each layer, the embeddings."""
        below = [[*layer.parameters()] for layer in reversed(self.bert.encoder.layer)]
        return [[*self.classifier.parameters(), *self.bert.pooler.parameters()], *below,
                [*self.bert.embeddings.parameters()]]

    @classmethod
    def read_config(cls, values: dict[str, Any]) -> BertClassifierConfig:
        """As ``PublishedBert.read_config``, with the number of classes from num_labels or id2label."""
        config, names, count = super().read_config(values), values.get("id2label"), values.get("num_labels")
        if not isinstance(names, (dict, type(None))):
            raise ValueError(f"id2label is {names!r}, expected the classes' names by number")
        require(values, problem_type=(None, "single_label_classification"))
        if count is None and names:
            count = len(names)
        return config if count is None else dataclasses.replace(config, n_classes=count)

    def published_config(self) -> dict[str, Any]:
        """As ``PublishedBert.published_config``, with the classes in id2label."""
        return {**super().published_config(), "id2label": {str(k): f"LABEL_{k}" for k in range(self.config.n_classes)}}
