"""A Transformer encoder that classifies texts.

    x = embedding · √C + sinusoidal positions;  n_layer encoder layers;  the mean over the text;  linear

With V = 10,000, C = 512, 8 heads, 2 layers, 2,048 features inside and dropout 0.1 it is the one that an article prints in
Keras's words. It validates there on its test data; here each has its own.   Source: Vaswani et al. (2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .. import nn, ops
from ..nn import init
from .classifier import Classifier, ClassifierConfig, masked_mean
from .config_checks import check_heads
from .registry import register

__all__ = ["EncoderClassifier", "EncoderConfig"]


@dataclass(frozen=True)
class EncoderConfig(ClassifierConfig):
    """As ``ClassifierConfig``, with H = n_head heads, ``n_layer`` layers, and ``n_inner`` features between two linear layers."""

    n_head: int = 8
    n_layer: int = 2
    n_inner: int = 512

    def __post_init__(self):
        super().__post_init__()
        check_heads(self)


@register
class EncoderClassifier(Classifier):
    """``logits = model(ids)``: ids integers (B, T), 0 at fillings, which nobody looks at; logits (B, K)."""

    architecture, Config = "encoder", EncoderConfig

    def __init__(self, config):
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd, padding_idx=0)
        self.dropout = nn.Dropout(config.dropout)
        layer = nn.TransformerEncoderLayer(config.n_embd, config.n_head, config.n_inner, config.dropout, batch_first=True,
                                           norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, config.n_layer, nn.LayerNorm(config.n_embd))
        self.head = nn.Linear(config.n_embd, config.n_classes)
        for parameter in self.encoder.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        init.normal_(self.embedding.weight, std=1 / math.sqrt(config.n_embd))

    def read(self, vectors, mask):
        T, C = vectors.shape[1:]
        x = self.dropout(vectors * math.sqrt(C) + ops.sinusoidal(T, C, dtype=vectors.dtype))
        empty = ~mask
        empty[:, 0] = False                                                     # attention needs one place to look at
        return self.head(self.dropout(masked_mean(self.encoder(x, src_key_padding_mask=empty), mask)))
