"""A trained model in its folder, with everything that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import SETS, cached, card, fetch
from ..data.lines import END
from ..interop.published import read_config
from ..models import load_model
from ..text import PublishedBPE, load_tokenizer
from .metrics import read_metrics
from .recipe import Recipe, load_recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.pretrained import Pretrained
    from ..text.base import Tokenizer
    from .tasks import Task


@dataclass
class SavedRun:
    """What ``open_run`` finds in a folder. The parts below ``tokenizer`` are read when you first ask for them.

    folder      where it is
    model       in evaluation mode
    tokenizer   None for a model that reads no text
    recipe      how it was trained; None for a published model, which has no recipe.toml
    task        the data of the recipe, split: ``run.task.train``, ``run.task.validation``, …
    metrics     [{"step": 1, "train_loss": …, "val_loss": None or …, …}]
    """

    folder: Path
    model: Pretrained
    tokenizer: Tokenizer | None

    @cached_property
    def recipe(self) -> Recipe | None:
        """How the model was trained; None without a recipe.toml."""
        path = self.folder / "recipe.toml"
        return load_recipe(path) if path.exists() else None

    @cached_property
    def task(self) -> Task:
        """The data of the recipe, split as in training. RecipeError without a recipe."""
        return load_task(self.folder, self.model)

    @property
    def line_mark(self) -> str | None:
        """The character between lines, if the model read each line of its text separately in training; else None."""
        return END if self.recipe and getattr(self.recipe.data, "lines", False) else None

    @property
    def trained_on_unknown(self) -> bool:
        """Whether some symbols were unknown in training, so that the model learned to copy unknown ones.

        True without a recipe, since nothing says otherwise.
        """
        return self.recipe is None or getattr(self.recipe.data, "unknown", 1) > 0

    @cached_property
    def end_ids(self) -> list[int]:
        """The ids that end a text; [] if there are none.

        They are "eos_token_id" of generation_config.json, or else of config.json.

        ValueError for one outside of the vocabulary. Other settings in generation_config.json are not used.
        """
        found, source = None, ""
        for name in ("generation_config.json", "config.json"):
            if found is None and (self.folder / name).exists():
                found, source = read_config(self.folder, name).get("eos_token_id"), name
        ids = found if isinstance(found, list) else [] if found is None else [found]
        for id in ids:
            if type(id) is not int or not 0 <= id < self.tokenizer.vocab_size:
                raise ValueError(f"{self.folder / source}: eos_token_id is {found!r}, expected "
                                 f"0…{self.tokenizer.vocab_size - 1}")
        return ids

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """A record for each step of the training; [] where no steps were recorded."""
        return read_metrics(self.folder / "metrics.jsonl")


def open_run(folder: str | Path) -> SavedRun:
    """The trained or published model in ``folder``, with its tokenizer, recipe, data and metrics.

    folder      a folder, or the name of a published model that was fetched, such as "minilm"

    >>> run = open_run("runs/pydocs-char")
    >>> generate(run.model, run.tokenizer.encode("def "), 100)

    ValueError if the tokenizer does not fit the model; OSError or ValueError, which name the file, for missing or
    damaged files. A published model may have more rows in its embedding than there are tokens, up to a round number.
    """
    folder = model_folder(folder)
    model = load_model(folder)
    if not hasattr(model.config, "vocab_size"):
        return SavedRun(folder, model, None)
    tokenizer = load_tokenizer(folder)
    room, V = model.config.vocab_size, tokenizer.vocab_size
    if V > room or V < room and not isinstance(tokenizer, PublishedBPE):
        raise ValueError(f"{folder}: its tokenizer has {V} tokens, "
                         f"expected {room}, those of the model in {folder / 'config.json'}")
    return SavedRun(folder, model, tokenizer)


def check_length(ids: NDArray[Any], model: Pretrained, folder: Path) -> None:
    """ValueError unless a text has at least 1 token and at most as many as the model reads at once."""
    most = model.config.block_size
    if not 1 <= len(ids) <= most:
        raise ValueError(f"the text has {len(ids)} token{'s' * (len(ids) != 1)}, expected 1 to {most}: the model in "
                         f"{folder} reads no longer text")


def load_task(folder: str | Path, model: Pretrained) -> Task:
    """The data that the recipe in ``folder`` names, split as in training and read with the tokenizer in ``folder``.

    ValueError if it is not a recipe for ``model``.
    """
    folder = Path(folder)
    recipe = load_recipe(folder / "recipe.toml")
    if recipe.model_class is not type(model):
        raise ValueError(f"{folder / 'recipe.toml'}: a recipe for a {recipe.model_class.__name__}, but the model in "
                         f"config.json is a {type(model).__name__}; restore the recipe that trained it")
    return recipe.task(recipe.data, folder)


def model_folder(name: str | Path) -> Path:
    """The folder ``name``, or that of the published model with this name.

    FileNotFoundError, which says how to fetch it, if the model has not been fetched: large files are downloaded
    only when you ask for them.
    """
    if str(name) not in SETS or Path(name).is_dir():
        return Path(name)
    name = str(name)
    if not cached(name):
        raise FileNotFoundError(f"{name} has not been fetched yet; `tinyformer data fetch {name}` downloads it "
                                f"({card(name).package.megabytes})")
    return fetch(name)
