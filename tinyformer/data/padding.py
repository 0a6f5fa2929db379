"""Texts of several lengths in one array."""

from __future__ import annotations

import numpy as np


def padded(texts, fill=0):
    """Ids of several lengths, each (T,), as one int64 (B, T), filled up with ``fill`` behind the shorter ones; T ≥ 1."""
    ids = np.full((len(texts), max(1, *map(len, texts))), fill, np.int64)
    for row, text in zip(ids, texts):
        row[:len(text)] = text
    return ids


def draw_alike(size, rng, *sides):
    """The places (``size``,) of texts that are about as long as each other, drawn by ``rng``: of eight times as many, sorted by
    length, one eighth. ``sides`` are the texts, or sources and targets; the first one's lengths count first."""
    chosen = rng.integers(0, len(sides[0]), 8 * size)
    chosen = chosen[np.lexsort([[len(texts[i]) for i in chosen] for texts in reversed(sides)])]
    return chosen[rng.integers(0, 8) * size:][:size]


def alike(texts, size):
    """Yield the places (B ≤ size,) of all of ``texts``, those that are about as long as each other together."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    for i in range(0, len(order), size):
        yield order[i:i + size]
