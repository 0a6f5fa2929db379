"""A Transformer encoder that classifies texts.

    x = embedding · √C + sinusoidal positions;  n_layer encoder layers;  the mean over the text;  linear

With V = 10,000, C = 512, 8 heads, 2 layers, n_inner = 2,048 and dropout 0.1 this is a model that an article prints in
Keras. The
article validates on its test data; here, validation and test data differ.   Source: Vaswani et al. (2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import nn, ops
from ..nn import init
from .classifier import Classifier, ClassifierConfig, masked_mean
from .config_checks import check_heads
from .registry import register

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import Array

__all__ = ["EncoderClassifier", "EncoderConfig"]


@dataclass(frozen=True)
class EncoderConfig(ClassifierConfig):
    """As ``ClassifierConfig``, with H = n_head heads and L = n_layer layers.

    n_inner is the width between the two linear layers.
    """

    n_head: int = 8
    n_layer: int = 2
    n_inner: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self)


@register
class EncoderClassifier(Classifier):
    """``logits = model(ids)``: ids integers (B, T), 0 at padding, which no token attends to; logits (B, K)."""

    architecture, Config = "encoder", EncoderConfig
    config: EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd, padding_idx=0)
        self.dropout = nn.Dropout(config.dropout)
        layer = nn.TransformerEncoderLayer(config.n_embd, config.n_head, config.n_inner, config.dropout,
                                           batch_first=True,
                                           norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, config.n_layer, nn.LayerNorm(config.n_embd))
        self.head = nn.Linear(config.n_embd, config.n_classes)
        for parameter in self.encoder.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        init.normal_(self.embedding.weight, std=1 / math.sqrt(config.n_embd))

    def read(self, vectors: Tensor, mask: Array) -> Tensor:
        """The logits (B, K)."""
        T, C = vectors.shape[1:]
        x = self.dropout(vectors * math.sqrt(C) + ops.sinusoidal(T, C, dtype=vectors.dtype))
        empty = ~mask
        empty[:, 0] = False                                                     # attention needs one key
        return self.head(self.dropout(masked_mean(self.encoder(x, src_key_padding_mask=empty), mask)))
