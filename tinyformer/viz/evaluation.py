"""A classifier's figures: which classes it confuses, and whether its probabilities can be trusted."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .figure import BLUE, GRAY, ORANGE, label_axis, new_figure, save_figure
from .fonts import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

CELL, NAME = 0.62, 0.09                 # inches: of a cell's side at most, and of a letter in the name of a class
LARGEST = 20.0                          # inches: of a matrix
SMALLEST, MOST = 4.0, 60  # points: smaller text cannot be read; classes: more than 3,600 numbers take seconds


def draw_confusion_matrix(matrix: ArrayLike, classes: Sequence[str], path: str | os.PathLike[str] | None = None,
                          title: str = "Confusion matrix") -> Figure:
    """Draw a confusion matrix, and write it into the PNG file ``path`` if there is one.

    A notebook displays the figure returned.

    matrix      (K, K); row i, column j has the number (or the share) of examples of class i that were predicted as
                class j, as ``train.scores.confusion_matrix`` returns it
    classes     the names of the K classes

    The picture shows a square for each pair of classes: true classes from top to bottom, predicted ones from left to
    right. The color is the share of the row, from white (0) to blue (1), and the number is the entry of ``matrix``. A
    perfect classifier has a blue diagonal. With many classes, the numbers and some of the names are left out.

    Raises ValueError for a matrix that is not (K, K), and for entries that are negative or not finite.
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(classes),) * 2 or not matrix.size:
        raise ValueError(f"draw_confusion_matrix: matrix has shape {matrix.shape}, expected ({len(classes)}, "
                         f"{len(classes)}) for {len(classes)} classes, at least one")
    if matrix.dtype.kind not in "iuf" or not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError("draw_confusion_matrix: matrix has entries that are not counts or shares, "
                         "expected finite numbers of at least 0")
    cell = min(CELL, LARGEST / len(classes))
    side = max(cell * len(classes), 1.8)
    names = NAME * min(24, max(len(str(name)) for name in classes))
    figure = new_figure(side + names + 1.0, side + (names if _turned(classes) else 0.2) + 1.0)
    axes = figure.add_subplot()
    _draw_confusion(axes, matrix, classes, side / len(classes))
    axes.set_title(title, fontsize=11)
    if path is not None:
        save_figure(figure, path)
    return figure


def _draw_confusion(axes: Axes, matrix: NDArray[Any], classes: Sequence[str], cell: float) -> None:
    """Draw a confusion matrix, whose cells are ``cell`` inches wide, on ``axes``."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    entries = [[f"{n:,}" if matrix.dtype.kind in "iu" else f"{n:.2f}" for n in row] for row in matrix]
    size = min(10.0, 0.7 * 72 * cell, 0.9 * 72 * cell / (0.62 * max(len(text) for row in entries for text in row)))
    if size >= SMALLEST and len(classes) <= MOST:
        for (true, predicted), share in np.ndenumerate(shares):     # in their cells: the layout is faster without them
            axes.text(predicted, true, entries[true][predicted], ha="center", va="center", fontsize=size,
                      in_layout=False, color="white" if share > 0.5 else "black")
    drawn, _ = labels([str(name) for name in classes], mark_spaces=False)
    size = min(10.0, 0.75 * 72 * cell)
    step = math.ceil(SMALLEST / size)
    axes.tick_params(length=0, labelsize=size * step)
    label_axis(axes.yaxis, drawn, step=step)
    label_axis(axes.xaxis, drawn, 90 if _turned(classes) else 0, step)
    axes.set(xlabel="predicted", ylabel="true")


def _turned(classes: Sequence[str]) -> bool:
    """Whether the names below the columns must be turned to fit."""
    return len(classes) > 2 and max(len(str(name)) for name in classes) > 5


def draw_evaluation(figures: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Draw the figures of a classifier, the result of its task's ``evaluate``, into the PNG file ``path``.

    The picture has three parts: the confusion matrix; the accuracy with its 95 % interval and the accuracies of the
    baselines, as bars; and the reliability curve, the share of right answers over the predicted probability, whose
    points are larger where there are more examples. A calibrated model lies on the dashed diagonal.
    """
    figure = new_figure(11, 3.7)
    matrix, bars, curve = figure.subplots(1, 3)
    confusion, classes = np.array(figures["confusion"]), figures["classes"]
    _draw_confusion(matrix, confusion, classes, 2.4 / len(classes))
    matrix.set_title(figures["kind"])

    rows = [("most frequent class", figures["most_frequent_class_accuracy"], GRAY),
            (figures["baseline"], figures["baseline_accuracy"], ORANGE), ("this model", figures["accuracy"], BLUE)]
    low, high = figures["confidence_interval"]
    for i, (name, value, color) in enumerate(rows):
        error = [[value - low], [high - value]] if name == "this model" else None
        bars.barh(i, value, color=color, xerr=error, capsize=3)
        inside = value > 0.2                                                    # where the bar has room for it
        bars.text(0.02 if inside else value + 0.02, i, f"{value:.1%}", va="center",
                  color="white" if inside else "black")
    bars.set(yticks=range(3), yticklabels=[name for name, *_ in rows], xlim=(0, 1),
             title="accuracy (line: 95 % interval)")

    bins = figures["reliability"]
    curve.plot([0, 1], [0, 1], "--", color=GRAY, linewidth=1)
    size = np.array([bin["count"] for bin in bins])
    predicted, right = ([bin[name] for bin in bins] for name in ("confidence", "accuracy"))
    curve.plot(predicted, right, color=BLUE)
    curve.scatter(predicted, right, s=10 + 150 * size / size.sum(), color=BLUE)
    curve.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="predicted probability", ylabel="share of right answers",
              title=f"reliability, error {figures['calibration_error']:.3f}")
    for axes in (bars, curve):
        axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)
