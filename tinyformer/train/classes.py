"""The names of the classes of a classifier, in ``classes.json`` in the folder of its model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ..files import DamagedFile, read_json, replace_file


def save_classes(folder: str | Path, classes: Iterable[str]) -> None:
    """Write the names of the classes 0, 1, … to classes.json in ``folder``."""
    replace_file(Path(folder) / "classes.json", json.dumps(list(classes), ensure_ascii=False) + "\n")


def load_classes(folder: str | Path) -> tuple[str, ...]:
    """The names of the classes 0, 1, … in classes.json, at least two distinct ones.

    Raises FileNotFoundError if there is no such file, ValueError if it is damaged.
    """
    path = Path(folder) / "classes.json"
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected the folder of a trained classifier")
    classes = tuple(read_json(path, [str]))
    if not 2 <= len(classes) == len(set(classes)):
        raise DamagedFile(f"{path}: it has {len(set(classes))} distinct names of classes in a list of {len(classes)}, "
                          f"expected at least two distinct ones")
    return classes
