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
from .config_checks import check_flags, check_fractions, check_integers, check_one_of
from .generative import as_rows, drawn, picture_shape, stack, with_class
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import Array, RNGLike, TensorLike

__all__ = ["GAN", "GANConfig"]

OUTPUTS = ("pixels", "points")
LOSSES = ("non-saturating", "minimax")
WON, PATIENCE = 0.01, 500               # nats above the least possible loss; steps


@dataclass(frozen=True)
class GANConfig:
    """Data of n_features numbers; both players have n_layer hidden layers of n_hidden units.

    n_latent            numbers in the noise z
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
    output: str = "pixels"
    generator_loss: str = "non-saturating"
    batch_norm: bool = False
    dropout: float = 0.0
    label_smoothing: float = 0.0
    conditional: bool = False

    def __post_init__(self) -> None:
        check_integers(self, "n_features", "n_classes", "n_layer", "n_hidden", "n_latent")
        check_one_of(self, output=OUTPUTS, generator_loss=LOSSES)
        check_flags(self, "batch_norm", "conditional")
        check_fractions(self, "dropout", "label_smoothing")


@register
class GAN(Pretrained):
    """``model.loss(x, None)`` is the sum of both players' losses; ``model.sample(n, rng)`` gives pictures or points.

    Data x are (N, 1, side, side) in 0…1 or rows (N, n_features). A conditional model needs the classes y, (N,), too.
    """

    architecture, task, Config = "gan", "adversarial", GANConfig
    config: GANConfig

    def __init__(self, config: GANConfig) -> None:
        self.config = config
        self.shape = picture_shape(config.n_features) if config.output == "pixels" else (config.n_features,)
        hidden, classes = [config.n_hidden] * config.n_layer, config.n_classes * config.conditional
        self.generator = stack([config.n_latent + classes, *hidden, config.n_features], _leaky,
                               batch_norm=config.batch_norm)
        self.discriminator = stack([config.n_features + classes, *hidden, 1], _leaky,
                                   dropout=config.dropout)
        self.register_buffer("steps_won", np.zeros(1, np.int64))            # in a row, by the discriminator

    def generate(self, z: TensorLike, y: TensorLike | None = None) -> Tensor:
        """The samples (N, n_features) for noise z (N, n_latent)."""
        made = self.generator(with_class(self, as_rows(self, z, (self.config.n_latent,)), y))
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
