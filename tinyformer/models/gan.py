"""GAN: a generator that makes samples of noise, and a discriminator that tells them from data.

    D's loss = −ln σ(s(x)) − ln(1 − σ(s(G(z))))        G's loss = −ln σ(s(G(z))), or ln(1 − σ(s(G(z))))

Both players learn in one step from one loss, the sum of the two. Each term reaches the parameters of its own player
only: D's term reads the samples detached, G's term goes through a frozen discriminator. So a GAN is trained like any
other model, by one optimizer.

Source: Goodfellow et al. (2014); convolutional players: Radford et al. (2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import nn, ops
from ..autograd import no_grad
from ..nn import evaluating, frozen
from ..rng import generator
from .config_checks import check_below_one, check_flags, check_fractions, check_integers, check_one_of
from .generative import as_rows, check_pixels, drawn, picture_shape, stack, with_class
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..autograd import Tensor
    from ..typing import Array, RNGLike, TensorLike

__all__ = ["GAN", "GANConfig"]

OUTPUTS = ("pixels", "points")
LAYERS = ("dense", "convolutional")
LOSSES = ("non-saturating", "minimax")
WON, PATIENCE = 0.01, 500               # nats above the least possible loss; steps


@dataclass(frozen=True)
class GANConfig:
    """Data of n_features numbers; both players have n_layer hidden layers of n_hidden units, or two convolutions.

    n_latent            numbers in the noise z
    layers              dense, or convolutional: the generator doubles the side of a picture twice, and the
                        discriminator halves it twice; n_layer and n_hidden then mean nothing
    n_channels          channels of a convolutional player at half of the side; twice as many at a quarter
    output              pixels (through a sigmoid, 0…1; samples are square pictures), or points (any numbers)
    generator_loss      non-saturating, −ln D(G(z)), or minimax, ln(1 − D(G(z)))
    batch_norm          batch norm in the generator
    dropout             in the discriminator
    label_smoothing     the discriminator's target for data is 1 − label_smoothing
    conditional         both players also read the class, one of n_classes
    """

    n_features: int = 784
    n_classes: int = 10
    n_layer: int = 2
    n_hidden: int = 256
    n_latent: int = 64
    layers: str = "dense"
    n_channels: int = 16
    output: str = "pixels"
    generator_loss: str = "non-saturating"
    batch_norm: bool = False
    dropout: float = 0.0
    label_smoothing: float = 0.0
    conditional: bool = False

    def __post_init__(self) -> None:
        check_integers(self, "n_features", "n_classes", "n_layer", "n_hidden", "n_latent", "n_channels")
        check_one_of(self, layers=LAYERS, output=OUTPUTS, generator_loss=LOSSES)
        check_flags(self, "batch_norm", "conditional")
        check_fractions(self, "dropout")
        check_below_one(self, "label_smoothing")            # at 1 its targets for data and for samples are the same


@register
class GAN(Pretrained):
    """``model.loss(x, None)`` is the sum of both players' losses; ``model.sample(n, rng)`` gives pictures or points.

    Data x are (N, 1, side, side) in 0…1 or rows (N, n_features). A conditional model needs the classes y, (N,), too.
    """

    architecture, task, Config = "gan", "adversarial", GANConfig
    config: GANConfig

    @classmethod
    def least_batch(cls, config: GANConfig) -> int:
        """Batch norm needs two examples."""
        return 2 if config.batch_norm else 1

    def __init__(self, config: GANConfig) -> None:
        self.config = config
        self.shape = picture_shape(config.n_features) if config.output == "pixels" else (config.n_features,)
        hidden, classes = [config.n_hidden] * config.n_layer, config.n_classes * config.conditional
        if config.layers == "convolutional":
            if len(self.shape) < 3 or self.shape[1] % 4:
                raise ValueError(f"GAN: layers is 'convolutional' with output {config.output!r} and n_features "
                                 f"{config.n_features}; expected pixels of a square picture, its side a multiple of 4")
            self.generator, self.discriminator = _upward(config, classes), _downward(config, classes)
        else:
            self.generator = stack([config.n_latent + classes, *hidden, config.n_features], _leaky,
                                   batch_norm=config.batch_norm)
            self.discriminator = stack([config.n_features + classes, *hidden, 1], _leaky, dropout=config.dropout)
        self.register_buffer("steps_won", np.zeros(1, np.int64))            # in a row, by the discriminator

    def generate(self, z: TensorLike, y: TensorLike | None = None) -> Tensor:
        """The samples (N, n_features) for noise z (N, n_latent)."""
        made = self.generator(with_class(self, as_rows(self, z, (self.config.n_latent,), "z"), y))
        return ops.sigmoid(made) if self.config.output == "pixels" else made

    def discriminate(self, x: TensorLike, y: TensorLike | None = None) -> Tensor:
        """The logits s, (N,), that x is data: σ(s) is near 1 for data and near 0 for samples."""
        x = as_rows(self, x, self.shape)
        if self.config.output == "pixels":
            x = 2 * x - 1                                   # centered
        return ops.reshape(self.discriminator(with_class(self, x, y)), shape=(len(x),))

    def forward(self, z: TensorLike, y: TensorLike | None = None) -> Tensor:
        """The same as ``generate``."""
        return self.generate(z, y)

    def losses(self, x: TensorLike, y: TensorLike | None = None, rng: RNGLike = None) -> tuple[Tensor, Tensor]:
        """(discriminator's loss, generator's loss), each a mean in nats, with as many samples as there are rows of x.

        The gradient of the first reaches the discriminator only, that of the second the generator only. rng draws the
        noise: a generator or a seed; None means the framework's generator.
        """
        config, x = self.config, as_rows(self, x, self.shape)
        if config.output == "pixels":
            check_pixels(self, x)
        noise = generator(rng).standard_normal((len(x), config.n_latent), np.float32).astype(x.dtype, copy=False)
        made = self.generate(noise, y)
        real, judged = self.discriminate(x, y), self.discriminate(made.detach(), y)
        with frozen(self.discriminator):
            seen = self.discriminate(made, y)
        loss = ops.binary_cross_entropy_with_logits
        ones = np.ones_like(real.data)
        discriminators = loss(real, ones * (1 - config.label_smoothing)) + loss(judged, 0 * ones)
        generators = loss(seen, ones) if config.generator_loss == "non-saturating" else -loss(seen, 0 * ones)
        return discriminators, generators

    def loss(self, x: TensorLike, y: TensorLike | None = None) -> Tensor:
        """The sum of both players' losses. At the equilibrium, D = ½ everywhere, it is 3 ln 2 ≈ 2.08.

        ArithmeticError in training when the discriminator has won: its loss stayed within 0.01 nats of the least
        possible for 500 steps, so the generator no longer learns.
        """
        discriminators, generators = self.losses(x, y)
        if self.training:
            won = discriminators.item() < least_loss(self.config.label_smoothing) + WON
            self.steps_won[0] = self.steps_won[0] + 1 if won else 0
            if self.steps_won[0] >= PATIENCE:
                raise ArithmeticError(f"GAN: the discriminator's loss has been at its minimum for {PATIENCE} steps, so "
                                      f"the generator no longer learns; try a lower learning rate, model.dropout or "
                                      f"model.label_smoothing")
        return discriminators + generators

    def sample(self, n: int, rng: RNGLike = None, y: Array | int | None = None) -> Array:
        """n new samples, (n, 1, side, side) in 0…1, or (n, n_features) of points.

        y       the class of each, or of all; by default a conditional model draws the classes at random
        """
        z, y = drawn(self, n, rng, y)
        return self.pictures(z, y)

    def pictures(self, z: TensorLike, y: TensorLike | None = None) -> Array:
        """The samples for noise z (N, n_latent) in evaluation mode: (N, 1, side, side), or points."""
        with evaluating(self), no_grad():
            return self.generate(z, y).data.reshape(len(z), *self.shape)


def least_loss(label_smoothing: float) -> float:
    """The discriminator's least possible loss: the entropy of its target for data, in nats; 0 without smoothing."""
    return -sum(p * math.log(p) for p in (label_smoothing, 1 - label_smoothing) if p)


def _leaky() -> nn.LeakyReLU:
    return nn.LeakyReLU(0.2)


def _upward(config: GANConfig, classes: int) -> nn.Sequential:
    """Noise (N, n_latent + classes) → pixels (N, n_features): a linear layer and two transposed convolutions."""
    quarter, C = picture_shape(config.n_features)[1] // 4, config.n_channels

    def norm(layer: nn.Module) -> list[nn.Module]:
        return [layer] if config.batch_norm else []

    return nn.Sequential(
        nn.Linear(config.n_latent + classes, 2 * C * quarter ** 2), *norm(nn.BatchNorm1d(2 * C * quarter ** 2)),
        _leaky(), Unflatten((2 * C, quarter, quarter)),
        nn.ConvTranspose2d(2 * C, C, 4, stride=2, padding=1), *norm(nn.BatchNorm2d(C)), _leaky(),
        nn.ConvTranspose2d(C, 1, 4, stride=2, padding=1), nn.Flatten())


def _downward(config: GANConfig, classes: int) -> nn.Sequential:
    """Pixels and classes (N, n_features + classes) → a logit (N, 1): two convolutions and a linear layer."""
    shape, C = picture_shape(config.n_features), config.n_channels
    quarter = shape[1] // 4
    return nn.Sequential(
        Planes(shape), nn.Conv2d(1 + classes, C, 4, stride=2, padding=1), _leaky(), nn.Dropout(config.dropout),
        nn.Conv2d(C, 2 * C, 4, stride=2, padding=1), _leaky(), nn.Dropout(config.dropout),
        nn.Flatten(), nn.Linear(2 * C * quarter ** 2, 1))


class Unflatten(nn.Module):
    """Rows (N, n) as (N, *shape)."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)

    def forward(self, x: TensorLike) -> Tensor:
        """x in the new shape."""
        return ops.reshape(x, shape=(len(x), *self.shape))


class Planes(nn.Module):
    """Rows of pixels and more numbers (N, n + K) as pictures with 1 + K channels, one constant for each number."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)

    def forward(self, x: TensorLike) -> Tensor:
        """(N, 1 + K, height, width)."""
        n, (_, height, width) = math.prod(self.shape), self.shape
        pictures = ops.reshape(x[:, :n], shape=(len(x), *self.shape))
        K = x.shape[1] - n
        if not K:
            return pictures
        more = ops.broadcast_to(ops.reshape(x[:, n:], shape=(len(x), K, 1, 1)), shape=(len(x), K, height, width))
        return ops.concatenate(pictures, more, axis=1)
