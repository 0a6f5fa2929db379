"""Texts of one line each, such as names. The model reads each line alone, between two end marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .dataset import by_content

if TYPE_CHECKING:
    from numpy.typing import NDArray

END = "\n"                                                  # is before each line and after it
IGNORED = -100                                              # as a target: padding, which the loss leaves out


def split_lines(text: str) -> tuple[list[str], list[str], list[str]]:
    """(training, validation, test): lists of the lines of ``text``, each between two end marks.

    ``by_content`` chooses the split, so that no line is in two of them. Empty lines and duplicates are left out.
    """
    lines = list(dict.fromkeys(filter(None, text.split(END))))
    data = by_content("lines", lines, lines)
    train, validation, test = ([END + line + END for line in part.x]
                               for part in (data.train, data.validation, data.test))
    return train, validation, test


def random_lines(lines: Sequence[NDArray[Any]], batch_size: int,
                 rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(x, y), each int64 (B, T): random lines, and the same lines one token later.

    lines       the ids of each line, with its end marks

    T is the length of the longest of them. After the end of a shorter line, x repeats its last token, the end mark, and
    y is ``IGNORED``.
    """
    return padded_lines([lines[i] for i in rng.integers(0, len(lines), batch_size)])


def padded_lines(chosen: Sequence[NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(x, y), each int64 (B, T), of B lines: see ``random_lines``."""
    T = max((len(line) for line in chosen), default=1) - 1
    x, y = np.empty((len(chosen), T), np.int64), np.full((len(chosen), T), IGNORED)
    for i, line in enumerate(chosen):
        x[i], x[i, :len(line) - 1], y[i, :len(line) - 1] = line[-1], line[:-1], line[1:]
    return x, y


def by_length(lines: Sequence[NDArray[Any]], batch_size: int,
              at_most: int | None = None) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield batches (x, y), each (B, T), that cover ``lines`` once.

    A batch has lines of one length, so that no padding is needed.

    at_most     use only this many lines, evenly spread, for a cheaper estimate
    """
    if at_most is not None and at_most < len(lines):
        lines = [lines[i] for i in np.linspace(0, len(lines) - 1, at_most).astype(int)]
    for length in sorted({len(line) for line in lines}):
        same = np.stack([line for line in lines if len(line) == length])
        for i in range(0, len(same), batch_size):
            yield same[i:i + batch_size, :-1], same[i:i + batch_size, 1:]
