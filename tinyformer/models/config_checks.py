"""What models check: their configs, and the ids that they read.

Each error names the config or the model, what was expected and what was found. The checks of numbers are those of
``number_checks``; here a wrong type is a ValueError too, since a setting may come from a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import plain_array
from ..number_checks import check_fraction, check_integer, check_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from ..typing import Array


def check_integers(config: Any, *names: str, least: int = 1) -> None:
    """Raise ValueError unless each of the settings ``names`` is an integer of at least ``least``."""
    _check(check_integer, config, names, at_least=least)


def check_flags(config: Any, *names: str) -> None:
    """Raise ValueError unless each of the settings ``names`` is True or False."""
    for name in names:
        if not isinstance(getattr(config, name), bool):
            raise ValueError(f"{type(config).__name__}: {name} is {getattr(config, name)!r}, expected true or false")


def check_fractions(config: Any, *names: str) -> None:
    """Raise ValueError unless each of the settings ``names`` is a number from 0 to 1."""
    _check(check_fraction, config, names)


def check_below_one(config: Any, *names: str) -> None:
    """Raise ValueError unless each of the settings ``names`` is a number of at least 0 and below 1."""
    _check(check_number, config, names, at_least=0, below=1)


def check_at_least_zero(config: Any, *names: str) -> None:
    """Raise ValueError unless each of the settings ``names`` is a finite number of at least 0."""
    _check(check_number, config, names, at_least=0)


def check_above_zero(config: Any, *names: str) -> None:
    """Raise ValueError unless each of the settings ``names`` is a finite number above 0."""
    _check(check_number, config, names, above=0)


def _check(check: Callable[..., Any], config: Any, names: tuple[str, ...], **bounds: float) -> None:
    for name in names:
        value = getattr(config, name)
        try:
            number = check(config, name, value, **bounds)
        except TypeError as error:
            raise ValueError(str(error)) from None
        if isinstance(value, np.generic):                   # which JSON cannot hold
            object.__setattr__(config, name, number)


def check_one_of(config: Any, **known: Any) -> None:
    """Raise ValueError unless each of the settings has one of its known values."""
    for name, values in known.items():
        if getattr(config, name) not in values:
            raise ValueError(f"{type(config).__name__}: {name} is {getattr(config, name)!r}, "
                             f"expected one of {', '.join(values)}")


def check_heads(config: Any) -> None:
    """Raise ValueError unless the width n_embd is a multiple of the number of heads n_head."""
    if config.n_embd % config.n_head:
        raise ValueError(f"{type(config).__name__}: n_embd {config.n_embd} cannot be divided among "
                         f"n_head {config.n_head} heads")


def checked_block(model: Any, ids: ArrayLike, most: int, name: str = "ids have", beside: str = "") -> Array:
    """``ids``, (B, T) with 1 ≤ T ≤ ``most``, as an array. Raises ValueError for other shapes.

    beside      what the message adds, such as what else takes up places
    """
    ids = plain_array(type(model).__name__, ids)
    if ids.ndim != 2 or not 1 <= ids.shape[1] <= most:
        raise ValueError(f"{type(model).__name__}: {name} shape {ids.shape}, "
                         f"expected (B, T) with 1 ≤ T ≤ {most}{beside}")
    return ids
