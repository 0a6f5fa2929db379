"""A classifier's figures: who is taken for whom, and whether its probabilities can be believed."""

from __future__ import annotations

import numpy as np

from .figure import BLUE, GREY, ORANGE, new_figure, save_figure


def draw_evaluation(figures, path):
    """Draw confusion matrix, accuracy beside its baselines, and reliability of a classifier's ``evaluate`` into a PNG file."""
    figure = new_figure(11, 3.7)
    matrix, bars, curve = figure.subplots(1, 3)
    confusion, classes = np.array(figures["confusion"]), figures["classes"]
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    matrix.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (true, predicted), n in np.ndenumerate(confusion):
        matrix.text(predicted, true, f"{n:,}", ha="center", va="center",
                    color="white" if shares[true, predicted] > 0.5 else "black")
    places = range(len(classes))
    matrix.set(xticks=places, yticks=places, xticklabels=classes, yticklabels=classes, xlabel="predicted", ylabel="true",
               title=figures["kind"])

    rows = [("commonest class", figures["commonest_class_accuracy"], GREY),
            (figures["baseline"], figures["baseline_accuracy"], ORANGE), ("this model", figures["accuracy"], BLUE)]
    low, high = figures["confidence_interval"]
    for i, (name, value, color) in enumerate(rows):
        error = [[value - low], [high - value]] if name == "this model" else None
        bars.barh(i, value, color=color, xerr=error, capsize=3)
        inside = value > 0.2                                                    # where the bar has room for it
        bars.text(0.02 if inside else value + 0.02, i, f"{value:.1%}", va="center", color="white" if inside else "black")
    bars.set(yticks=range(3), yticklabels=[name for name, *_ in rows], xlim=(0, 1), title="accuracy (line: 95 % interval)")

    bins = figures["reliability"]
    curve.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1)
    size = np.array([bin["count"] for bin in bins])
    said, true = ([bin[name] for bin in bins] for name in ("confidence", "accuracy"))
    curve.plot(said, true, color=BLUE)
    curve.scatter(said, true, s=10 + 150 * size / size.sum(), color=BLUE)
    curve.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="probability that it gave", ylabel="share that was right",
              title=f"reliability, error {figures['calibration_error']:.3f}")
    for axes in (bars, curve):
        axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)
