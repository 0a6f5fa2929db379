"""ViT: BERT's encoder reads a picture, cut into patches.

    words = [CLS], W p₁ + b, …, W p_n + b                           one linear layer instead of a table of words
    logits = linear(pooled),   _, pooled = BERT of these words      positions, layers, norms and pooler are BERT's

Nothing else differs: a picture is a text of patches, and the vocabulary has one word, [CLS].

Source: Dosovitskiy et al. (2021), who put the norms before attention and MLP; here they come after, as in BERT.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import nn, ops
from ..nn import init
from .bert import Bert, BertConfig
from .config_checks import check_fractions, check_heads, check_integers
from .picture_arrays import as_pictures
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import Array, TensorLike

__all__ = ["ViT", "ViTConfig"]


@dataclass(frozen=True)
class ViTConfig:
    """A picture has n_features = channels · side² numbers and one of n_classes.

    channels    1 for gray pictures, 3 for colors
    patch       height and width of a patch in pixels; the side of a picture is a multiple of it

    n_layer, n_head, n_embd, n_inner and dropout are those of ``BertConfig``.
    """

    n_features: int
    n_classes: int
    channels: int = 1
    patch: int = 7
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 64
    n_inner: int = 256
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_integers(self, "n_features", "n_classes", "channels", "patch", "n_layer", "n_head", "n_embd", "n_inner")
        check_heads(self)
        check_fractions(self, "dropout")

    @property
    def side(self) -> int:
        """The height and width of a picture in pixels."""
        return math.isqrt(self.n_features // self.channels)

    @property
    def n_patches(self) -> int:
        """The number of patches of a picture."""
        return (self.side // self.patch) ** 2


@register
class ViT(Pretrained):
    """``logits = model(x)``: x (N, channels, side, side) or (N, n_features), logits (N, n_classes)."""

    architecture, task, Config = "vit", "pictures", ViTConfig
    config: ViTConfig

    def __init__(self, config: ViTConfig) -> None:
        if config.channels * config.side ** 2 != config.n_features or config.side % config.patch:
            raise ValueError(f"ViT: n_features is {config.n_features}, expected channels · side² with a side that is a "
                             f"multiple of patch; channels is {config.channels} and patch {config.patch}")
        self.config = config
        self.patches = nn.Linear(config.channels * config.patch ** 2, config.n_embd)
        self.bert = Bert(BertConfig(vocab_size=1, block_size=1 + config.n_patches, n_layer=config.n_layer,
                                    n_head=config.n_head, n_embd=config.n_embd, n_inner=config.n_inner, n_types=1,
                                    dropout=config.dropout, pad=None))
        self.head = nn.Linear(config.n_embd, config.n_classes)
        for _, module in self.named_modules():              # BERT's N(0, 0.02²) is for a width of 768
            if isinstance(module, nn.Linear):
                init.xavier_uniform_(module.weight)
                init.zeros_(module.bias)
            if isinstance(module, nn.Embedding):
                init.normal_(module.weight, std=0.3)

    def cut(self, x: Tensor) -> Tensor:
        """The patches (N, n, channels · patch²) of pictures (N, channels, side, side), row by row."""
        N, C, side, P = len(x), self.config.channels, self.config.side, self.config.patch
        n = side // P
        x = ops.reshape(x, shape=(N, C, n, P, n, P))
        return ops.reshape(ops.transpose(x, axes=(0, 2, 4, 1, 3, 5)), shape=(N, n * n, C * P * P))

    def forward(self, x: TensorLike) -> Tensor:
        """The logits (N, n_classes)."""
        x = self.cut(as_pictures("ViT", x, self.config.channels, self.config.side))
        first = self.bert.embeddings.word_embeddings(np.zeros((len(x), 1), int))            # (N, 1, C): [CLS]
        words = ops.concatenate(first, self.patches(x), axis=1)                             # (N, 1 + n, C)
        _, pooled = self.bert.read(words, np.ones(words.shape[:2], bool), np.zeros(words.shape[:2], int))
        return self.head(pooled)

    def loss(self, x: TensorLike, y: TensorLike) -> Tensor:
        """The mean cross-entropy in nats of the classes ``y``, integers (N,)."""
        return ops.cross_entropy(self(x), y)

    def predict(self, x: TensorLike) -> Array:
        """The most likely class of each picture: (N,)."""
        return self(x).data.argmax(axis=1)
