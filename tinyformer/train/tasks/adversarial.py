"""Models of pictures without a likelihood: generative adversarial networks, which only their samples can judge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...nn import evaluating
from ..loop import without_graph
from .generation import SAMPLES, Generation
from .registry import register

if TYPE_CHECKING:
    from ...models.pretrained import Pretrained

__all__ = ["Adversarial"]


@register
class Adversarial(Generation):
    """The losses of the two players, and the Fréchet distance of samples to real pictures, which chooses the model."""

    name, unit, headline = "adversarial", "nats per picture", "frechet_distance"
    example, quantity = "gan-mnist", "sum of both players' losses"

    def measure(self, model: Pretrained, at_most: int | None = None) -> dict[str, float]:
        """Both losses on the validation split, and the Fréchet distance of samples to its pictures."""
        x, y = self.validation.x, self.labels(model, "validation")
        with evaluating(model):
            first, second = (each.item() for each in without_graph(model, lambda: model.losses(x, y, rng=0)))
        distance = self.judge.distance(self.samples(model), self.validation.x)
        return {"val_loss": first + second, "val_discriminator": first, "val_generator": second,
                "val_frechet_distance": distance}

    def cost(self, figures: dict[str, float]) -> float:
        """The Fréchet distance: the losses say how even the players are, and not how good the samples are."""
        return figures["val_frechet_distance"]

    def evaluate(self, model: Pretrained) -> dict[str, Any]:
        """What the judge says of samples, beside real pictures."""
        return {"set": self.data.set, "split": "test", "kind": "pictures", "examples": len(self.test.y),
                **self.judged(model), **self.footprint(model)}

    def baselines(self) -> dict[str, float]:
        """The sum of the losses of players that are even: D = ½ everywhere."""
        return {"undecided D": 3 * math.log(2)}

    def remark(self, model: Pretrained) -> str:
        """What chooses the best model."""
        return f"the judge compares {SAMPLES:,} samples with the validation pictures at each evaluation"
