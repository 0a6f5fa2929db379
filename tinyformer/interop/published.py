"""Folders of published models: config.json, and the weights in one file or in several with an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import read_json
from ..nn.module import as_array
from .weights import HEADER_LIMIT, read_weights

if TYPE_CHECKING:
    from os import PathLike

    from ..typing import Array

ONE, INDEX = "model.safetensors", "model.safetensors.index.json"


def read_config(folder: str | PathLike[str], name: str = "config.json") -> dict[str, Any]:
    """The fields of config.json in ``folder``, or of another of its JSON files.

    Raises FileNotFoundError for a missing file, ValueError for one that is not a JSON object.
    """
    return _read_object(Path(folder) / name, "expected the folder of a trained model")


def weights_file(folder: str | PathLike[str]) -> Path:
    """The file from which to read the weights in ``folder``: ``model.safetensors``, or the index of several files.

    Raises FileNotFoundError if there are only pickles, which can run any code.
    """
    one, index = Path(folder) / ONE, Path(folder) / INDEX
    if one.is_file():
        return one
    pickles = sorted(path.name for path in Path(folder).glob("*") if path.suffix in (".bin", ".pt", ".pth"))
    if pickles and not index.is_file():
        raise FileNotFoundError(f"{one}: no such file; "
                                f"{pickles[0]} is a pickle, which can run any code and is not read")
    return index if index.is_file() else one


def read_state(path: str | PathLike[str]) -> dict[str, Array]:
    """{name: array} from a safetensors file, or from all files that the index at ``path`` names.

    The arrays are mapped from the files; see ``weights.read_weights``, also for the errors.
    """
    path = Path(path)
    if path.name != INDEX:
        return read_weights(path)[0]
    where = _read_object(path, "expected the index of several safetensors files").get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(file, str) and file == Path(file).name
                                              for file in where.values()):
        raise ValueError(f"{path}: its weight_map is not an object of file names")
    state, shards = {}, {}
    for name, file in where.items():
        shard = path.parent / file
        if file not in shards:
            if not shard.is_file():
                raise FileNotFoundError(f"{shard}: no such file; {INDEX} says that it holds {name} "
                                        f"and {sum(other == file for other in where.values()) - 1} other tensors")
            shards[file] = read_weights(shard)[0]
        if name not in shards[file]:
            raise ValueError(f"{shard}: it has no tensor {name!r}, which {INDEX} expects there")
        state[name] = shards[file][name]
    return state


def _read_object(path, otherwise):
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; {otherwise}")
    if path.stat().st_size > HEADER_LIMIT:
        raise ValueError(f"{path}: it has {path.stat().st_size:,} bytes, expected at most {HEADER_LIMIT:,}")
    return read_json(path, dict)


def meet(state: Mapping[str, Any], own: Iterable[str], *prefixes: str) -> dict[str, Any]:
    """``state``, where removing or adding one of ``prefixes`` turns a name into one that ``own`` has."""
    def met(name):
        if name not in own:
            bare = next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), name)
            for other in (bare, *(prefix + bare for prefix in prefixes)):
                if other in own:
                    return other
        return name

    return {met(name): array for name, array in state.items()}


def tied(state: Mapping[str, Any], name: str, first: str) -> Mapping[str, Any]:
    """``state`` without ``name``, a second name of the array ``first``. ValueError if the two arrays differ."""
    if name not in state:
        return state
    if first in state and not np.array_equal(as_array(state[name]), as_array(state[first])):
        raise ValueError(f"{name} differs from {first}, but config.json says that one array serves as both")
    return {other: array for other, array in state.items() if other != name}
