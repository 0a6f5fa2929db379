"""VAE: a variational autoencoder of pictures, with a normal posterior and a Bernoulli decoder.

    μ, λ = encoder(x);   z = μ + e^{λ/2} ⊙ ε,  ε ~ N(0, I);   logits = decoder(z)

    −ELBO = Σ over pixels of the cross-entropy of σ(logits) with x + KL(N(μ, e^λ) ‖ N(0, I))

Source: Kingma and Welling (2014); the bound of several samples: Burda et al. (2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import ops
from ..autograd import no_grad
from ..nn import evaluating
from ..number_checks import check_integer
from ..rng import generator
from .config_checks import check_flags, check_integers, check_one_of
from .generative import as_rows, check_pixels, drawn, picture_shape, stack, with_class
from .pretrained import Pretrained
from .registry import register
from .towers import PictureTower

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import Array, RNGLike, TensorLike

__all__ = ["VAE", "VAEConfig"]

ENCODERS = ("dense", "convolutional")


@dataclass(frozen=True)
class VAEConfig:
    """Pictures of n_features pixels; encoder and decoder have n_layer hidden layers of n_hidden units.

    n_latent        numbers in a latent vector z
    encoder         dense, or convolutional: that of ``SimCLRConfig`` with n_embd = 2 n_latent, so that
                    ``data.encoder`` of another recipe can start from it; the decoder stays dense
    conditional     encoder and decoder also read the class, one of n_classes
    """

    n_features: int = 784
    n_classes: int = 10
    n_layer: int = 1
    n_hidden: int = 400
    n_latent: int = 16
    encoder: str = "dense"
    conditional: bool = False

    def __post_init__(self) -> None:
        check_integers(self, "n_features", "n_classes", "n_layer", "n_hidden", "n_latent")
        check_one_of(self, encoder=ENCODERS)
        check_flags(self, "conditional")
        if self.conditional and self.encoder != "dense":
            raise ValueError(f"VAE: encoder is {self.encoder!r} in a conditional model, expected 'dense': a "
                             "convolution reads no class")


@register
class VAE(Pretrained):
    """``model.loss(x, None)`` is −ELBO in nats a picture, x (N, 1, side, side) or rows (N, n_features) in 0…1.

    ``model.encode(x)`` gives the posterior, ``model.decode(z)`` the logits of the pixels, ``model.sample(n, rng)`` new
    pictures. Where a method takes ``y``, a conditional model needs the classes, integers (N,).
    """

    architecture, task, Config = "vae", "likelihood", VAEConfig
    config: VAEConfig

    def __init__(self, config: VAEConfig) -> None:
        self.config = config
        self.shape = picture_shape(config.n_features)
        hidden, classes = [config.n_hidden] * config.n_layer, config.n_classes * config.conditional
        self.encoder = (stack([config.n_features + classes, *hidden, 2 * config.n_latent])
                        if config.encoder == "dense" else
                        PictureTower(config.n_features, config.n_hidden, 2 * config.n_latent))
        self.decoder = stack([config.n_latent + classes, *hidden, config.n_features])

    def encode(self, x: TensorLike, y: TensorLike | None = None) -> tuple[Tensor, Tensor]:
        """(mean, log_variance) of the posterior q(z | x), each (N, n_latent)."""
        both = self.encoder(with_class(self, as_rows(self, x, self.shape), y))
        mean, log_variance = ops.split(both, sections=2, axis=1)
        return mean, log_variance

    def decode(self, z: TensorLike, y: TensorLike | None = None) -> Tensor:
        """The Bernoulli logits of the pixels, (N, 1, side, side), for latent vectors z (N, n_latent)."""
        rows = as_rows(self, z, (self.config.n_latent,), "z")
        return ops.reshape(self.decoder(with_class(self, rows, y)), shape=(len(rows), *self.shape))

    def forward(self, x: TensorLike, y: TensorLike | None = None) -> Tensor:
        """The logits of the pictures that x becomes: ``decode`` of the posterior means."""
        return self.decode(self.encode(x, y)[0], y)

    def losses(self, x: TensorLike, y: TensorLike | None = None, rng: RNGLike = None) -> tuple[Tensor, Tensor]:
        """(reconstruction, divergence), each (N,): the two parts of −ELBO in nats, with one z a picture.

        rng draws the noise of z: a generator or a seed; None means the framework's generator.
        """
        x = as_rows(self, x, self.shape)
        check_pixels(self, x)
        mean, log_variance = self.encode(x, y)
        noise = generator(rng).standard_normal(mean.shape, np.float32).astype(mean.dtype, copy=False)
        logits = self.decode(ops.reparametrize(mean, log_variance, noise), y)
        return _pixel_losses(logits, x), ops.gaussian_kl(mean, log_variance)

    def loss(self, x: TensorLike, y: TensorLike | None = None) -> Tensor:
        """The mean of −ELBO over the pictures x, in nats, with one z a picture. Gray pixels are targets as they are."""
        reconstruction, divergence = self.losses(x, y)
        return (reconstruction + divergence).mean()

    def log_likelihood(self, x: TensorLike, y: TensorLike | None = None, n_samples: int = 50,
                       rng: RNGLike = None) -> Array:
        """A lower bound of ln p(x) for each picture, (N,), in nats, from ``n_samples`` weighted samples of z.

            ln p(x) ≥ E ln (1/k) Σᵢ p(x | zᵢ) p(zᵢ) / q(zᵢ | x),   zᵢ ~ q(z | x)

        With k = n_samples = 1 it is the ELBO; it rises with k and tends to ln p(x).
        """
        n_samples = check_integer("VAE.log_likelihood", "n_samples", n_samples, at_least=1)
        rng, found = generator(rng), []
        with evaluating(self), no_grad():
            x = as_rows(self, x, self.shape)
            check_pixels(self, x)
            mean, log_variance = self.encode(x, y)
            for _ in range(n_samples):
                noise = rng.standard_normal(mean.shape, np.float32).astype(mean.dtype, copy=False)
                z = ops.reparametrize(mean, log_variance, noise).data
                # ln p(z) − ln q(z | x): the constants of the two normal distributions cancel
                ratio = 0.5 * (noise ** 2 + log_variance.data - z ** 2).sum(axis=1)
                found.append(ratio - _pixel_losses(self.decode(z, y), x).data)
        return ops.logsumexp(np.stack(found).astype(np.float64), axis=0).data - np.log(n_samples)

    def sample(self, n: int, rng: RNGLike = None, y: Array | int | None = None) -> Array:
        """n new pictures, (n, 1, side, side) in 0…1: the means of the pixels for z drawn from N(0, I).

        y       the class of each, or of all; by default a conditional model draws the classes at random
        """
        z, y = drawn(self, n, rng, y)
        return self.pictures(z, y)

    def pictures(self, z: TensorLike, y: TensorLike | None = None) -> Array:
        """The means of the pixels for latent vectors z (N, n_latent): (N, 1, side, side) in 0…1."""
        with evaluating(self), no_grad():
            return ops.sigmoid(self.decode(z, y)).data


def _pixel_losses(logits: Tensor, rows: Tensor) -> Tensor:
    """The cross-entropy of each picture, summed over its pixels: (N,)."""
    logits = ops.reshape(logits, shape=rows.shape)
    return ops.binary_cross_entropy_with_logits(logits, rows, reduction="none").sum(axis=1)
