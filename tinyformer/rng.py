"""The framework's random generator: initialization, dropout and sampling use it unless the caller passes another."""

from __future__ import annotations

import os

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


def _hold() -> None:
    """Keep other threads from drawing during a fork: the child would wait forever for a lock that they hold."""
    global _held
    _held = _generator.bit_generator.lock
    _held.acquire()


def _release() -> None:
    _held.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_release)
