"""Settings of recipes: fields of dataclasses that say what they mean and which values they may have.

Each setting is declared once, with ``setting``. The check of a recipe, ``tinyformer recipes NAME`` and the reference
read it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection
from typing import Any

NAMES = {int: "an integer", float: "a number", bool: "true or false", str: "text"}
TYPES = {kind.__name__: kind for kind in NAMES}


def setting(default: Any, help: str, *, at_least: float | None = None, above: float | None = None,
            at_most: float | None = None, below: float | None = None,
            one_of: Collection[str] | Callable[[], Collection[str]] | None = None, finite: bool = True) -> Any:
    """A dataclass field with a default, a sentence of ``help`` (meaning and unit), and the values that are allowed.

    default                             None: not set, until a recipe gives a value
    at_least, above, at_most, below     bounds of a number, which must be finite unless ``finite`` is False
    one_of                              the texts that are allowed: a list, or a dictionary or function if more may come
    """
    bounds = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    given = {words: bound for words, bound in bounds.items() if bound is not None}
    if one_of is not None:
        help += f" One of {', '.join(sorted(_names(one_of)))}."
    elif given:
        help += f" {_range(given).capitalize()}."
    return dataclasses.field(default=default, metadata={"help": help, "bounds": given, "one_of": one_of,
                                                         "finite": finite})


def type_name(field: dataclasses.Field[Any]) -> str:
    """The annotation of ``field`` as text, without the None of a setting that may be unset: "float"."""
    return getattr(field.type, "__name__", str(field.type)).removesuffix(" | None")


def check_settings(section: str, settings: Any) -> None:
    """ValueError unless each field of the dataclass ``settings`` has an allowed value.

    The message is such as "train.lr: got -1.0, expected …".
    """
    for field in dataclasses.fields(settings):
        value, bounds, names = getattr(settings, field.name), field.metadata.get("bounds"), field.metadata.get("one_of")
        key = f"{section}.{field.name}" if section else field.name
        if value is None and field.default is None:         # not set
            continue
        if names is not None and value not in _names(names):
            raise ValueError(f"{key}: got {value!r}, expected one of {', '.join(sorted(_names(names)))}")
        finite = field.metadata.get("finite", True)
        if bounds and not _within(value, bounds, finite):
            kind = "an integer" if isinstance(field.default, int) else "a finite number" if finite else "a number"
            raise ValueError(f"{key}: got {value}, expected {kind} {_range(bounds, 'of ')}")


def _names(one_of: Collection[str] | Callable[[], Collection[str]]) -> Collection[str]:
    return one_of() if callable(one_of) else one_of


def _within(value: float, bounds: dict[str, float], finite: bool) -> bool:
    """Whether the number is within the bounds, and finite if it must be; False for NaN."""
    return ((-math.inf < value < math.inf if finite else not math.isnan(value))
            and bounds.get("at least", -math.inf) <= value <= bounds.get("at most", math.inf)
            and ("above" not in bounds or value > bounds["above"])
            and ("below" not in bounds or value < bounds["below"]))


def _range(bounds: dict[str, float], of: str = "") -> str:
    """The bounds in words: "from 0 to 1", "above 0 and below 1", or "at least 1" after ``of``."""
    if {"at least", "at most"} <= bounds.keys():
        return f"from {bounds['at least']:g} to {bounds['at most']:g}"
    return of * ("at least" in bounds) + " and ".join(f"{words} {bound:g}" for words, bound in bounds.items())
