"""Checkpoints: everything that a run needs to go on as if it had never stopped, in one file.

``checkpoints/step-00000250.safetensors`` holds the arrays of the model and the optimiser; its metadata holds the rest as
JSON: step, schedule, random states, seconds. One file is whole or absent, so there is no half of a checkpoint.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..interop.weights import read_weights, write_weights

KEPT = 2
NAME = re.compile(r"step-([0-9]{8,})\.safetensors")            # only these are ours: other files in the folder stay untouched


def save_checkpoint(folder, step, arrays, state):
    """Write the checkpoint of ``step``, and remove those of earlier steps except for the last one."""
    path = Path(folder) / f"step-{step:08d}.safetensors"
    write_weights(path, arrays, {"state": json.dumps(state)})
    for old in [other for other in checkpoints(folder) if _step(other) < step][:1 - KEPT]:
        old.unlink()


def load_checkpoint(path):
    """(arrays, state) from ``path``; a ValueError that names it when it is damaged."""
    path = Path(path)
    try:
        arrays, metadata = read_weights(path)
        return arrays, _state(path, metadata)
    except ValueError as error:
        others = [other.name for other in checkpoints(path.parent) if other != path]
        advice = f"delete it to go on from {others[-1]}" if others else "start again without --resume"
        raise ValueError(f"cannot resume from {error}; {advice}") from None


def _state(path, metadata):
    try:
        state = json.loads(metadata.get("state", ""))
    except ValueError:
        state = None
    if not isinstance(state, dict):
        raise ValueError(f"{path}: it holds no training state")
    return state


def checkpoints(folder):
    """Paths of the checkpoints in ``folder``, in the order of their steps."""
    found = Path(folder).iterdir() if Path(folder).is_dir() else ()
    return sorted((path for path in found if NAME.fullmatch(path.name) and path.is_file()), key=_step)


def _step(path):
    return int(NAME.fullmatch(path.name)[1])
