"""Checks of options that are names or functions, in the same words everywhere; ``number_checks`` has those of numbers.

    owner       what the error names first: the function that has the option
    name        the name of the option
    value       the value to check
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def check_choice(owner: str, name: str, value: Any, choices: Collection[str]) -> None:
    """ValueError unless ``value`` is one of the texts ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{owner}: {name} is {value!r}, expected one of {', '.join(choices)}")


def check_callable(owner: str, name: str, value: Any, purpose: str) -> None:
    """TypeError unless ``value`` can be called. ``purpose`` follows "expected a function", as in "of a batch"."""
    if not callable(value):
        raise TypeError(f"{owner}: {name} is a {type(value).__name__}, expected a function {purpose}")
