"""Pictures of fairness: pairs of scores against the diagonal, and rates of groups with their intervals."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .figure import BLUE, GRAY, ORANGE, SERIES, label_axis, new_figure, save_figure
from .fonts import labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

RATES = {"selection_rate": "selection rate", "true_positive_rate": "true positive rate",
         "false_positive_rate": "false positive rate", "accuracy": "accuracy"}


def draw_pairs(first: ArrayLike, second: ArrayLike, path: str | os.PathLike[str] | None = None, *,
               names: tuple[str, str] = ("first word", "second word"), threshold: float = 0.5,
               title: str = "") -> Figure:
    """Draw each pair of scores as a point against the diagonal, and write the picture into the PNG file ``path``.

    A notebook displays the figure returned.

    first, second   scores (n,) of the same texts with the first and with the second word of each pair

    On the diagonal, the swap changes nothing. Triangles are pairs whose scores lie on different sides of the
    ``threshold``: the swap changes the label. ValueError for unequal lengths and for no pair.
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not x.size:
        raise ValueError(f"draw_pairs: got shapes {x.shape} and {y.shape}, expected one shape (n,), not empty")
    flips = (x > threshold) != (y > threshold)
    figure = new_figure(4.6, 4.4)
    axes = figure.add_subplot()
    low, high = min(x.min(), y.min(), 0.0), max(x.max(), y.max(), 1.0)
    axes.plot([low, high], [low, high], "--", color=GRAY, linewidth=1)
    axes.axhline(threshold, color=GRAY, linewidth=0.6)
    axes.axvline(threshold, color=GRAY, linewidth=0.6)
    for chosen, marker, color, name in ((~flips, "o", BLUE, "same label"), (flips, "^", ORANGE, "label changes")):
        axes.plot(x[chosen], y[chosen], marker, color=color, markersize=5, alpha=0.7,
                  label=f"{name}: {int(chosen.sum())}")
    axes.set(xlabel=f"score with the {names[0]}", ylabel=f"score with the {names[1]}", aspect="equal", title=title)
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    if path is not None:
        save_figure(figure, path)
    return figure


def draw_group_rates(metrics: Mapping[Any, Mapping[str, Any]], intervals: Mapping[Any, Mapping[str, Any]],
                     path: str | os.PathLike[str] | None = None, *, title: str = "") -> Figure:
    """Draw the rates of each group as points with their intervals, and write the picture into the PNG file ``path``.

    A notebook displays the figure returned.

    metrics, intervals      what ``fairness.group_metrics`` and ``fairness.group_intervals`` return

    ValueError unless both have the same groups, at least one.
    """
    if not metrics or metrics.keys() != intervals.keys():
        raise ValueError(f"draw_group_rates: groups {sorted(map(str, metrics))} and {sorted(map(str, intervals))}, "
                         f"expected the same groups, at least one")
    from matplotlib.font_manager import FontProperties
    groups = list(metrics)
    figure = new_figure(6.4, 1.0 + len(RATES) * (0.25 + 0.2 * len(groups)))
    axes = figure.add_subplot()
    for i, group in enumerate(groups):
        values = np.array([metrics[group][rate] for rate in RATES])
        low, high = np.array([intervals[group][rate] for rate in RATES]).T
        rows = np.arange(len(RATES)) + 0.6 * ((i + 0.5) / len(groups) - 0.5)
        axes.errorbar(values, rows, xerr=[np.maximum(values - low, 0), np.maximum(high - values, 0)],
                      fmt="osD^vPX"[i % 7], color=SERIES[i % len(SERIES)], capsize=3, markersize=5, label=str(group))
    label_axis(axes.yaxis, labels(list(RATES.values()), mark_spaces=False)[0])
    axes.set(xlim=(-0.02, 1.02), xlabel="rate, with its 95 % interval")
    figure.suptitle(title, fontsize=11)
    axes.invert_yaxis()
    legend = axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=min(3, len(groups)))
    drawn, _ = labels(map(str, groups), mark_spaces=False)
    for text, group, (name, font) in zip(legend.get_texts(), groups, drawn):
        text.set_text(f"{name} (n = {metrics[group]['count']:,})")
        text.set_parse_math(False)
        if font is not None:
            text.set_fontproperties(FontProperties(fname=font, size=text.get_fontsize()))
    axes.spines[["top", "right"]].set_visible(False)
    if path is not None:
        save_figure(figure, path)
    return figure
