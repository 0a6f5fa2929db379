"""Models of pictures with a likelihood, or a bound on it: variational autoencoders."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...nn import evaluating
from ..loop import without_graph
from ..picture_baselines import class_means, pixel_means, principal_components
from .generation import Generation
from .registry import register

if TYPE_CHECKING:
    from ...models.pretrained import Pretrained

__all__ = ["Likelihood"]

WEIGHTED, ACTIVE = 50, 0.01             # samples of z in the weighted bound; nats of a latent number that is used


@register
class Likelihood(Generation):
    """−ELBO in nats a picture, beside models that need no network."""

    name, unit, headline = "likelihood", "nats per picture", "neg_elbo"
    example, quantity = "vae-mnist", "−ELBO"
    n_latent = 16                                           # of the model, for the baseline of the same size

    def check(self, config: Any) -> None:
        """Remember the size of the latent vector."""
        self.n_latent = config.n_latent

    def measure(self, model: Pretrained, at_most: int | None = None) -> dict[str, float]:
        """−ELBO and its parts, always on the whole validation split, with the same noise each time."""
        reconstruction, divergence = self._parts(model, "validation")
        return {"val_loss": float((reconstruction + divergence).mean()),
                "val_reconstruction": float(reconstruction.mean()), "val_kl": float(divergence.mean())}

    def _parts(self, model: Pretrained, part: str):
        x, y = getattr(self, part).x, self.labels(model, part)
        with evaluating(model):
            both = without_graph(model, lambda: model.losses(x, y, rng=0))
        return [each.data.astype(np.float64) for each in both]

    def evaluate(self, model: Pretrained) -> dict[str, Any]:
        """The bounds on the test split beside the baselines, and what the judge says of samples."""
        x, y = self.test.x, self.labels(model, "test")
        reconstruction, divergence = self._parts(model, "test")
        losses = reconstruction + divergence
        mean, log_variance = (each.data.astype(np.float64) for each in model.encode(x, y))
        by_unit = 0.5 * (np.exp(log_variance) + mean ** 2 - 1 - log_variance).mean(axis=0)
        likelihood = -model.log_likelihood(x, y, WEIGHTED, rng=0)
        self.n_latent = model.config.n_latent
        return {"set": self.data.set, "split": "test", "kind": "pictures", "examples": len(x),
                "neg_elbo": float(losses.mean()), "standard_error": float(losses.std(ddof=1) / math.sqrt(len(x))),
                "reconstruction": float(reconstruction.mean()), "kl": float(divergence.mean()),
                "neg_log_likelihood": float(likelihood.mean()), "weighted_samples": WEIGHTED,
                "n_latent": model.config.n_latent, "active_latents": int((by_unit > ACTIVE).sum()),
                "baselines": self._baselines("test"), **self.judged(model), **self.footprint(model)}

    def baselines(self) -> dict[str, float]:
        """The baselines on the validation split."""
        return self._baselines("validation")

    def _baselines(self, part: str) -> dict[str, float]:
        x, y = getattr(self, part)
        kinds = len(self.classes)
        found = {"pixel means": pixel_means(self.train, x)}
        if not self.data.kind:
            found.update({"class means": class_means(self.train, kinds, x),
                          "class means, class known": class_means(self.train, kinds, x, y)})
        return {**found, f"PCA, {self.n_latent} components": principal_components(self.train, self.validation,
                                                                                  self.n_latent, x)}
