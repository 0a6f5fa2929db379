"""tinyformer train [RECIPE]"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    context: typer.Context,
    recipe: Annotated[Optional[str], typer.Argument(metavar="RECIPE", help="A recipe's name, or a .toml file. "
                                                                           "Default: pydocs-char.")] = None,
    out: Annotated[Optional[Path], typer.Option(metavar="DIR", file_okay=False,
                                                help="Where the run goes. Default: runs/RECIPE.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in DIR, with the recipe "
                                                          "there.")] = False,
    seeds: Annotated[Optional[int], typer.Option(metavar="N", min=2, help="Train N times from different seeds, in "
                                                                           "DIR/seed-…; mean and spread also stand in "
                                                                           "DIR/seeds.json.")] = None,
    folds: Annotated[Optional[int], typer.Option(metavar="K", min=3, help="Cross-validate a classifier: train K times, in "
                                                                           "DIR/fold-…, each tested on another part; mean "
                                                                           "and spread also stand in DIR/folds.json.")] = None,
    settings: Annotated[Optional[list[str]], typer.Option(
        "--set", metavar="section.key=value …",
        help="Change values of the recipe, such as train.max_steps=500 or data.corpus=path/to/file.txt.")] = None,
):
    """Train a model. By default a small GPT on Python's own documentation, in about a minute."""
    from ..train import RecipeError, load_recipe, train
    from ..train.locked import FolderLock
    from .console import finish_unread
    finish_unread()
    words = [word for word in (recipe, *context.args) if word is not None]
    settings = [*(settings or ()), *(word for word in words if "=" in word)]        # all but the first value after --set
    recipes = [word for word in words if "=" not in word]
    if len(recipes) > 1:
        raise RecipeError(f"got {len(recipes)} recipes, {' and '.join(recipes)}; expected one")
    recipe = recipes[0] if recipes else "pydocs-char"
    folder = out or Path("runs") / Path(recipe).stem
    started = folder / "recipe.toml"
    if resume and started.exists():
        chosen = load_recipe(started, settings)
        if recipes and load_recipe(recipe).name != chosen.name:
            raise RecipeError(f"{folder} holds a run of the recipe {chosen.name}, not of {recipe}; give it another --out")
    else:
        chosen = load_recipe(recipe, settings)
    if seeds or folds:
        with FolderLock(folder):
            several(chosen, folder, resume, seeds, folds)
        return
    result = train(chosen, folder, resume)
    if chosen.task.name == "language":
        from .generate import write
        from .runs import line_mark, open_run
        print("\na sample:\n")
        write(*open_run(folder), prompt=None, max_new_tokens=300, anew=line_mark(folder), temperature=0.8, rng=1)
    else:
        from .evaluate import evaluate
        from .report import show
        print()
        show(evaluate(folder))
    picture = f"\nloss curve  {folder / 'loss.png'}" * (folder / "loss.png").is_file()         # counting has no curve
    print(f"\ncheckpoint  {result.checkpoint}{picture}\n")
    for name, loss in {**result.baselines, "this model": result.val_loss}.items():
        print(f"{name:<12}{loss:.4f} {chosen.task.unit} on the same split")
    print(f"val loss {result.val_loss:.4f} (whole validation split) · {result.step} steps · {result.seconds:.0f} s · {folder}")


def several(recipe, folder, resume, seeds, folds):
    """The runs of one recipe from several seeds, or on several folds, and what they have come to."""
    from ..files import replace_file
    from ..train import RecipeError, scores, train
    from ..train.tasks import Labelled
    from .evaluate import evaluate, summary, task_of
    if seeds and folds:
        raise RecipeError("got --seeds and --folds; expected one of them")
    if folds and not issubclass(recipe.task, Labelled):
        raise RecipeError(f"--folds: {recipe.name} is no classifier")
    if seeds and recipe.model_class.trained_by_counting:
        raise RecipeError(f"--seeds: {recipe.name} is counted, so every seed ends with the same model")
    runs, headline, task = [], recipe.task.headline, None
    for n in range(1, (seeds or folds) + 1):
        run = copy.deepcopy(recipe)
        if seeds:
            run.train.seed = recipe.train.seed + n - 1
        else:
            run.data.folds, run.data.fold = folds, n
        place = folder / f"{'seed' if seeds else 'fold'}-{n}"
        train(run, place, resume)
        task = task if seeds and task else task_of(place)                               # seeds share data and baselines
        runs.append(evaluate(place, task))
        print(f"{place}: {headline} {headed(runs[-1], headline)}\n")
    spread = scores.spread([figures[headline] for figures in runs])
    replace_file(folder / f"{'seeds' if seeds else 'folds'}.json", json.dumps({"models": runs, headline: spread}, indent=1) + "\n")
    if headline == "val_loss":
        print(f"mean of {spread['n']} runs {spread['mean']:.4f} ± {spread['se']:.4f} (standard error)")
    else:                                                                               # a share of right answers
        print(summary(spread))


def headed(figures, headline):
    """The headline among ``figures``, its standard error where it has one, and the baseline's."""
    said = f"{figures[headline]:.4f}"
    if "standard_error" in figures:
        said += f" ± {figures['standard_error']:.4f}"
    if "baseline" in figures:
        said += f", {figures['baseline']} {figures['baseline_accuracy']:.4f} ± {figures['baseline_standard_error']:.4f}"
    return said
