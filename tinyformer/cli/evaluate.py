"""tinyformer evaluate [DIR …]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import numpy as np
import typer


def command(
    folders: Annotated[Optional[list[Path]], typer.Argument(
        metavar="DIR", help="A run's folder; several classifiers are compared. Default: the newest in runs/.")] = None,
    model: Annotated[Optional[Path], typer.Option(metavar="DIR", help="The same as DIR.")] = None,
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print one JSON object instead of a table: accuracy, f1, confusion, …")] = False,
    plot: Annotated[bool, typer.Option(
        "--plot", help="Draw a classifier's confusion matrix, accuracy and reliability into DIR/evaluation.png.")] = False,
):
    """Measure a trained model, and several beside each other.

    A language model on the whole validation split of its corpus: loss with its 95 % interval, perplexity, bits per character. A
    classifier on the test split of its set: accuracy with its standard error and 95 % interval, precision, recall, F1, confusion
    matrix, ROC-AUC, calibration. Either beside its baselines, with its size and speed; the figures are saved as
    DIR/evaluation.json.

    Several classifiers on the same set: the accuracy of each, McNemar's test of the first against each other, and, where they
    are runs of one recipe, mean and spread.
    """
    from .runs import newest_run
    folders = [*(folders or ()), *([model] if model else ())] or [newest_run()]
    if len(folders) > 1:
        if plot:
            raise ValueError(f"--plot: got {len(folders)} runs, expected one")
        compare(folders, as_json)
        return
    folder, = folders
    figures = evaluate(folder)
    if plot and "confusion" not in figures:
        raise ValueError(f"--plot: {folder} is no classifier; its picture is {folder / 'loss.png'}")
    if as_json:
        print(json.dumps(figures))
    else:
        from .report import show
        show(figures)
    if plot:
        from ..viz.evaluation import draw_evaluation
        draw_evaluation(figures, folder / "evaluation.png")
        if not as_json:
            print(f"\npicture             {folder / 'evaluation.png'}")


def evaluate(folder, task=None):
    """The figures of the run in ``folder``, which are also saved there. ``task``: of another run on the same data, whose
    baselines are known already."""
    from ..files import replace_file
    from .runs import open_run
    trained, _ = open_run(folder)
    figures = {"model": str(folder), **(task or task_of(folder, trained)).evaluate(trained)}
    replace_file(folder / "evaluation.json", json.dumps(figures, indent=1) + "\n")
    return figures


def task_of(folder, trained=None):
    """The task of a run, with its data as the recipe there names them. ValueError if it is not the task of the model ``trained``."""
    from ..train import load_recipe
    recipe = load_recipe(folder / "recipe.toml")
    if trained is not None and recipe.model_class is not type(trained):
        raise ValueError(f"{folder / 'recipe.toml'}: a recipe for a {recipe.model_class.__name__}, but the model in config.json is a "
                         f"{type(trained).__name__}; restore the recipe that trained it")
    return recipe.task(recipe.data, folder)


def compare(folders, as_json=False):
    """Several classifiers and the first one's baseline: each one's accuracy, the models' mean and spread, and McNemar's test of
    the first against each other."""
    from ..nn.argument_checks import check_finite
    from ..train import load_recipe, scores
    from ..train.tasks import Labelled
    from .runs import open_run
    rows, recipes, first, baseline = [], [], None, None

    def judged(name, right, x, **more):
        nonlocal first
        accuracy = float(right.mean())
        found = {"model": name, **more, "examples": len(right), "accuracy": accuracy,
                 "standard_error": scores.standard_error(accuracy, len(right))}
        if first is None:
            first = right, x
        elif len(right) == len(first[0]) and all(map(np.array_equal, x, first[1])):
            found["against_first"] = scores.mcnemar(first[0], right)
        return found

    for folder in folders:
        trained, _ = open_run(folder)
        task = task_of(folder, trained)
        if not isinstance(task, Labelled):
            raise ValueError(f"{folder}: a model of the task {task.name!r}; only classifiers can be compared")
        p = task.probabilities(trained, "test")
        check_finite(f"{folder}: the model's probabilities", p)
        right = p.argmax(axis=1) == task.test.y
        recipes.append(load_recipe(folder / "recipe.toml"))
        rows.append(judged(str(folder), right, task.test.x, recipe=recipes[-1].name))
        if baseline is None:
            baseline = judged(task.baseline, task.baseline_answers == task.test.y, task.test.x)
    for recipe in recipes:
        recipe.train.seed, recipe.data.fold = 0, 0
    figures = {"models": rows, "baseline": baseline}
    if all(recipe == recipes[0] for recipe in recipes):     # the mean of unlike models would say nothing
        figures["accuracy"] = scores.spread([row["accuracy"] for row in rows])
    if as_json:
        print(json.dumps(figures))
        return
    width = max(len(row["model"]) for row in (*rows, baseline)) + 2
    print(f"{'model':<{width}}accuracy  (standard error of the test)   against the first: right alone, p of McNemar's test")
    for i, row in enumerate((*rows, baseline)):
        test = row.get("against_first")
        against = f"{test['only_first']} : {test['only_second']}   p = {test['p_exact']:.3g}" if test else "on another test" * (i > 0)
        print(f"{row['model']:<{width}}{row['accuracy']:.2%}    ± {row['standard_error']:.2%}    {against}".rstrip())
    if "accuracy" in figures:
        print(summary(figures["accuracy"]))


def summary(spread):
    """The line of a mean of several runs."""
    return (f"mean of {spread['n']} runs {spread['mean']:.2%} ± {spread['se']:.2%} (standard error), "
            f"standard deviation {spread['sd']:.2%}")
