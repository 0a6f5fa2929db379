"""Random inputs for a check, drawn so that mistakes show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

COPRIME = (3, 5, 7, 4, 11, 13, 17, 19)      # pairwise coprime: the size of a wrong factor names the axis
SQUARE_SIZE = 4                             # all axes have one length: a transpose does not show as a wrong shape


def sample(*shapes: str, seed: int = 0, square: bool = False) -> tuple[NDArray[Any], ...]:
    """Draw one random array for each of ``shapes``, in which each letter names an axis.

    "BTC"       standard normal numbers of shape (B, T, C), float64; "" is a single number
    "C+"        positive numbers, uniform between ½ and 2
    "BT<V"      integers from 0 to V − 1; one value occurs twice, and not all are the same
    "TS?"       booleans, both values

    A letter has the same length everywhere. The lengths are pairwise coprime, 3, 5, 7, 4, 11, … in the order in which
    the letters first occur, so that a wrong factor names its axis. With ``square`` all lengths are 4, so that a
    transpose does not show as a wrong shape. A digit is a length itself. With commas, axes may be longer names and
    numbers: "N,D_in" or "12,64". Raises ValueError for any other text.

    >>> x, weight, bias = sample("BI", "OI", "O")               # (3, 5), (7, 5), (7,)
    """
    rng = np.random.default_rng([seed, 2])
    lengths: dict[str, int] = {}
    drawn: list[NDArray[Any]] = []

    def length(letter: str) -> int:
        if letter.isdecimal():
            return int(letter)
        return lengths.setdefault(letter, SQUARE_SIZE if square else COPRIME[len(lengths) % len(COPRIME)])

    for text in shapes:
        axes, _, end = text.replace(" ", "").partition("<")
        kind = axes[-1:] if axes[-1:] in ("+", "?") else ""
        axes = axes.removesuffix(kind) if kind else axes
        names = [name for name in axes.split(",") if name] if "," in axes else list(axes)
        if not all(name.isidentifier() or name.isdecimal() for name in names) or not (end == "" or end.isalnum()):
            raise ValueError(f"sample: got {text!r}, "
                             "expected one letter per axis, such as 'BTC', 'C+', 'BT<V', 'TS?', or names 'N,D_in'")
        shape = tuple(map(length, names))
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
