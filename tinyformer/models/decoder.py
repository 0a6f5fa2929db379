"""The base of language models that read tokens from left to right and predict the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import ops
from ..generate import generate
from .config_checks import checked_block
from .pretrained import Pretrained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from ..autograd import Tensor
    from ..typing import Array, TensorLike

__all__ = ["Decoder"]


def positions(past: int | Array, T: int) -> Array:
    """The T positions behind ``past``: (T,), or (B, T) for an array (B,) with a number for each row."""
    return np.arange(past, past + T) if isinstance(past, int) else past[:, None] + np.arange(T)


class Decoder(Pretrained):
    """A model whose ``model(ids, cache)`` gives, for ``ids`` (B, T), the logits of the next token, (B, T, V).

    reads_rows      whether ``cache`` may be a ``RowCache``, with texts of different lengths
    """

    task = "language"
    reads_rows: ClassVar[bool] = False

    def _checked(self, ids, cache):
        """(``ids`` (B, T) as an array, the number of cached positions: one for all rows, or of each row, (B,)).

        ValueError if both together exceed the context.
        """
        past = 0 if cache is None else cache.length
        most = past if isinstance(past, int) else int(past.max())
        beside = f" beside {most} cached positions" if most else ""
        return checked_block(self, ids, self.config.block_size - most, beside=beside), past

    def loss(self, ids: TensorLike, targets: TensorLike) -> Tensor:
        """The mean cross-entropy in nats of ``targets`` (B, T), the tokens after ``ids`` (B, T).

        Targets of −100 are left out.
        """
        return ops.cross_entropy(self(ids), targets)

    def losses(self, ids: TensorLike, targets: TensorLike) -> Tensor:
        """The cross-entropy in nats of each of ``targets``: (B, T)."""
        return ops.cross_entropy(self(ids), targets, reduction="none")

    def generate(self, ids: TensorLike | Sequence[TensorLike], max_new_tokens: int, **how: Any) -> Array | list[Array]:
        """``ids`` with up to ``max_new_tokens`` generated tokens appended.

        ``how``: see ``tinyformer.generate.generate``.
        """
        return generate(self, ids, max_new_tokens, **how)

    def for_decoding(self) -> Self:
        """The model that ``generate`` calls for each new token: this model, or a faster form with the same logits."""
        return self
