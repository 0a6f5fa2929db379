"""Named arrays in a file and back: the format is safetensors, which holds numbers and cannot run code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import plain_array
from .autograd import Tensor

if TYPE_CHECKING:
    from os import PathLike

    from .typing import Array

# How files begin that torch.save writes: a zip archive, or before version 1.6 a pickle.
PICKLES = (b"PK\x03\x04", b"\x80\x02")


def save(state: Mapping[str, Any], path: str | PathLike[str]) -> None:
    """Write ``state``, such as ``model.state_dict()``, to ``path``: arrays and tensors by name, whole or not at all.

    TypeError for anything else, such as a model or the nested state of an optimizer (``tinyformer.train`` saves runs
    with their optimizer).
    """
    if not isinstance(state, Mapping):
        advice = "; pass its state_dict()" if hasattr(state, "state_dict") else ""
        raise TypeError(f"save: expected {{name: array}}, not {type(state).__name__}{advice}")
    for name, value in state.items():
        if not isinstance(value, (Tensor, np.ndarray, np.generic, int, float)):
            raise TypeError(f"save: {name!r} is {type(value).__name__}, expected an array or a tensor")
    from .interop.weights import write_weights
    write_weights(path, {name: plain_array(f"save: {name}", value) for name, value in state.items()})


def load(path: str | PathLike[str]) -> dict[str, Array]:
    """{name: array} from a safetensors file, of ``save`` or of another program, for ``model.load_state_dict``.

    The arrays are copies that do not depend on the file. ValueError for a damaged file, and for a file of
    ``torch.save``: it is a pickle, which can run any code.
    """
    path = Path(path)
    if path.is_file():
        with open(path, "rb") as file:
            if file.read(4).startswith(PICKLES):
                raise ValueError(f"{path}: a pickle of torch.save, which can run any code and is not read; write it "
                                 f"with safetensors.torch.save_file(model.state_dict(), path)")
    from .interop.weights import read_weights
    return {name: np.array(array) for name, array in read_weights(path)[0].items()}
