"""SimCLR: an encoder that learns without labels: two changed copies of a picture get near vectors, others far ones.

    h = encoder(x),   z = projection(h) / ‖…‖
    loss = cross-entropy of finding each view's other view among all views of the batch, at the temperature τ

Other tasks start from h; z is what nearest neighbors compare.   Source: Chen et al. (2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import nn, ops
from .config_checks import check_above_zero, check_integers
from .pretrained import Pretrained
from .registry import register
from .towers import PictureTower

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import TensorLike

__all__ = ["SimCLR", "SimCLRConfig"]


@dataclass(frozen=True)
class SimCLRConfig:
    """A picture has n_features numbers; the encoder has a hidden layer of n_hidden units and gives n_embd numbers.

    n_projection    the length of the vectors that the loss compares
    temperature     τ: the lower, the more the nearest wrong pictures count
    """

    n_features: int
    n_hidden: int = 256
    n_embd: int = 128
    n_projection: int = 64
    temperature: float = 0.2

    def __post_init__(self) -> None:
        check_integers(self, "n_features", "n_hidden", "n_embd", "n_projection")
        check_above_zero(self, "temperature")


@register
class SimCLR(Pretrained):
    """``h = model(x)``: x (N, n_features) or (N, channels, side, side), h (N, n_embd).

    ``model.loss(a, b)`` is that of two views of the same N pictures.
    """

    architecture, task, Config = "simclr", "views", SimCLRConfig
    config: SimCLRConfig

    @classmethod
    def least_batch(cls, config: SimCLRConfig) -> int:
        """A picture needs another picture to be compared with."""
        return 2

    def __init__(self, config: SimCLRConfig) -> None:
        self.config = config
        self.encoder = PictureTower(config.n_features, config.n_hidden, config.n_embd)
        self.projection = nn.Sequential(nn.ReLU(), nn.Linear(config.n_embd, config.n_projection))

    def forward(self, x: TensorLike) -> Tensor:
        """The features (N, n_embd)."""
        return self.encoder(x)

    def vectors(self, x: TensorLike) -> Tensor:
        """The unit vectors (N, n_projection) that the loss compares."""
        return ops.normalize(self.projection(self.encoder(x)))

    def loss(self, a: TensorLike, b: TensorLike) -> Tensor:
        """The contrastive loss in nats of two views, row n of ``a`` and row n of ``b`` of the same picture."""
        scale = math.log(1 / self.config.temperature)
        return ops.contrastive_loss(self.vectors(a), self.vectors(b), scale, within=True)
