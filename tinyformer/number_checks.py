"""Checks of numeric options, in the same words everywhere: "Adam: eps is -1, expected a finite number of at least 0".

    owner       the object that has the option, which errors name by its class; or a name
    name        the name of the option
    value       the value to check

Each function returns the value as a Python number, since a NumPy number would promote float32 arrays to float64. Raises
TypeError if the value is not a number (booleans, text and None are not), ValueError if it is NaN or out of range.
"""

from __future__ import annotations

import math
import numbers
from typing import Any


def check_integer(owner: Any, name: str, value: Any, at_least: int | None = None, at_most: int | None = None) -> int:
    """``value`` as an int within the bounds, of which both or either may be left out."""
    is_integer = type(value) is int or (isinstance(value, numbers.Integral) and not isinstance(value, bool))
    number = int(value) if is_integer else 0
    if is_integer and (at_least is None or number >= at_least) and (at_most is None or number <= at_most):
        return number
    expected = "an integer"                                 # operations check at each call, so words are made only now
    if at_least is not None and at_most is not None:
        expected += f" from {at_least} to {at_most}"
    elif at_least is not None:
        expected += f" of at least {at_least}"
    elif at_most is not None:
        expected += f" of at most {at_most}"
    raise _error(is_integer, owner, name, value, expected)


def check_number(owner: Any, name: str, value: Any, *, at_least: float | None = None, above: float | None = None,
                 at_most: float | None = None, below: float | None = None, finite: bool = True) -> float:
    """``value`` as a float within the bounds; NaN is refused, and infinity too unless ``finite`` is False."""
    number = value if type(value) is float else _as_float(value)
    if (number is not None and (-math.inf < number < math.inf or (not finite and number == number))
            and (at_least is None or number >= at_least) and (above is None or number > above)
            and (at_most is None or number <= at_most) and (below is None or number < below)):
        return number
    limits = {"of at least": at_least, "above": above, "at most": at_most, "below": below}
    bounds = [f"{words} {bound:g}" for words, bound in limits.items() if bound is not None]
    expected = " ".join(["a finite number" if finite else "a number", " and ".join(bounds)]).rstrip()
    raise _error(number is not None, owner, name, value, expected)


def check_fraction(owner: Any, name: str, value: Any) -> float:
    """``value`` as a float from 0 to 1: a probability, or a part of a whole."""
    number = value if type(value) is float else _as_float(value)
    if number is not None and 0 <= number <= 1:
        return number
    raise _error(number is not None, owner, name, value, f"0 ≤ {name} ≤ 1")


def _as_float(value: Any) -> float | None:
    """``value`` as a float, None where it is no number; integers beyond the range of floats are infinite."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if int(math.floor(value)) > 0 else -math.inf


def _error(is_number: bool, owner: Any, name: str, value: Any, expected: str) -> ValueError | TypeError:
    owner = owner if isinstance(owner, str) else type(owner).__name__
    return (ValueError if is_number else TypeError)(f"{owner}: {name} is {value!r}, expected {expected}")
