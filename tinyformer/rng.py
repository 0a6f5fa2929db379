"""The one source of randomness that nobody passed: initialisation, dropout, sampling."""

from __future__ import annotations

import numpy as np

_generator = np.random.default_rng()


def seed(n):
    """Start the framework's generator anew: the same seed gives the same run."""
    global _generator
    _generator = np.random.default_rng(n)


def generator(rng=None):
    """``rng`` as a ``numpy.random.Generator``: itself, one seeded with an integer, or the framework's own for None."""
    if rng is None:
        return _generator
    return np.random.default_rng(rng)
