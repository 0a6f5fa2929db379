"""Checks of texts, labels, groups and probabilities, in the same words for every measure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import plain_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def same_length(operation: str, **arrays: ArrayLike) -> list[NDArray[Any]]:
    """The arguments as arrays (N,). ValueError for another shape, for no example and for unequal lengths."""
    found = {name: plain_array(operation, values) for name, values in arrays.items()}
    for name, values in found.items():
        if values.ndim != 1 or not values.size:
            raise ValueError(f"{operation}: {name} has shape {values.shape}, expected (N,) with N ≥ 1")
    if len({len(values) for values in found.values()}) > 1:
        sizes = ", ".join(f"{len(values)} in {name}" for name, values in found.items())
        raise ValueError(f"{operation}: unequal lengths, {sizes}; expected one entry for each example")
    return list(found.values())


def check_str(operation: str, name: str, text: Any) -> None:
    """TypeError unless ``text`` is a str."""
    if not isinstance(text, str):
        raise TypeError(f"{operation}: {name} is a {type(text).__name__}, expected a str")


def checked_texts(operation: str, texts: Any) -> list[str]:
    """``texts`` as a list of str. TypeError for a single text and for other things, ValueError for no text."""
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        came = "one text" if isinstance(texts, str) else f"a {type(texts).__name__}"
        raise TypeError(f"{operation}: got {came}, expected a list of texts")
    texts = list(texts)
    if not texts:
        raise ValueError(f"{operation}: got no texts, expected at least one")
    for i, text in enumerate(texts):
        check_str(operation, f"texts[{i}]", text)
    return texts


def positive(operation: str, **labels: NDArray[Any]) -> list[NDArray[np.bool_]]:
    """Whether each label is 1. ValueError unless all labels are 0 and 1, or −1 and 1."""
    values = {value: name for name, array in labels.items() for value in np.unique(array).tolist()}
    if not (values.keys() <= {0, 1} or values.keys() <= {-1, 1}):
        wrong = next((value for value in values if value not in (0, 1)), next(iter(values)))
        raise ValueError(f"{operation}: {values[wrong]} has the value {wrong!r}, expected labels 0 and 1, or -1 and 1")
    return [array == 1 for array in labels.values()]


def both_classes(operation: str, is_positive: NDArray[np.bool_], name: str = "y_true") -> None:
    """ValueError unless both classes occur."""
    if is_positive.all() or not is_positive.any():
        raise ValueError(f"{operation}: all labels in {name} are {'positive' if is_positive.any() else 'negative'}, "
                         f"expected both classes")


def members(operation: str, groups: NDArray[Any]) -> dict[Any, NDArray[np.int64]]:
    """{group: the places of its examples}, sorted by group. ValueError where a group is missing (None or NaN)."""
    missing = [place for place, group in enumerate(groups.tolist()) if group is None or group != group]
    if missing:
        raise ValueError(f"{operation}: sensitive_features[{missing[0]}] is {groups[missing[0]]}, expected a group")
    names, place = np.unique(groups, return_inverse=True)
    return {name: np.flatnonzero(place == i) for i, name in enumerate(names.tolist())}


def fractions(operation: str, **arrays: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Probabilities as float64. ValueError for a value outside 0…1."""
    found = []
    for name, values in arrays.items():
        values = values.astype(np.float64)
        wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))
        if wrong.size:
            raise ValueError(f"{operation}: {name}[{wrong[0]}] is {values[wrong[0]]}, expected 0…1")
        found.append(values)
    return found
