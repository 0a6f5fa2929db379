"""Synthetic data: small tasks that show what a model can and cannot learn.

Each function takes the number ``n`` of examples and ``rng``, a Generator, a seed, or None for the generator that
``tinyformer.seed`` sets. It returns (x, y). Points are float32 (n, 2) with int64 labels (n,); sequences are int64 (n,
T) for x and y.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..names import module_attributes
from ..rng import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = tuple[NDArray[np.float32], NDArray[np.int64]]              # inputs of numbers, and labels
    Sequences = tuple[NDArray[np.int64], NDArray[np.int64]]             # rows of symbols, and rows of symbols
    RNG = np.random.Generator | int | None

__all__ = ["add", "copy", "digits", "gaussians", "reverse", "sort", "spirals", "xor"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def xor(n: int, rng: RNG = None, noise: float = 0.1) -> Points:
    """Points around the corners of a square; the label is 1 if exactly one coordinate is high.

    No line separates the classes.
    """
    rng = generator(rng)
    corners = rng.integers(0, 2, (n, 2))
    x = corners + noise * rng.standard_normal((n, 2))
    return x.astype(np.float32), corners[:, 0] ^ corners[:, 1]


def spirals(n: int, rng: RNG = None, arms: int = 2, turns: float = 1.0, noise: float = 0.02) -> Points:
    """Points along ``arms`` spirals that start at the center and make ``turns`` turns; the label is the arm."""
    rng = generator(rng)
    y = rng.integers(0, arms, n)
    radius = np.sqrt(rng.random(n))                     # the root spreads the points evenly over the disc
    angle = 2 * np.pi * (turns * radius + y / arms)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1) + noise * rng.standard_normal((n, 2))
    return x.astype(np.float32), y


def gaussians(n: int, rng: RNG = None, modes: int = 8, radius: float = 2.0, noise: float = 0.1) -> Points:
    """Points around ``modes`` centers on a circle, normally distributed with standard deviation ``noise``.

    The label is the center, counted from the right against the clock. A generative model that makes points of some
    centers only shows mode collapse.
    """
    rng = generator(rng)
    y = rng.integers(0, modes, n)
    angle = 2 * np.pi * y / modes
    x = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1) + noise * rng.standard_normal((n, 2))
    return x.astype(np.float32), y


# Each digit as five rows of three dots.
FONT = ("111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001",
        "111100111001111", "111100111101111", "111001001001001", "111101111101111", "111101111001111")


def digits(n: int, rng: RNG = None, noise: float = 0.35) -> Points:
    """Pictures of digits in the form of MNIST, and the digits 0 … 9 that they show.

    x float32 (N, 784), rows of 28 × 28 gray values: ink 1 and paper 0, plus normal noise with standard deviation
    ``noise``. y int64 (N,). A digit has five rows of three dots. Its size is random, and so is its place, up to 4
    pixels from the middle in each direction.
    """
    rng = generator(rng)
    y, x = rng.integers(0, 10, n), np.zeros((n, 28, 28), np.float32)
    for picture, digit in zip(x, y):
        glyph = np.array(list(FONT[digit]), np.float32).reshape(5, 3)
        glyph = glyph.repeat(rng.integers(3, 5), axis=0).repeat(rng.integers(4, 7), axis=1)
        top, left = (28 - np.array(glyph.shape)) // 2 + rng.integers(-4, 5, 2)
        picture[top:top + len(glyph), left:left + glyph.shape[1]] = glyph
    x += rng.normal(scale=noise, size=x.shape)
    return x.reshape(n, 784), y


def copy(n: int, rng: RNG = None, length: int = 10, symbols: int = 10) -> Sequences:
    """Rows of ``length`` random symbols 0 … ``symbols`` − 1, and the same rows."""
    x = generator(rng).integers(0, symbols, (n, length))
    return x, x.copy()


def reverse(n: int, rng: RNG = None, length: int = 10, symbols: int = 10) -> Sequences:
    """Rows of ``length`` random symbols, and the same rows from right to left."""
    x, _ = copy(n, rng, length, symbols)
    return x, x[:, ::-1].copy()


def sort(n: int, rng: RNG = None, length: int = 10, symbols: int = 10) -> Sequences:
    """Rows of ``length`` random symbols, and the same symbols in ascending order.

    Of 20,000 rows split by content, 35 % of the held-out targets are also the target of a training row with the same
    digits in another order.
    """
    x, _ = copy(n, rng, length, symbols)
    return x, np.sort(x, axis=1)


PLUS = 10                                               # the symbol of the plus sign in ``add``


def add(n: int, rng: RNG = None, digits: int = 3) -> Sequences:
    """Sums of two integers a and b of ``digits`` digits.

    x (n, 2 · ``digits`` + 1) is a, the symbol 10 for the plus sign, and b. y (n, ``digits`` + 1) is the sum, the ones
    first, as in adding by hand: each digit then depends only on a carry that was computed before it. Of 20,000 sums
    split by content, 1.5 % of the held-out ones occur in training as b + a.
    """
    a, b = generator(rng).integers(0, 10 ** digits, (2, n))
    x = np.concatenate([_digits(a, digits), np.full((n, 1), PLUS), _digits(b, digits)], axis=1)
    return x, _digits(a + b, digits + 1)[:, ::-1].copy()


def _digits(numbers: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """The decimal digits of integers (N,), the highest first: (N, width)."""
    return numbers[:, None] // 10 ** np.arange(width - 1, -1, -1) % 10
