"""Sentence vectors of a BERT such as MiniLM, computed like in sentence-transformers.

    v = mean of the hidden states over all tokens, including [CLS] and [SEP];  v / ‖v‖
    similarity of two texts = v · w, the cosine of the angle between their vectors

Source: Reimers and Gurevych (2019), "Sentence-BERT".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .autograd import no_grad
from .data import alike, padded
from .nn import evaluating
from .nn.argument_checks import check_finite

if TYPE_CHECKING:
    from .typing import Array

__all__ = ["nearest", "sentence_vectors"]

LONGEST = 256                                               # the longest text, in tokens, that MiniLM was trained on


@no_grad()
def sentence_vectors(model: Any, tokenizer: Any, texts: Sequence[str], batch_size: int = 32,
                     longest: int = LONGEST) -> Array:
    """The vectors (N, C) of ``texts``, each of norm 1, from a ``Bert`` and its ``WordPieceTokenizer``.

    Only the first ``longest`` tokens of a text count. Texts of similar length share a batch, so that little padding is
    needed. Raises ValueError if the vectors are not finite.
    """
    longest = min(longest, model.config.block_size)
    ids = [tokenizer.encode(text, special=True, longest=longest) for text in texts]
    vectors = np.empty((len(ids), model.config.n_embd), np.float32)
    with evaluating(model):
        for chosen in alike(ids, batch_size):
            batch = padded([ids[j] for j in chosen], model.config.pad or 0)
            mask = np.arange(batch.shape[1]) < np.array([[len(ids[j])] for j in chosen])    # (B, T)
            hidden = model(batch, mask)[0].data                                             # (B, T, C)
            vectors[chosen] = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    check_finite("similar: the model's vectors", vectors)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def nearest(query: Array, vectors: Array, k: int) -> tuple[Array, Array]:
    """(indices, similarities) of the ``k`` rows of ``vectors`` (N, C) most similar to ``query`` (C,), best first."""
    similarities = vectors @ query
    best = np.argsort(-similarities, kind="stable")[:k]
    return best, similarities[best]
