"""The framework's random generator: initialization, dropout and sampling use it unless the caller passes another."""

from __future__ import annotations

import numpy as np

_generator = np.random.default_rng()


def seed(n: int | None) -> None:
    """Re-seed the framework's generator: the same seed gives the same run.

    None takes a seed from the operating system.
    """
    global _generator
    _generator = np.random.default_rng(n)


def generator(rng: np.random.Generator | int | None = None) -> np.random.Generator:
    """``rng`` as a ``numpy.random.Generator``: itself, one seeded with an integer, or the framework's own for None."""
    if rng is None:
        return _generator
    return np.random.default_rng(rng)
