"""Checkpoints: everything that a run needs to go on as if it had never stopped, in one file.

``checkpoints/step-00000250.safetensors`` holds the arrays of the model and the optimiser; its metadata holds the rest as
JSON: step, schedule, random states, seconds. One file is whole or absent, so there is no half of a checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..interop.weights import read_weights, write_weights

KEPT = 2


def save_checkpoint(folder, step, arrays, state):
    """Write the checkpoint of ``step`` and remove all but the last two."""
    folder = Path(folder)
    write_weights(folder / f"step-{step:08d}.safetensors", arrays, {"state": json.dumps(state)})
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink()


def load_checkpoint(path):
    """(arrays, state) from ``path``; a ValueError that names it when it is damaged."""
    path = Path(path)
    try:
        arrays, metadata = read_weights(path)
        return arrays, _state(path, metadata)
    except ValueError as error:
        others = [other.name for other in checkpoints(path.parent) if other != path]
        advice = f"delete it to go on from {others[-1]}" if others else "start anew without --resume"
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
    """Paths of the checkpoints in ``folder``, oldest first."""
    return sorted(Path(folder).glob("step-*.safetensors"))
