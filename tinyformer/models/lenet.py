"""LeNet: a convolutional network for small pictures, with ReLU and max pooling, as it is built today.

    x → conv 5 × 5 → ReLU → max pool 2 × 2 → conv 5 × 5 → ReLU → max pool 2 × 2 → linear → ReLU → linear → ReLU → linear

The network of 1998 had tanh, pooling by means with a weight for each channel, and a table of which channels see which.

Source: LeCun, Bottou, Bengio and Haffner (1998), §II.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import nn, ops
from .config_checks import check_fractions, check_integers
from .picture_arrays import as_pictures
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import Array, TensorLike

__all__ = ["LeNet", "LeNetConfig"]


@dataclass(frozen=True)
class LeNetConfig:
    """Square pictures of n_features gray pixels, at least 12 × 12, of n_classes kinds. The other numbers are of 1998.

    n_channels, n_channels_2    channels of the two convolutions
    n_hidden, n_hidden_2        units of the two hidden linear layers
    dropout                     before each of the linear layers
    """

    n_features: int = 784
    n_classes: int = 10
    n_channels: int = 6
    n_channels_2: int = 16
    n_hidden: int = 120
    n_hidden_2: int = 84
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_integers(self, "n_features", "n_classes", "n_channels", "n_channels_2", "n_hidden", "n_hidden_2")
        check_fractions(self, "dropout")

    @property
    def side(self) -> int:
        """Height and width of a picture."""
        return math.isqrt(self.n_features)


@register
class LeNet(Pretrained):
    """``logits = model(x)``: x (N, 1, side, side) or (N, side · side), pixels 0…1; logits (N, n_classes).

    ``model.loss(x, y)`` is a scalar, ``model.features(x)`` (N, n_hidden_2) what the last layer sees.
    """

    architecture, task, Config = "lenet", "pictures", LeNetConfig
    config: LeNetConfig

    def __init__(self, config: LeNetConfig) -> None:
        self.config = config
        if config.side ** 2 != config.n_features or config.side < 12:
            raise ValueError(f"LeNet: n_features is {config.n_features}, expected the pixels of a square picture, such "
                             f"as 784 = 28 · 28, and at least 144")
        side = (config.side // 2 - 4) // 2                  # after a pooling, a convolution and another pooling
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, config.n_channels, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(config.n_channels, config.n_channels_2, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.hidden = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(config.n_channels_2 * side * side, config.n_hidden), nn.ReLU(),
            nn.Dropout(config.dropout), nn.Linear(config.n_hidden, config.n_hidden_2), nn.ReLU(),
            nn.Dropout(config.dropout))
        self.head = nn.Linear(config.n_hidden_2, config.n_classes)

    def features(self, x: TensorLike) -> Tensor:
        """The last hidden layer (N, n_hidden_2), from which the logits are a linear layer away."""
        return self.hidden(self.convolutions(as_pictures("LeNet", x, 1, self.config.side)))

    def forward(self, x: TensorLike) -> Tensor:
        """The logits (N, n_classes)."""
        return self.head(self.features(x))

    def loss(self, x: TensorLike, y: TensorLike) -> Tensor:
        """The mean cross-entropy in nats of the classes ``y``, integers (N,)."""
        return ops.cross_entropy(self(x), y)

    def predict(self, x: TensorLike) -> Array:
        """The most likely class of each picture: (N,)."""
        return self(x).data.argmax(axis=1)
