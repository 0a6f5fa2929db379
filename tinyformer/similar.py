"""Texts as vectors, and how near they are to each other: what sentence-transformers does with a BERT such as MiniLM.

    v = mean of the hidden states over all tokens, [CLS] and [SEP] among them;  v / ‖v‖
    similarity of two texts = v · w, the cosine of the angle between them

Source: Reimers and Gurevych (2019), "Sentence-BERT".
"""

from __future__ import annotations

import numpy as np

from .autograd import no_grad
from .data import alike, padded
from .nn import evaluating
from .nn.argument_checks import check_finite

LONGEST = 256                                               # tokens of a text that MiniLM was trained to read


@no_grad()
def sentence_vectors(model, tokenizer, texts, batch_size=32, longest=LONGEST):
    """The vectors (N, C) of ``texts``, each of length 1, by a ``Bert`` and its WordPiece.

    Texts of about one length are read together, so that little is spent on filling up. Only the first ``longest`` tokens of
    a text count.
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


def nearest(query, vectors, k):
    """(indices, similarities) of the ``k`` rows of ``vectors`` (N, C) that are most like ``query`` (C,), the best first."""
    similarities = vectors @ query
    best = np.argsort(-similarities, kind="stable")[:k]
    return best, similarities[best]
