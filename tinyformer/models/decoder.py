"""What language models share beyond their layers: they read tokens from left to right and predict the next one."""

from __future__ import annotations

import numpy as np

from .. import ops
from ..generate import generate
from .pretrained import Pretrained


class Decoder(Pretrained):
    """A model whose ``model(ids, cache)`` gives the logits (B, T, V) of what follows each of ``ids`` (B, T)."""

    def read(self, ids, cache):
        """``ids`` as an array, and how many positions stand before them. ValueError for those that do not fit."""
        ids, name = np.asarray(ids), type(self).__name__
        past = 0 if cache is None else cache.length
        room = self.config.block_size - past
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= room:
            raise ValueError(f"{name}: ids have shape {ids.shape}, expected (B, T) with 1 ≤ T ≤ {room}"
                             + (f" beside {past} cached positions" if past else ""))
        return ids, past

    def loss(self, ids, targets):
        """Mean cross-entropy in nats of ``targets`` (B, T), the tokens that follow ``ids`` (B, T); −100 leaves one out."""
        return ops.cross_entropy(self(ids), targets)

    def losses(self, ids, targets):
        """The same of each of ``targets`` by itself: (B, T)."""
        return ops.cross_entropy(self(ids), targets, reduction="none")

    def generate(self, ids, max_new_tokens, **how):
        """``ids`` and what follows them; see ``tinyformer.generate.generate`` for the ways of choosing."""
        return generate(self, ids, max_new_tokens, **how)


def attend(layer, q, k, v, cache=None, **how):
    """Causal attention of q (B, H, T, D) over k, v (B, G, T, D), and over what ``cache`` holds of ``layer``: (B, H, T, D)."""
    if cache is None:
        return ops.scaled_dot_product_attention(q, k, v, is_causal=True, **how)
    T = q.shape[2]
    k, v = cache.extend(layer, k.data, v.data)                                              # (B, G, past + T, D)
    mask = np.tri(T, k.shape[2], k.shape[2] - T, dtype=bool) if T > 1 else None             # the last one sees all
    return ops.scaled_dot_product_attention(q, k, v, mask, **how)
