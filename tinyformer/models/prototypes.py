"""A prototype network: the class of a picture is the nearest of the classes' mean vectors.

    c_k = mean of encoder(x) over examples of class k (the support),   logits_k = −‖encoder(x) − c_k‖²

Training measures each batch against itself: its first half gives the prototypes, its second half is classified. A new
class needs no training, only a few examples: ``set_prototypes``.   Source: Snell et al. (2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import ops
from ..arrays import plain_array
from ..autograd import no_grad
from ..nn import evaluating
from ..writes import write
from .config_checks import check_integers
from .pretrained import Pretrained
from .registry import register
from .towers import PictureTower

if TYPE_CHECKING:
    from ..autograd import Tensor
    from ..typing import Array, TensorLike

__all__ = ["PrototypeConfig", "PrototypeNetwork"]

MOMENTUM = 0.1                                              # of the kept prototypes, as of batch norm's statistics


@dataclass(frozen=True)
class PrototypeConfig:
    """A picture has n_features numbers and one of n_classes; the encoder is that of ``SimCLRConfig``."""

    n_features: int
    n_classes: int
    n_hidden: int = 256
    n_embd: int = 128

    def __post_init__(self) -> None:
        check_integers(self, "n_features", "n_classes", "n_hidden", "n_embd")


@register
class PrototypeNetwork(Pretrained):
    """``logits = model(x)``: minus the squared distances (N, n_classes) to the kept prototypes (n_classes, n_embd).

    The kept prototypes follow those of the batches in training, as batch norm's running means do.
    """

    architecture, task, Config = "prototypes", "pictures", PrototypeConfig
    config: PrototypeConfig
    prototypes: Array

    def __init__(self, config: PrototypeConfig) -> None:
        self.config = config
        self.encoder = PictureTower(config.n_features, config.n_hidden, config.n_embd)
        self.register_buffer("prototypes", np.zeros((config.n_classes, config.n_embd), np.float32))

    def forward(self, x: TensorLike) -> Tensor:
        """The logits (N, n_classes)."""
        return -ops.squared_distances(self.encoder(x), self.prototypes)

    def loss(self, x: TensorLike, y: TensorLike) -> Tensor:
        """The mean cross-entropy in nats of the second half of a batch, by the prototypes of its first half.

        In evaluation all examples are classified by the kept prototypes. ValueError for a batch of one example.
        """
        y = plain_array("PrototypeNetwork", y)
        if not self.training:
            return ops.cross_entropy(self(x), y)
        half = len(y) // 2
        if not half:
            raise ValueError(f"PrototypeNetwork: a batch has {len(y)} examples, expected at least 2")
        z = self.encoder(x)
        means, present = self._means(z[:half], y[:half])
        kept = np.where(present[:, None], (1 - MOMENTUM) * self.prototypes + MOMENTUM * means.data, self.prototypes)
        write(self.prototypes, kept.astype(self.prototypes.dtype))
        logits = ops.where(present, -ops.squared_distances(z[half:], means), -1e4)
        known = np.where(present[y[half:]], y[half:], -100)
        if (known < 0).all():
            raise ValueError("PrototypeNetwork: no class occurs in both halves of a batch, expected a larger batch")
        return ops.cross_entropy(logits, known)

    def set_prototypes(self, x: TensorLike, y: TensorLike) -> None:
        """Keep the mean vectors of the examples x of each class y as the prototypes: no training.

        ValueError unless each class has an example.
        """
        y = plain_array("set_prototypes", y)
        with evaluating(self), no_grad():
            means, present = self._means(self.encoder(x), y)
        if not present.all():
            raise ValueError(f"set_prototypes: no example of class {int(np.argmin(present))}, "
                             "expected at least one of each class")
        write(self.prototypes, means.data.astype(self.prototypes.dtype))

    def _means(self, z: Tensor, y: Array) -> tuple[Tensor, Array]:
        """(mean vector of each class (K, C), which classes occur (K,)) of vectors z (N, C)."""
        onehot = np.eye(self.config.n_classes, dtype=z.dtype)[y]                            # (N, K)
        counts = onehot.sum(axis=0)
        return ops.matmul((onehot / np.maximum(counts, 1)).T, z), counts > 0

    def predict(self, x: TensorLike) -> Array:
        """The class of the nearest prototype of each picture: (N,)."""
        return self(x).data.argmax(axis=1)
