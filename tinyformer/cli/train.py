"""tinyformer train [RECIPE]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    from ..train import Recipe


def command(
    context: typer.Context,
    recipe: Annotated[Optional[str], typer.Argument(
        metavar="RECIPE", help="The name of a recipe, or a .toml file. Default: pydocs-char.")] = None,
    out: Annotated[Optional[Path], typer.Option(
        metavar="DIR", file_okay=False, help="The folder of the run. Default: runs/RECIPE.")] = None,
    resume: Annotated[bool, typer.Option(
        "--resume", help="Continue from the last checkpoint in DIR, with the recipe there.")] = False,
    seeds: Annotated[Optional[int], typer.Option(
        metavar="N", min=2,
        help="Train N times from different seeds, in DIR/seed-…. "
             "Mean and spread are also written to DIR/seeds.json.")] = None,
    folds: Annotated[Optional[int], typer.Option(
        metavar="K", min=3,
        help="Cross-validate a classifier: train K times, in DIR/fold-…, with a different test split each time. "
             "Mean and spread are also written to DIR/folds.json.")] = None,
    settings: Annotated[Optional[list[str]], typer.Option(
        "--set", metavar="section.key=value …",
        help="Change settings of the recipe, such as train.max_steps=500 or data.corpus=path/to/file.txt. "
             "`tinyformer recipes RECIPE` lists all settings.")] = None,
) -> None:
    """Train a model. By default a small GPT on Python's own documentation, in about a minute."""
    from ..train import RecipeError, load_recipe, repeat
    from .console import finish_unread
    finish_unread()
    words = [word for word in (recipe, *context.args) if word is not None]
    settings = [*(settings or ()), *(word for word in words if "=" in word)]    # all but the first after --set
    recipes = [word for word in words if "=" not in word]
    if len(recipes) > 1:
        raise RecipeError(f"got {len(recipes)} recipes, {' and '.join(recipes)}; expected one")
    recipe = recipes[0] if recipes else "pydocs-char"
    folder = out or Path("runs") / Path(recipe).stem
    started = folder / "recipe.toml"
    if resume and started.exists():
        chosen = load_recipe(started, settings)
        if recipes and load_recipe(recipe).name != chosen.name:
            raise RecipeError(f"{folder} holds a run of the recipe {chosen.name}, "
                              f"not of {recipe}; give it another --out")
    else:
        chosen = load_recipe(recipe, settings)
    if seeds or folds:
        headline = chosen.task.headline
        figures = repeat(chosen, folder, seeds=seeds, folds=folds, resume=resume, after_each=lambda place, found: print(
            f"{place}: {headline} {headed(found, headline)}\n"))
        show_spread(figures, headline)
    else:
        once(chosen, folder, resume)


def once(recipe: Recipe, folder: Path, resume: bool) -> None:
    """Train ``recipe`` and show the result.

    That is a sample of text or the evaluation, the files, and the loss next to the baselines.
    """
    from ..train import evaluate, open_run, train
    from ..train.private import in_words
    from .generate import write
    from .report import show
    result = train(recipe, folder, resume)
    if recipe.task.name == "language":
        run = open_run(folder)
        print("\na sample:\n")
        write(run, prompt=None, max_new_tokens=300, temperature=0.8, rng=1)
    else:
        print()
        show(evaluate(folder))
    picture = f"\nloss curve  {folder / 'loss.png'}" * (folder / "loss.png").is_file()         # counting has no curve
    print(f"\ncheckpoint  {result.checkpoint}{picture}\n")
    losses = {**result.baselines, "this model": result.val_loss}
    width = max(map(len, losses)) + 2
    for name, loss in losses.items():
        print(f"{name:<{width}}{loss:.4f} {recipe.task.unit} on the same split")
    print(f"val loss {result.val_loss:.4f} (whole validation split) · "
          f"{result.step} steps · {result.seconds:.0f} s · {folder}")
    if result.privacy:
        print(in_words(result.privacy))


def show_spread(figures: dict[str, Any], headline: str) -> None:
    """Print the mean and spread of several runs."""
    from .report import summary
    spread = figures[headline]
    if headline in ("accuracy", "exact_match"):             # a share of right answers
        print(summary(spread))
    else:
        print(f"mean of {spread['n']} runs {spread['mean']:.4f} ± {spread['se']:.4f} (standard error)")


def headed(figures: dict[str, Any], headline: str) -> str:
    """The headline among ``figures``, its standard error where it has one, and the baseline's."""
    said = f"{figures[headline]:.4f}"
    if "standard_error" in figures:
        said += f" ± {figures['standard_error']:.4f}"
    if "baseline" in figures:
        said += f", {figures['baseline']} {figures['baseline_accuracy']:.4f} ± {figures['baseline_standard_error']:.4f}"
    return said
