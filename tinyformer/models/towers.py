"""Towers: what turns a picture or a text into one vector, for models that compare vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .. import nn
from ..nn import init
from .classifier import masked_mean
from .config_checks import checked_block
from .picture_arrays import as_pictures

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import TensorLike


class PictureTower(nn.Module):
    """Two convolutions with stride 2, a hidden layer with batch norm, a linear layer: pictures to vectors (N, n_out).

    A picture is square and gray, side · side = n_features, and may come as a row. ValueError for another n_features.
    """

    def __init__(self, n_features: int, n_hidden: int, n_out: int) -> None:
        self.side = math.isqrt(n_features)
        if self.side ** 2 != n_features or self.side < 4:
            raise ValueError(f"PictureTower: n_features is {n_features}, expected side · side, a side of at least 4")
        left = (self.side // 2) // 2                        # pixels of a side after both strides
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * left * left, n_hidden), nn.BatchNorm1d(n_hidden), nn.ReLU(),
            nn.Linear(n_hidden, n_out))

    def forward(self, x: TensorLike) -> Tensor:
        """The vectors (N, n_out)."""
        return self.layers(as_pictures(type(self).__name__, x, 1, self.side))


class TextTower(nn.Module):
    """An encoder's mean over the tokens, then a linear layer: ids (N, T), 0 at padding, to vectors (N, n_embd)."""

    def __init__(self, vocab_size: int, block_size: int, n_embd: int, n_head: int, n_layer: int,
                 dropout: float) -> None:
        self.block_size = block_size
        self.embedding = nn.Embedding(vocab_size, n_embd, padding_idx=0)
        self.positions = nn.Embedding(block_size, n_embd)
        layer = nn.TransformerEncoderLayer(n_embd, n_head, 4 * n_embd, dropout, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, n_layer, nn.LayerNorm(n_embd))
        self.head = nn.Linear(n_embd, n_embd)
        for table in (self.embedding, self.positions):
            init.normal_(table.weight, std=0.3)

    def forward(self, ids: TensorLike) -> Tensor:
        """The vectors (N, n_embd)."""
        ids = checked_block(self, ids, self.block_size)
        mask = ids != 0
        x = self.embedding(ids) + self.positions(np.arange(ids.shape[1]))                   # (N, T, C)
        return self.head(masked_mean(self.encoder(x, src_key_padding_mask=~mask), mask))
