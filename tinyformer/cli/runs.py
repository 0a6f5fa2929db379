"""Where runs are, and what is in them."""

from __future__ import annotations

from pathlib import Path


def newest_run():
    """The folder under runs/ whose model was written last."""
    models = sorted(Path("runs").glob("*/model.safetensors"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise FileNotFoundError("no trained model under runs/; run `tinyformer train` first, or name one with --model DIR")
    return models[-1].parent


def open_run(folder):
    """(model, tokenizer) of the run in ``folder``."""
    from ..models import load_model
    from ..text import load_tokenizer
    model, tokenizer = load_model(folder), load_tokenizer(folder / "tokenizer.json")
    if tokenizer.vocab_size != model.config.vocab_size:
        raise ValueError(f"{folder / 'tokenizer.json'}: it has {tokenizer.vocab_size} tokens, expected "
                         f"{model.config.vocab_size}, those of the model in {folder / 'config.json'}")
    return model, tokenizer
