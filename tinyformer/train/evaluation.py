"""How good are trained models? The figures of one, and several compared on the same data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import replace_file
from ..nn.argument_checks import check_finite
from . import scores
from .private import saved_figures
from .saved_run import load_task, open_run
from .tasks import Labeled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .tasks import Task


def evaluate(folder: str | Path, task: Task | None = None, save: bool = True) -> dict[str, Any]:
    """{name: figure} of the trained model in ``folder`` on its test or validation split.

        language model  "val_loss" (nats per token) with its interval, "perplexity", "bits_per_token", …
        classifier      "accuracy" with its standard error and interval, "f1", "confusion", "roc_auc", …
        all             "model" (the folder), "parameters", "megabytes", the speed, and the figures of the baselines
        private         "privacy": ε, δ and what they follow from

    task    the data, if you have loaded them already, as ``open_run(folder).task``; runs on the same data can share it
    save    write the figures to evaluation.json in ``folder``, too
    """
    folder = Path(folder)
    model = open_run(folder).model
    figures = {"model": str(folder), **(task or load_task(folder, model)).evaluate(model)}
    if private := saved_figures(folder):
        figures["privacy"] = private
    if save:
        replace_file(folder / "evaluation.json", json.dumps(figures, indent=1) + "\n")
    return figures


def compare(folders: Sequence[str | Path]) -> dict[str, Any]:
    """Compare the classifiers in ``folders`` on their test splits, and the baseline of the first.

        "models"    for each folder {"model", "recipe", "examples", "accuracy", "standard_error", "against_first"}; last
                    is McNemar's test against the first model (``scores.mcnemar``), absent where the test split is
                    another one
        "baseline"  the same for the baseline of the first model
        "accuracy"  mean and spread over the runs (``scores.spread``), if they differ in nothing but seed and fold

    ValueError for a model that is no classifier, and without folders; TypeError for one path instead of several.
    """
    if isinstance(folders, (str, Path)):
        raise TypeError(f"compare: folders is {str(folders)!r}, expected a list of folders")
    if not folders:
        raise ValueError("compare: folders is empty, expected at least one folder")
    rows, recipes, first, baseline = [], [], None, None
    for folder in map(Path, folders):
        run = open_run(folder)
        model, task = run.model, run.task
        if not isinstance(task, Labeled):
            raise ValueError(f"{folder}: a model of the task {task.name!r}; only classifiers can be compared")
        p = task.probabilities(model, "test")
        check_finite(f"{folder}: the model's probabilities", p)
        right = p.argmax(axis=1) == task.test.y
        recipes.append(run.recipe)
        rows.append({"model": str(folder), "recipe": recipes[-1].name, **_judged(right, task.test.x, first)})
        first = first or (right, task.test.x)
        baseline = baseline or {"model": task.baseline,
                                **_judged(task.baseline_answers == task.test.y, task.test.x, first)}
    for recipe in recipes:
        recipe.train.seed, recipe.data.fold = 0, 0
    figures = {"models": rows, "baseline": baseline}
    if all(recipe == recipes[0] for recipe in recipes):     # the mean of unlike models would say nothing
        figures["accuracy"] = scores.spread([row["accuracy"] for row in rows])
    return figures


def _judged(right: NDArray[np.bool_], x: Any, first: tuple[NDArray[np.bool_], Any] | None) -> dict[str, Any]:
    """The figures of one model on ``x``, with the right answers ``right`` (N,).

    They include its test against the ``first`` (right, x).
    """
    accuracy = float(right.mean())
    found = {"examples": len(right), "accuracy": accuracy,
             "standard_error": scores.standard_error(accuracy, len(right))}
    if first is not None and len(right) == len(first[0]) and all(map(np.array_equal, x, first[1])):
        found["against_first"] = scores.mcnemar(first[0], right)
    return found
