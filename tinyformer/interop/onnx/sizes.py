"""Integers that depend on the sizes of the inputs, found from their values in several forward passes.

A shape such as (B, T, 4, 8) is two numbers of the model and two sizes of the input. Forward passes at several sizes,
none a multiple of another, tell which is which.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Size:
    """scale · Π (Σ of the symbols of a factor) + offset, such as 4 · batch · (past + sequence) − 1."""

    factors: tuple[tuple[str, ...], ...]
    scale: int = 1
    offset: int = 0

    @property
    def symbol(self) -> str | None:
        """The name of the size itself, such as "batch" or "past + sequence"; None for a computed one."""
        plain = len(self.factors) == 1 and (self.scale, self.offset) == (1, 0)
        return " + ".join(sorted(self.factors[0])) if plain else None


def fit(values: Sequence[int], symbols: Mapping[str, Sequence[int]]) -> int | Size:
    """What gives ``values``, one for each forward pass, from the sizes that the passes had under each symbol.

    The first that fits: the same integer; a multiple of a symbol, a sum or a product of symbols; one of these plus an
    integer. ValueError if none fits.
    """
    if not all(isinstance(value, (int, np.integer)) for value in values):
        raise ValueError(f"a number changes with the inputs: {', '.join(map(str, values))}")
    if len(set(values)) == 1:
        return int(values[0])
    moving = {name: sizes for name, sizes in symbols.items() if len(set(sizes)) > 1}
    single = [(name,) for name in moving]
    factors = single + list(itertools.combinations(moving, 2))
    terms = [(f,) for f in factors] + list(itertools.combinations_with_replacement(factors, 2))
    products = [(term, [math.prod(sum(moving[name][i] for name in factor) for factor in term)
                        for i in range(len(values))]) for term in terms]
    for term, found in products:
        scale = values[0] // found[0] if found[0] else 0
        if scale and all(scale * n == value for n, value in zip(found, values)):
            return Size(term, scale)
    for term, found in products:
        offset = values[0] - found[0]
        if all(n + offset == value for n, value in zip(found, values)):
            return Size(term, 1, offset)
    raise ValueError(f"a size is {', '.join(map(str, values))} for inputs of the sizes "
                     + "; ".join(f"{name} {', '.join(map(str, sizes))}" for name, sizes in symbols.items()))
