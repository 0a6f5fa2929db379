"""What language models share beyond their layers: they read tokens from left to right and predict the next one."""

from __future__ import annotations

from .. import ops
from ..generate import generate
from .config_checks import checked_block
from .pretrained import Pretrained

__all__ = ["Decoder"]


class Decoder(Pretrained):
    """A model whose ``model(ids, cache)`` gives the logits (B, T, V) of what follows each of ``ids`` (B, T)."""

    task = "language"

    def _checked(self, ids, cache):
        """``ids`` (B, T) as an array, and how many positions stand before them. ValueError for those that do not fit."""
        past = 0 if cache is None else cache.length
        beside = f" beside {past} cached positions" if past else ""
        return checked_block(self, ids, self.config.block_size - past, beside=beside), past

    def loss(self, ids, targets):
        """Mean cross-entropy in nats of ``targets`` (B, T), the tokens that follow ``ids`` (B, T); −100 leaves one out."""
        return ops.cross_entropy(self(ids), targets)

    def losses(self, ids, targets):
        """The same of each of ``targets`` by itself: (B, T)."""
        return ops.cross_entropy(self(ids), targets, reduction="none")

    def generate(self, ids, max_new_tokens, **how):
        """``ids`` and what follows them; see ``tinyformer.generate.generate`` for the ways of choosing."""
        return generate(self, ids, max_new_tokens, **how)

    def for_decoding(self):
        """The model that ``generate`` calls for each new token: this one, or a faster form of it that gives the same logits."""
        return self
