"""Examples made up by rule: small tasks that show what a model can and cannot learn.

Each function takes how many are wanted and ``rng``, a Generator, a seed, or None for the framework's own; it gives
(x, y). Points are float32 (N, 2) with int64 labels (N,), sequences int64 (N, T) on both sides.
"""

from __future__ import annotations

import numpy as np

from ..rng import generator


def xor(n, rng=None, noise=0.1):
    """Points around the corners of a square; the label is 1 where exactly one coordinate is high. No line separates them."""
    rng = generator(rng)
    corners = rng.integers(0, 2, (n, 2))
    x = corners + noise * rng.standard_normal((n, 2))
    return x.astype(np.float32), corners[:, 0] ^ corners[:, 1]


def spirals(n, rng=None, arms=2, turns=1.0, noise=0.02):
    """Points along ``arms`` spirals that start at the middle and go round ``turns`` times; the label is the arm."""
    rng = generator(rng)
    y = rng.integers(0, arms, n)
    radius = np.sqrt(rng.random(n))                     # the root spreads the points evenly over the disc
    angle = 2 * np.pi * (turns * radius + y / arms)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1) + noise * rng.standard_normal((n, 2))
    return x.astype(np.float32), y


# Each digit as five rows of three dots.
FONT = ("111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001",
        "111100111001111", "111100111101111", "111001001001001", "111101111101111", "111101111001111")


def digits(n, rng=None, noise=0.35):
    """Pictures of digits in the form of MNIST, and the digits 0 … 9 that they show.

    x float32 (N, 784), rows of 28 × 28 gray values: ink 1 and paper 0, plus normal noise with standard deviation ``noise``. y int64 (N,).
    A digit has five rows of three dots. Its size is random, and so is its place, up to 4 pixels from the middle in each direction.
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


def copy(n, rng=None, length=10, symbols=10):
    """Rows of symbols 0 … ``symbols`` − 1, and the same rows."""
    x = generator(rng).integers(0, symbols, (n, length))
    return x, x.copy()


def reverse(n, rng=None, length=10, symbols=10):
    """Rows of symbols, and the same from right to left."""
    x, _ = copy(n, rng, length, symbols)
    return x, x[:, ::-1].copy()


def sort(n, rng=None, length=10, symbols=10):
    """Rows of symbols, and the same in ascending order. Of 20,000 rows split by content, 35 % of the held-out answers are also the
    answer of a training row with the same digits in another order."""
    x, _ = copy(n, rng, length, symbols)
    return x, np.sort(x, axis=1)


PLUS = 10                                               # the symbol of the sign in ``add``


def add(n, rng=None, digits=3):
    """Sums of two numbers of ``digits`` digits: x is a + b, 2 ``digits`` + 1 symbols of which 10 is the plus; y is the sum,
    ``digits`` + 1 digits, the ones first, as one adds by hand: a carry then goes where the eye goes. Of 20,000 sums split by
    content, 1.5 % of the held-out ones occur in training as b + a."""
    a, b = generator(rng).integers(0, 10 ** digits, (2, n))
    x = np.concatenate([_digits(a, digits), np.full((n, 1), PLUS), _digits(b, digits)], axis=1)
    return x, _digits(a + b, digits + 1)[:, ::-1].copy()


def _digits(numbers, width):
    """The decimal digits of whole numbers, the highest first: (N, width)."""
    return numbers[:, None] // 10 ** np.arange(width - 1, -1, -1) % 10
