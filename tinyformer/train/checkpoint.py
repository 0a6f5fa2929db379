"""Checkpoints: everything that a training needs to continue as if it had never stopped, in one file.

``checkpoints/step-00000250.safetensors`` holds the arrays of the model and the optimizer. Its metadata holds the rest
as JSON: step, schedule, random states, seconds. A file is replaced as a whole, so there is no half of a checkpoint.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..interop.weights import read_weights, write_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = 2
NAME = re.compile(r"step-([0-9]{8,})\.safetensors")            # other files in the folder stay untouched


def write_checkpoint(path: str | Path, arrays: dict[str, NDArray[Any]], state: dict[str, Any]) -> None:
    """Write ``arrays`` and ``state``, values fit for JSON, into the file ``path``, which is replaced as a whole."""
    write_weights(path, arrays, {"state": json.dumps(state)})


def read_checkpoint(path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """(arrays, state) from the file ``path``. A ValueError that names it when it is damaged or no checkpoint."""
    arrays, metadata = read_weights(path)
    try:
        state = json.loads(metadata.get("state", ""))
    except ValueError:
        state = None
    if not isinstance(state, dict):
        raise ValueError(f"{path}: it holds no training state")
    return arrays, state


def save_checkpoint(folder: str | Path, step: int, arrays: dict[str, NDArray[Any]], state: dict[str, Any]) -> None:
    """Write the checkpoint of ``step`` in ``folder``, and remove those of earlier steps except for the last one."""
    write_checkpoint(Path(folder) / f"step-{step:08d}.safetensors", arrays, state)
    for old in [other for other in checkpoints(folder) if _step(other) < step][:1 - KEPT]:
        old.unlink()


def load_checkpoint(path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """(arrays, state) from ``path``.

    When it is damaged, a ValueError that names it and the checkpoint to continue from instead.
    """
    path = Path(path)
    try:
        return read_checkpoint(path)
    except ValueError as error:
        others = [other.name for other in checkpoints(path.parent) if other != path]
        advice = f"delete it to continue from {others[-1]}" if others else "start again without --resume"
        raise ValueError(f"cannot resume from {error}; {advice}") from None


def checkpoints(folder: str | Path) -> list[Path]:
    """Paths of the checkpoints in ``folder``, in the order of their steps."""
    found = Path(folder).iterdir() if Path(folder).is_dir() else ()
    return sorted((path for path in found if NAME.fullmatch(path.name) and path.is_file()), key=_step)


def _step(path: Path) -> int:
    return int(NAME.fullmatch(path.name)[1])                # type: ignore[index]
