"""Checks of numeric options, in the same words everywhere: "Adam: eps is -1, expected a finite number of at least 0".

    owner       what has the option: an object, named by its class, or a name
    name        of the option
    value       what came

Each function returns the value as a Python number, since a NumPy number would promote float32 arrays to float64. Raises
TypeError where the value is no number (booleans, text and None are none), ValueError where it is NaN or out of range.
"""

from __future__ import annotations

import math
import numbers
from typing import Any


def check_integer(owner: Any, name: str, value: Any, at_least: int | None = None, at_most: int | None = None) -> int:
    """``value`` as an int within the bounds, of which both or either may be left out."""
    expected = "an integer"
    if at_least is not None and at_most is not None:
        expected += f" from {at_least} to {at_most}"
    elif at_least is not None:
        expected += f" of at least {at_least}"
    elif at_most is not None:
        expected += f" of at most {at_most}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(_message(owner, name, value, expected))
    number = int(value)
    if (at_least is not None and number < at_least) or (at_most is not None and number > at_most):
        raise ValueError(_message(owner, name, value, expected))
    return number


def check_number(owner: Any, name: str, value: Any, *, at_least: float | None = None, above: float | None = None,
                 at_most: float | None = None, below: float | None = None, finite: bool = True) -> float:
    """``value`` as a float within the bounds; NaN never is, infinity only without ``finite``."""
    limits = {"of at least": at_least, "above": above, "at most": at_most, "below": below}
    bounds = [f"{words} {bound:g}" for words, bound in limits.items() if bound is not None]
    expected = " ".join(["a finite number" if finite else "a number", " and ".join(bounds)]).rstrip()
    number = _as_float(value)
    if number is None:
        raise TypeError(_message(owner, name, value, expected))
    if (math.isnan(number) or (finite and math.isinf(number))
            or (at_least is not None and number < at_least) or (above is not None and number <= above)
            or (at_most is not None and number > at_most) or (below is not None and number >= below)):
        raise ValueError(_message(owner, name, value, expected))
    return number


def check_fraction(owner: Any, name: str, value: Any) -> float:
    """``value`` as a float from 0 to 1: a probability, or a part of a whole."""
    number = _as_float(value)
    if number is None or not 0 <= number <= 1:
        raise (TypeError if number is None else ValueError)(_message(owner, name, value, f"0 ≤ {name} ≤ 1"))
    return number


def _as_float(value: Any) -> float | None:
    """``value`` as a float, None where it is no number; integers beyond the range of floats are infinite."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if int(math.floor(value)) > 0 else -math.inf


def _message(owner: Any, name: str, value: Any, expected: str) -> str:
    return f"{owner if isinstance(owner, str) else type(owner).__name__}: {name} is {value!r}, expected {expected}"
