"""tinyformer evaluate [DIR …]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer


def command(
    folders: Annotated[Optional[list[Path]], typer.Argument(
        metavar="DIR",
        help="The folder of a run. Several classifiers are compared. Default: the newest run in runs/.")] = None,
    model: Annotated[Optional[Path], typer.Option(metavar="DIR", help="The same as DIR.")] = None,
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print one JSON object instead of a table: accuracy, f1, confusion, …")] = False,
    plot: Annotated[bool, typer.Option(
        "--plot",
        help="Draw into DIR/evaluation.png: the confusion matrix, accuracy and reliability of a classifier; or "
             "samples, each above the nearest training picture.")] = False,
    explanations: Annotated[bool, typer.Option(
        "--explanations",
        help="Measure attributions instead: areas under deletion and insertion curves, and the sanity check with "
             "random weights.")] = False,
) -> None:
    """Measure a trained model, or compare several.

    A language model is measured on the whole validation split of its corpus: loss with its 95 % interval, perplexity,
    bits per character. A classifier is measured on the test split of its data set: accuracy with its standard error and
    95 % interval, precision, recall, F1, confusion matrix, ROC-AUC, calibration. A model that generates pictures is
    measured on the test split, and a classifier judges its samples. The figures include baselines, size and speed. They
    are saved as DIR/evaluation.json.

    Several classifiers on the same data set: the accuracy of each and McNemar's test of the first against each of
    the others. If they are runs of one recipe, also mean and spread.

    With --explanations, for classifiers of pictures, and of texts that read tokens in order: how early the probability
    of the predicted class falls when the words or pixels with the largest attributions are removed, compared with
    random orders and attention.
    """
    from ..train import compare, evaluate, open_run
    from .report import show, show_comparison, show_explanations
    from .runs import newest_run
    named = [*(folders or ()), *([model] if model else ())]
    if explanations:
        if plot:
            raise ValueError("--plot: --explanations draws no picture; give one of the two")
        from ..train.explanation_scores import evaluate_explanations
        measured = [evaluate_explanations(folder) for folder in named or [newest_run("classification", "pictures")]]
        _print(measured[0] if len(measured) == 1 else {"models": measured}, as_json, show_explanations)
        return
    folders = named or [newest_run()]
    if len(folders) > 1:
        if plot:
            raise ValueError(f"--plot: got {len(folders)} runs, expected one")
        _print(compare(folders), as_json, show_comparison)
        return
    folder, = folders
    figures = evaluate(folder)
    if plot and "confusion" not in figures and "nearest_distance" not in figures:
        raise ValueError(f"--plot: {folder} is no classifier; "
                         f"its picture is {folder / 'loss.png'}")
    _print(figures, as_json, show)
    if plot and "confusion" in figures:
        from ..viz.evaluation import draw_evaluation
        draw_evaluation(figures, folder / "evaluation.png")
    elif plot:
        run = open_run(folder)
        run.task.draw(run.model, folder / "evaluation.png")
    if plot:
        if not as_json:
            print(f"\npicture             {folder / 'evaluation.png'}")


def _print(figures: dict[str, Any], as_json: bool, show: Any) -> None:
    if as_json:
        print(json.dumps(figures))
    else:
        show(figures)
