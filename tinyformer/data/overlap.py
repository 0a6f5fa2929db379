"""How much of a held-out text occurs in the training text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .dataset import Dataset, Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

BASE = 0x9E3779B97F4A7C15                                   # odd, so that it has an inverse modulo 2⁶⁴


def share_seen(train: str | Sequence[str], held_out: str | Sequence[str], width: int = 50) -> float:
    """The share of the windows of ``width`` characters in ``held_out`` that occur in ``train``.

    It is 0 for new text, 1 for a copy.

    train, held_out     a text, or a list of texts; no window crosses the boundary of a text

    The share is 0 if no text is as long as a window. Windows are compared by a 64-bit hash: two different windows are
    counted as equal about once in 10¹³ comparisons. Raises ValueError for a ``width`` below 1.
    """
    if width < 1:
        raise ValueError(f"share_seen: width: got {width}, expected at least 1")
    seen, asked = (_windows([part] if isinstance(part, str) else part, width) for part in (train, held_out))
    if not (seen.size and asked.size):
        return 0.0
    seen.sort()
    return float((seen[np.searchsorted(seen, asked).clip(max=len(seen) - 1)] == asked).mean())


def without_overlap(dataset: Dataset, width: int = 50) -> Dataset:
    """``dataset``, whose inputs are texts, without training and validation texts that overlap with held-out ones.

    Two texts overlap if they share a window of ``width`` characters. A training text must not overlap with a validation
    or test text, a validation text not with a test text. The test split stays whole.
    """
    held, parts = set(_windows(dataset.test.x, width).tolist()), []
    for part in (dataset.validation, dataset.train):
        found = [_windows([text], width).tolist() for text in part.x]
        kept = [i for i, windows in enumerate(found) if held.isdisjoint(windows)]
        parts.append(Examples([part.x[i] for i in kept], part.y[kept]))
        held.update(*found)
    validation, train = parts
    return Dataset(dataset.name, train, validation, dataset.test, dataset.classes)


def _windows(texts: Sequence[str], width: int) -> NDArray[np.uint64]:
    """The hash of each window:   Σ c_{i+j} Bʲ mod 2⁶⁴ for j = 0 … width − 1, as a difference of running sums."""
    found = [np.empty(0, np.uint64)]
    length = max(map(len, texts), default=0)
    powers = np.cumprod(np.r_[np.uint64(1), np.full(length, BASE, np.uint64)])
    inverse = np.cumprod(np.r_[np.uint64(1), np.full(length, pow(BASE, -1, 2 ** 64), np.uint64)])
    for text in texts:
        n = len(text) - width + 1
        if n > 0:
            codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
            sums = np.r_[np.uint64(0), np.cumsum(codes * powers[:len(codes)])]
            found.append((sums[width:] - sums[:n]) * inverse[:n])
    return np.concatenate(found)
