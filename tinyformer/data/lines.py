"""Texts of a line each, such as names: every one is read alone, from the mark before it to the mark after it."""

from __future__ import annotations

import numpy as np

from .dataset import by_content

END = "\n"                                                  # stands before a line and ends it
IGNORED = -100                                              # as a target: a place that is not there


def split_lines(text):
    """(training, validation, test): lists of the lines of ``text``, each in its marks. ``by_content`` says which goes where,
    so that no line stands on both sides; empty lines and repetitions are left out."""
    lines = list(dict.fromkeys(filter(None, text.split(END))))
    data = by_content("lines", lines, lines)
    return tuple([END + line + END for line in part.x] for part in (data.train, data.validation, data.test))


def random_lines(lines, batch_size, rng):
    """(x, y), each (B, T): lines, a list of ids, from random places of the list; y is x one token later. T is the longest one's;
    behind the end of a shorter one x repeats its last token, the end mark, and y is ``IGNORED``."""
    chosen = [lines[i] for i in rng.integers(0, len(lines), batch_size)]
    T = max(map(len, chosen)) - 1
    x, y = np.empty((batch_size, T), np.int64), np.full((batch_size, T), IGNORED)
    for i, line in enumerate(chosen):
        x[i], x[i, :len(line) - 1], y[i, :len(line) - 1] = line[-1], line[:-1], line[1:]
    return x, y


def by_length(lines, batch_size, at_most=None):
    """Yield (x, y) batches that cover ``lines`` once: lines of one length at a time, so that nothing is filled up.

    at_most     that many lines, evenly spread: an estimate for the price of a part
    """
    if at_most is not None and at_most < len(lines):
        lines = [lines[i] for i in np.linspace(0, len(lines) - 1, at_most).astype(int)]
    for length in sorted({len(line) for line in lines}):
        same = np.stack([line for line in lines if len(line) == length])
        for i in range(0, len(same), batch_size):
            yield same[i:i + batch_size, :-1], same[i:i + batch_size, 1:]
