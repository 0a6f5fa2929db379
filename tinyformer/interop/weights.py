"""Named arrays in a safetensors file. Nothing is ever unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..files import replace_file


def write_weights(path, arrays, metadata=None):
    """Write {name: array} and {name: text} to ``path``, whole or not at all."""
    replace_file(path, save({name: np.asarray(array, order="C") for name, array in arrays.items()}, metadata))


def read_weights(path):
    """({name: array}, {name: text}) from ``path``. A damaged file is a ValueError that names it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected weights in the safetensors format")
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except (SafetensorError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: damaged or not a safetensors file ({error})") from None
