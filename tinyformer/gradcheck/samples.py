"""Inputs to check at: drawn so that a mistake has nowhere to hide."""

from __future__ import annotations

import numpy as np

COPRIME = (3, 5, 7, 4, 11, 13, 17, 19)      # no two have a common divisor: the size of a stray factor names the axis
SQUARE_SIZE = 4                                  # all axes alike: a transpose does not show as a wrong shape


def sample(*shapes, seed=0, square=False):
    """Random arrays, a tuple of one for each of ``shapes``, in which a letter stands for an axis.

    "BTC"       normal numbers of shape (B, T, C); "" is a single number
    "C+"        positive ones, between ½ and 2
    "BT<V"      integers from 0 to V − 1, one of them twice, not all the same
    "TS?"       booleans, some of either

    A letter has one length throughout: the lengths are pairwise coprime, 3, 5, 7, 4, 11, … in the order in which the letters
    come, or all 4 with ``square``. A digit is a length itself.

    >>> x, weight, bias = sample("BI", "OI", "O")               # (3, 5), (7, 5), (7,)
    """
    rng = np.random.default_rng([seed, 2])
    lengths, drawn = {}, []

    def length(letter):
        if letter.isdigit():
            return int(letter)
        return lengths.setdefault(letter, SQUARE_SIZE if square else COPRIME[len(lengths) % len(COPRIME)])

    for text in shapes:
        axes, _, end = text.replace(" ", "").partition("<")
        kind = axes[-1:] if axes[-1:] in ("+", "?") else ""
        axes = axes.removesuffix(kind) if kind else axes
        if not all(letter.isalnum() for letter in axes) or len(end) > 1:
            raise ValueError(f"sample: got {text!r}, expected a letter for each axis, such as 'BTC', 'C+', 'BT<V' or 'TS?'")
        shape = tuple(map(length, axes))
        if end:
            values = rng.integers(0, length(end), shape)
            values.reshape(-1)[-1:] = values.reshape(-1)[:1]
            if values.size > 2 and np.ptp(values) == 0:
                values.reshape(-1)[1] = (values.reshape(-1)[0] + 1) % length(end)
        elif kind == "?":
            values = rng.random(shape) < 0.5
            values.reshape(-1)[:2] = [True, False][:values.size]
        else:
            values = np.asarray(rng.uniform(0.5, 2, shape) if kind == "+" else rng.standard_normal(shape))
        drawn.append(values)
    return tuple(drawn)
