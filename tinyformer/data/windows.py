"""Batches of a long row of tokens: windows of T tokens, each with the tokens that follow."""

from __future__ import annotations

import numpy as np


def split(tokens, train_fraction):
    """(training, validation): the first ``train_fraction`` of the tokens, and the rest."""
    cut = int(train_fraction * len(tokens))
    return tokens[:cut], tokens[cut:]


def random_windows(tokens, batch_size, T, rng):
    """(x, y), each (B, T): windows from random places; y is x one token later. ``tokens`` has more than T."""
    starts = rng.integers(0, len(tokens) - T, batch_size)
    window = tokens[starts[:, None] + np.arange(T + 1)]                         # (B, T + 1)
    return window[:, :-1], window[:, 1:]


def windows(tokens, batch_size, T, at_most=None):
    """Yield (x, y) batches that cover ``tokens`` once: windows side by side, the last one shorter where T does not divide.

    at_most     that many windows, evenly spread, and no remainder: an estimate for the price of a part
    """
    n = (len(tokens) - 1) // T
    x, y = tokens[:n * T].reshape(n, T), tokens[1:n * T + 1].reshape(n, T)
    if at_most is not None and at_most < n:
        chosen = np.linspace(0, n - 1, at_most).astype(int)
        x, y = x[chosen], y[chosen]
    for i in range(0, len(x), batch_size):
        yield x[i:i + batch_size], y[i:i + batch_size]
    if at_most is None and n * T < len(tokens) - 1:
        yield tokens[None, n * T:-1], tokens[None, n * T + 1:]
