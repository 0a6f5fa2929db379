"""Where runs are, and what is in them."""

from __future__ import annotations

from pathlib import Path


def newest_run(task=None):
    """The folder under runs/ (or in one of its folders) whose model, for ``task`` where that is given, was written last."""
    models = sorted(Path("runs").glob("**/model.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True)
    for model in models:
        if task is None or _task(model.parent) in (task, None):
            return model.parent
    kind, command = {"classification": ("classifier", "tinyformer train bow-movie"),
                     "masked": ("BERT", "tinyformer train bert-tiny"),
                     "translation": ("sequence-to-sequence model", "tinyformer train seq2seq-reverse")}.get(
        task, ("model", "tinyformer train"))
    raise FileNotFoundError(f"no trained {kind} under runs/; run `{command}` first, or name one with "
                            f"{'--run' if task == 'classification' else '--model'} DIR")


def _task(folder):
    """The task of the model in ``folder``; None where that cannot be told (opening it will say why)."""
    from ..models import model_class
    try:
        return model_class(folder).task
    except (OSError, ValueError):
        return None


def reads_lines(folder):
    """Whether the recipe in ``folder`` made the model read each line alone; a folder without one holds no such model."""
    from ..train import load_recipe
    path = folder / "recipe.toml"
    return path.is_file() and getattr(load_recipe(path).data, "lines", False)


def open_run(folder):
    """(model, tokenizer) of the run in ``folder``, a Path; None for the tokenizer of a model that reads no text."""
    from ..models import load_model
    from ..text import load_tokenizer
    model = load_model(folder)
    if not hasattr(model.config, "vocab_size"):
        return model, None
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    if tokenizer.vocab_size != model.config.vocab_size:
        raise ValueError(f"{folder / 'tokenizer.json'}: it has {tokenizer.vocab_size} tokens, expected "
                         f"{model.config.vocab_size}, those of the model in {folder / 'config.json'}")
    return model, tokenizer
