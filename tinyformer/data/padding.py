"""Batches of texts of different lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def padded(texts: Sequence[Any], fill: int = 0) -> NDArray[np.int64]:
    """The ids of B texts of different lengths as one array, int64 (B, T), T ≥ 1.

    Shorter texts end with ``fill``.

    >>> padded([[5, 6, 7], [8]])
    array([[5, 6, 7],
           [8, 0, 0]])
    """
    ids = np.full((len(texts), max(1, *map(len, texts))), fill, np.int64)
    for row, text in zip(ids, texts):
        row[:len(text)] = text
    return ids


def draw_alike(size: int, rng: np.random.Generator, *sides: Sequence[Any]) -> NDArray[np.int64]:
    """The indices (``size``,) of random texts of similar length.

    They are an eighth of 8 · ``size`` random texts sorted by length.

    sides       the texts; or the sources and the targets, of which the lengths of the sources count first
    """
    chosen = rng.integers(0, len(sides[0]), 8 * size)
    chosen = chosen[np.lexsort([[len(texts[i]) for i in chosen] for texts in reversed(sides)])]
    return chosen[rng.integers(0, 8) * size:][:size]


def alike(texts: Sequence[Any], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the indices of all of ``texts``, at most ``size`` at a time, texts of similar length together."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    for i in range(0, len(order), size):
        yield order[i:i + size]
