"""One recipe trained several times: from different seeds, or on the folds of a cross-validation."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replace_file
from . import scores
from .evaluation import evaluate
from .locked import FolderLock
from .recipe import Recipe, RecipeError, check_recipe
from .run import train
from .saved_run import open_run
from .tasks import Labeled


def repeat(recipe: Recipe, folder: str | Path, *, seeds: int | None = None, folds: int | None = None,
           resume: bool = False, after_each: Callable[[Path, dict[str, Any]], None] | None = None) -> dict[str, Any]:
    """Train ``recipe`` several times and summarize: {"models": [the figures of each run], headline: mean and spread}.

    folder      gets the runs, in seed-1, seed-2, … or fold-1, fold-2, …, and the result, in seeds.json or folds.json
    seeds       N: train N times, from the recipe's seed and those after it
    folds       K: cross-validate a classifier; each of K parts is the test split once
    resume      continue runs that were interrupted
    after_each  called with the folder and the figures (``evaluate``) of each run when it has ended

    The headline is the task's: "accuracy" for a classifier, "val_loss" for a language model. Its entry has mean,
    standard deviation, standard error and number of runs (``scores.spread``).

    RecipeError unless exactly one of ``seeds`` and ``folds`` is given and suits the recipe; BlockingIOError when
    another process trains in ``folder``.
    """
    check_recipe("repeat", recipe)
    if (seeds is None) == (folds is None):
        got = "seeds and folds" if seeds else "neither seeds nor folds"
        raise RecipeError(f"got {got}; expected one of them")
    name, count, least = ("folds", folds, 2) if seeds is None else ("seeds", seeds, 1)
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < least:
        raise RecipeError(f"{name} is {count!r}, expected an integer of at least {least}")
    if folds and not issubclass(recipe.task, Labeled):
        raise RecipeError(f"folds: {recipe.name} is no classifier")
    if seeds and recipe.model_class.trained_by_counting:
        raise RecipeError(f"seeds: {recipe.name} is trained by counting, so every seed gives the same model")
    folder, what, headline = Path(folder), "seed" if seeds else "fold", recipe.task.headline
    runs, task = [], None
    with FolderLock(folder):
        for n in range(1, (seeds or folds or 0) + 1):
            run = copy.deepcopy(recipe)
            if seeds:
                run.train.seed = recipe.train.seed + n - 1
            else:
                run.data.folds, run.data.fold = folds, n
            place = folder / f"{what}-{n}"
            train(run, place, resume)
            run = open_run(place)
            task = task if seeds and task else run.task                         # seeds share data and baselines
            runs.append(evaluate(place, task))
            if after_each:
                after_each(place, runs[-1])
        figures = {"models": runs, headline: scores.spread([figures[headline] for figures in runs])}
        replace_file(folder / f"{what}s.json", json.dumps(figures, indent=1) + "\n")
    return figures
