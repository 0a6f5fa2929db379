"""Batches from one long sequence of tokens: windows of T tokens, each with the tokens that follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tokens = TypeVar("Tokens", "NDArray[Any]", str, "list[Any]")


def split(tokens: Tokens, train_fraction: float) -> tuple[Tokens, Tokens]:
    """(training, validation): the first ``train_fraction`` of ``tokens``, an array, a list or a text, and the rest."""
    cut = int(train_fraction * len(tokens))
    return tokens[:cut], tokens[cut:]


def random_windows(tokens: NDArray[Any], batch_size: int, T: int,
                   rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """(x, y), each (B, T): windows of ``tokens`` (N,), N > T, at random positions; y is x one token later."""
    starts = rng.integers(0, len(tokens) - T, batch_size)
    window = tokens[starts[:, None] + np.arange(T + 1)]                         # (B, T + 1)
    return window[:, :-1], window[:, 1:]


def windows(tokens: NDArray[Any], batch_size: int, T: int,
            at_most: int | None = None) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield batches (x, y), each (B, T): windows that cover ``tokens`` (N,) once; y is x one token later.

    at_most     use only this many windows, evenly spread, for a cheaper estimate

    If T does not divide N − 1, the last batch has one shorter window; not with fewer windows than there are.
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
