"""Where runs are, and what is in them."""

from __future__ import annotations

from contextlib import contextmanager
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
                            f"--model DIR")


def _task(folder):
    """The task of the model in ``folder``; None where that cannot be told (opening it will say why)."""
    from ..models import model_class
    try:
        return model_class(folder).task
    except (OSError, ValueError):
        return None


def line_mark(folder):
    """What stands between lines where the recipe in ``folder`` made the model read each alone; else None, as without a recipe."""
    from ..data.lines import END
    from ..train import load_recipe
    path = folder / "recipe.toml"
    return END if path.is_file() and getattr(load_recipe(path).data, "lines", False) else None


def trained_on_unknown(folder):
    """Whether the recipe in ``folder`` made symbols unknown in training, so that the model learned to copy what it does not know.
    True without a recipe: nothing says that it did not."""
    from ..train import load_recipe
    path = folder / "recipe.toml"
    return not path.is_file() or getattr(load_recipe(path).data, "unknown", 1) > 0


def published_folder(model):
    """The folder ``model``, or that of the published one of this name. What is large is fetched when it is asked for, not by
    the way."""
    from ..data import SETS, cached, card, fetch
    if (name := str(model)) not in SETS or model.is_dir():
        return model
    if not cached(name):
        raise FileNotFoundError(f"{name} has not been fetched yet; `tinyformer data fetch {name}` downloads it "
                                f"({card(name).package.megabytes})")
    return fetch(name)


def open_run(folder):
    """(model, tokenizer) of the run in ``folder``, a Path; None for the tokenizer of a model that reads no text.

    A published model may have room for more tokens than there are: rows that fill its matrix up to a round number.
    """
    from ..models import load_model
    from ..text import PublishedBPE, load_tokenizer
    model = load_model(folder)
    if not hasattr(model.config, "vocab_size"):
        return model, None
    tokenizer = load_tokenizer(folder)
    room, V = model.config.vocab_size, tokenizer.vocab_size
    if V > room or V < room and not isinstance(tokenizer, PublishedBPE):
        raise ValueError(f"{folder}: its tokenizer has {V} tokens, expected {room}, those of the model in "
                         f"{folder / 'config.json'}")
    return model, tokenizer


def check_length(ids, model, folder):
    """A ValueError unless ``ids``, a text's tokens, are 1 to as many as the model reads at once."""
    most = model.config.block_size
    if not 1 <= len(ids) <= most:
        raise ValueError(f"the text has {len(ids)} token{'s' * (len(ids) != 1)}, expected 1 to {most}: the model in {folder} "
                         f"reads no more at once")


def last_tokens(folder, vocab_size):
    """The ids that end a text, where generation_config.json in ``folder``, or else config.json, names one or several. The
    other settings of generation_config.json are left aside: the command's options say how tokens are chosen."""
    from ..interop.published import read_config
    name = "generation_config.json"
    found = read_config(folder, name).get("eos_token_id") if (folder / name).exists() else None
    if found is None:
        name = "config.json"
        found = read_config(folder).get("eos_token_id")
    ids = found if isinstance(found, list) else [] if found is None else [found]
    for id in ids:
        if type(id) is not int or not 0 <= id < vocab_size:
            raise ValueError(f"{folder / name}: eos_token_id is {found!r}, expected 0…{vocab_size - 1}")
    return ids


@contextmanager
def naming(folder):
    """``with naming(folder):`` an error that a model raises says which one it was."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
