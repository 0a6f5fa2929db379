"""Where runs are."""

from __future__ import annotations

from pathlib import Path


def newest_run():
    """The folder under runs/ whose model was written last."""
    models = sorted(Path("runs").glob("*/model.safetensors"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise FileNotFoundError("no trained model under runs/; run `tinyformer train` first, or name one with --model DIR")
    return models[-1].parent
