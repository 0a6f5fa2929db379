"""The names of a classifier's classes, beside its model: ``classes.json``."""

from __future__ import annotations

import json
from pathlib import Path

from ..files import read_text, replace_file


def save_classes(folder, classes):
    """Write them."""
    replace_file(Path(folder) / "classes.json", json.dumps(list(classes), ensure_ascii=False) + "\n")


def load_classes(folder):
    """The names of labels 0, 1, …; FileNotFoundError where there are none, ValueError when they are damaged."""
    path = Path(folder) / "classes.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected the folder of a trained classifier")
    text = read_text(path)
    try:
        classes = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"{path}: expected a list of names")
    return tuple(classes)
