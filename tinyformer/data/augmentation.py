"""Changes that keep the label: of pictures, which are rows of numbers, and of texts, which are arrays of ids.

What keeps a label depends on the task. A small rotation keeps a digit, half a turn makes a 9 of a 6. A review survives
most words that are left out, but not the word "not". Each function draws from the generator ``rng`` that it is given
and returns new arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..names import module_attributes
from ..number_checks import check_fraction, check_integer, check_number
from ..resampling import bilinear
from .images import side_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Pictures = NDArray[Any]

__all__ = ["cut_out", "drawn_words", "mixed_up", "moved", "randomly_moved", "swapped_words", "without_words",
           "word_shares"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)


# ------------------------------------------------------------------------------------------------ pictures

def moved(x: Pictures, scale: Any = 1.0, angle: Any = 0.0, down: Any = 0.0, right: Any = 0.0) -> Pictures:
    """The square pictures ``x`` (N, side²), scaled and turned about their center, then shifted; new pixels are 0.

    scale           a factor above 0          angle       in degrees, against the clock
    down, right     pixels, also fractions

    Each is one number or one for each picture, (N,). Pixels between those of ``x`` are interpolated (bilinear).
    """
    side = side_of("moved", x)
    scale, angle, down, right = (np.broadcast_to(np.asarray(a, float), len(x))[:, None, None]
                                 for a in (scale, angle, down, right))
    if not (scale > 0).all():
        raise ValueError(f"moved: scale is {scale.min():g}, expected a number above 0")
    middle = (side - 1) / 2
    place = np.arange(side) - middle
    r, c = place[:, None] - down, place - right             # of each new pixel, from the center: (N, side, 1 or side)
    cos, sin = np.cos(np.deg2rad(angle)) / scale, np.sin(np.deg2rad(angle)) / scale
    rows, columns = cos * r + sin * c + middle, cos * c - sin * r + middle
    y, _ = bilinear(x.reshape(-1, 1, side, side), rows.astype(x.dtype), columns.astype(x.dtype))
    return y.reshape(x.shape)


def randomly_moved(x: Pictures, rng: np.random.Generator, *, rotate: float = 0.0, scale: float = 0.0) -> Pictures:
    """Each picture turned by up to ``rotate`` degrees and scaled by a factor between 1 − ``scale`` and its inverse."""
    rotate = check_number("randomly_moved", "rotate", rotate, at_least=0)
    scale = check_number("randomly_moved", "scale", scale, at_least=0, below=1)
    factors = (1 - scale) ** rng.uniform(-1, 1, len(x))
    return moved(x, factors, rng.uniform(-rotate, rotate, len(x)))


def cut_out(x: Pictures, size: int, rng: np.random.Generator) -> Pictures:
    """A square of ``size`` pixels is set to 0 in each picture of ``x`` (N, side²); it may reach over the edge.

    Source: DeVries and Taylor (2017).
    """
    side, size = side_of("cut_out", x), check_integer("cut_out", "size", size, at_least=0)
    first = rng.integers(-(size // 2), side - size // 2, (2, len(x), 1))
    inside = (np.arange(side) >= first) & (np.arange(side) < first + size)      # (2, N, side)
    return np.where((inside[0][:, :, None] & inside[1][:, None]).reshape(len(x), -1), x.dtype.type(0), x)


def mixed_up(x: Pictures, y: NDArray[Any], alpha: float, rng: np.random.Generator) -> tuple[Pictures, NDArray[Any]]:
    """(λ x + (1 − λ) x', the label y with probability λ, else y') with λ from Beta(α, α) and x', y' the rows shuffled.

    The paper's loss, λ times that of y plus 1 − λ times that of y', is the expected value of the loss with such a
    drawn label, so both have the same expected gradient.   x (N, …), y (N,).   Source: Zhang et al. (2018).
    """
    alpha = check_number("mixed_up", "alpha", alpha, above=0)
    weight, other = rng.beta(alpha, alpha, len(x)).astype(x.dtype), rng.permutation(len(x))
    column = weight.reshape(-1, *(1,) * (x.ndim - 1))
    return column * x + (1 - column) * x[other], np.where(rng.random(len(x)) < weight, y, y[other])


# ------------------------------------------------------------------------------------------------ texts

def without_words(ids: NDArray[Any], p: float, unknown: int, rng: np.random.Generator) -> NDArray[Any]:
    """``ids`` (T,) with each one replaced by ``unknown`` with probability ``p``: word dropout.

    Source: Iyyer et al. (2015).
    """
    return np.where(rng.random(len(ids)) < check_fraction("without_words", "p", p), unknown, ids)


def swapped_words(ids: NDArray[Any], p: float, rng: np.random.Generator) -> NDArray[Any]:
    """``ids`` (T,) after round(p·T) swaps of two neighbors: the words stay, their order changes a little.

    Source: Wei and Zou (2019), who swap any two words.
    """
    ids = ids.copy()
    for i in rng.integers(0, max(len(ids) - 1, 1), round(check_fraction("swapped_words", "p", p) * len(ids))):
        ids[i:i + 2] = ids[i:i + 2][::-1].copy()
    return ids


def drawn_words(ids: NDArray[Any], p: float, shares: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """``ids`` (T,) with each one replaced, with probability ``p``, by a word drawn by its frequency: back-off.

    What an n-gram does with a context that it has not seen, this does to the data: it falls back to the frequencies of
    single words.   shares (V,), which sum to 1.   Source: Xie et al. (2017), unigram noising.
    """
    other = np.searchsorted(np.cumsum(shares), rng.random(len(ids)) * np.sum(shares), side="right")
    chosen = rng.random(len(ids)) < check_fraction("drawn_words", "p", p)
    return np.where(chosen, other.clip(max=len(shares) - 1), ids)


def word_shares(texts: Sequence[NDArray[Any]], size: int, first: int) -> NDArray[np.float64]:
    """The relative frequencies (``size``,) of the ids in ``texts``; ids below ``first``, such as padding, get 0."""
    counts = np.bincount(np.concatenate([*texts, np.zeros(0, int)]), minlength=size).astype(float)
    counts[:first] = 0
    return counts / max(counts.sum(), 1)
