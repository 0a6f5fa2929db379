"""Captions of digits: a small grammar that says what is in the picture, measured from its pixels.

    a [small | large] [thin | thick] seven, [leaning left | upright | leaning right], [in the middle | at the top | …]

The class is one attribute of five. A model that knows only the class cannot find the caption of a picture. Attributes
are functions of the pixels (``attributes``), also those of pictures that were moved and scaled (``placed``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..names import module_attributes
from .augmentation import moved
from .images import side_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Attributes", "attributes", "captions", "chance", "held_out", "measured", "placed"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIZES = ("small", "large")
STROKES = ("thin", "thick")
SLANTS = ("leaning left", "upright", "leaning right")
PLACES = ("at the top left", "at the top", "at the top right", "on the left", "in the middle", "on the right",
          "at the bottom left", "at the bottom", "at the bottom right")
PLAIN = tuple(f"the digit {digit}" for digit in DIGITS)     # captions of the class alone
WORDS = sorted({word for text in (*PLAIN, *SIZES, *STROKES, *SLANTS, *PLACES, "a , picture of")
                for word in text.split()})

# Where one word ends and the next begins. HEIGHT and STROKE are near the medians of training pictures after ``placed``.
HEIGHT, STROKE, SLANT, OFFSET = 15.0, 2.0, (-0.1, 0.2), 2.0


class Attributes(NamedTuple):
    """What is measured in each of N pictures, integers (N,): the index in ``SIZES``, ``STROKES``, …"""

    size: NDArray[np.int64]
    stroke: NDArray[np.int64]
    slant: NDArray[np.int64]
    place: NDArray[np.int64]


def measured(x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Of pictures (N, side²) with gray values 0…1, each (N,):

    height          from the first to the last row with ink, in pixels
    stroke          the width of the line, 2 · area / length of the edge, in pixels
    slant           how far the line moves to the right per pixel upward: −cov(row, column) / var(row) of the ink
    down, right     the center of the ink, from the center of the picture, in pixels
    """
    side = side_of("measured", x)
    ink = x.reshape(-1, side, side).astype(np.float64)
    place = np.arange(side) - (side - 1) / 2
    rows, columns = ink.sum(axis=2), ink.sum(axis=1)                            # (N, side): of each row, of each column
    area = np.maximum(rows.sum(axis=1), 1e-9)
    down, right = rows @ place / area, columns @ place / area
    r, c = place - down[:, None], place - right[:, None]
    covariance = np.einsum("nij,ni,nj->n", ink, r, c)
    padded = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    slopes = np.hypot(padded[:, 1:, 1:] - padded[:, :-1, 1:], padded[:, 1:, 1:] - padded[:, 1:, :-1])
    inked = ink.max(axis=2) > 0.3
    height = np.where(inked.any(axis=1), side - inked[:, ::-1].argmax(axis=1) - inked.argmax(axis=1), 0)
    return {"height": height.astype(float), "stroke": 2 * area / np.maximum(slopes.sum(axis=(1, 2)), 1e-9),
            "slant": -covariance / np.maximum((rows * r * r).sum(axis=1), 1e-9), "down": down, "right": right}


def attributes(x: NDArray[Any]) -> Attributes:
    """The attributes of pictures (N, side²)."""
    found = measured(x)
    down, right = (np.digitize(found[name], (-OFFSET, OFFSET)) for name in ("down", "right"))
    return Attributes(np.digitize(found["height"], [HEIGHT]), np.digitize(found["stroke"], [STROKE]),
                      np.digitize(found["slant"], SLANT), 3 * down + right)


def placed(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Each digit of ``x`` (N, 28²) scaled by a factor from 0.55 to 1 and moved to a random place inside the picture."""
    side = side_of("placed", x)
    scale = rng.uniform(0.55, 1, len(x))
    room = side / 2 * (1 - scale * 20 / 28)                 # a digit fills 20 pixels of 28
    down, right = rng.uniform(-room, room, (2, len(x)))
    return moved(x, scale, 0.0, down, right)


def held_out(digits: NDArray[Any], found: Attributes) -> NDArray[np.bool_]:
    """Which pictures (N,) show a combination that training never sees: each digit in one of the four corners."""
    corners = np.array([PLACES.index(f"at the {name}") for name in ("top left", "top right", "bottom left",
                                                                    "bottom right")])
    return found.place == corners[np.asarray(digits) % 4]


def captions(digits: NDArray[Any], found: Attributes, rng: np.random.Generator | None = None) -> list[str]:
    """A caption for each digit and its attributes.

    Without ``rng`` every attribute is mentioned. With ``rng`` each is mentioned with probability 0.7, and one caption
    of eight is of the class alone, as in ``PLAIN``.
    """
    N = len(digits)
    said = np.ones((N, 5), bool) if rng is None else rng.random((N, 5)) < (0.7, 0.7, 0.7, 0.7, 7 / 8)
    return [_caption(int(digit), *map(int, values), *map(bool, says))
            for digit, values, says in zip(digits, zip(*found), said)]


def _caption(digit, size, stroke, slant, place, says_size, says_stroke, says_slant, says_place, rich):
    if not rich:
        return PLAIN[digit]
    words = ["a", *[SIZES[size]] * says_size, *[STROKES[stroke]] * says_stroke, DIGITS[digit]]
    return ", ".join([" ".join(words), *[SLANTS[slant]] * says_slant, *[PLACES[place]] * says_place])


def chance(texts: Sequence[str]) -> float:
    """The share of pictures that a random one of the distinct ``texts`` describes."""
    return 1 / max(len(set(texts)), 1)
