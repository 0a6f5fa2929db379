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
    """Write the checkpoint of ``step`` and remove all but the last two. Returns its path."""
    folder = Path(folder)
    path = folder / f"step-{step:08d}.safetensors"
    write_weights(path, arrays, {"state": json.dumps(state)})
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink()
    for unfinished in folder.glob(".*.part"):               # left by a run that was killed while it wrote
        unfinished.unlink()
    return path


def load_checkpoint(path):
    """(arrays, state) from ``path``; a ValueError that names it when it is damaged."""
    try:
        arrays, metadata = read_weights(path)
        return arrays, json.loads(metadata["state"])
    except (ValueError, KeyError) as error:
        others = [other.name for other in checkpoints(Path(path).parent) if other != Path(path)]
        advice = f"; delete it to go on from {others[-1]}" if others else ""
        reason = "it holds no training state" if isinstance(error, KeyError) else error
        raise ValueError(f"checkpoint {path} cannot be used: {reason}{advice}") from None


def checkpoints(folder):
    """Paths of the checkpoints in ``folder``, oldest first."""
    return sorted(Path(folder).glob("step-*.safetensors"))
