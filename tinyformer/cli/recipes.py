"""tinyformer recipes [NAME]"""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Optional
from collections.abc import Iterator

import typer


def command(
    name: Annotated[Optional[str], typer.Argument(
        metavar="NAME",
        help="Show every setting of this recipe: its value and what it means. "
             "A recipe's name, or a .toml file.")] = None,
) -> None:
    """List the recipes that `tinyformer train` can train. With NAME, show its settings.

    The minutes are for two cores, some of them estimated; 0 means unknown.
    """
    from ..train.recipe import FOLDER, load_recipe, names
    from .console import say
    if name is not None:
        show(load_recipe(name))
        return
    for task, recipes in itertools.groupby(sorted(map(load_recipe, names()), key=_task), _task):
        print(f"{task}\n")
        for recipe in recipes:
            say(f"{recipe.minutes:>5.1f} min  {recipe.name:<27}{recipe.about}")
        print()
    say("`tinyformer train NAME` trains one, `tinyformer recipes NAME` shows its settings. "
        f"Their files, to copy and change: {FOLDER}")


def _task(recipe: Any) -> str:
    return recipe.task.name


def show(recipe: Any) -> None:
    """Print what ``recipe`` trains, then each setting in the form of --set, with its meaning."""
    from .console import say
    say(f"{recipe.name}: {recipe.about}\n")
    rows = list(described(recipe))
    width = min(38, max(len(setting) for setting, _ in rows))
    for section, group in itertools.groupby(rows, lambda row: row[0].partition(".")[0]):
        print(f"[{section}]")
        for setting, meaning in group:
            say(f"{setting:<{width}}  {meaning}".rstrip())
        print()
    say(f"`tinyformer train {recipe.name} --set train.seed=2` changes a setting.")


def described(recipe: Any) -> Iterator[tuple[str, str]]:
    """("section.key=value", meaning) of every setting of the recipe's data, model and training."""
    from ..book.reference.settings import settings
    meanings = {"model.architecture": "The model. It can change to another model for the same task."}
    values = {"model.architecture": recipe.model["architecture"]}
    config = recipe.model_config(**dict.fromkeys(recipe.task.Sizes, 2))
    for section, holder in (("data", recipe.data), ("model", config), ("train", recipe.train),
                            ("privacy", recipe.privacy)):
        if section in ("train", "privacy") and recipe.model_class.trained_by_counting:
            continue
        for each in settings(type(holder)):
            if section != "model" or each.name not in recipe.task.Sizes:
                values[f"{section}.{each.name}"] = getattr(holder, each.name)
                meanings[f"{section}.{each.name}"] = each.meaning
    for key in sorted(values, key=lambda key: key.partition(".")[0]):
        value = values[key]
        shown = "" if value is None else str(value).lower() if isinstance(value, bool) else value
        yield f"{key}={shown}", meanings[key]
