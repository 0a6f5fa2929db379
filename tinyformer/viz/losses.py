"""Loss curves of one run and of several."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .figure import BLUE, GRAY, ORANGE, SERIES, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


def draw_losses(records: Sequence[Mapping[str, Any]], path: str | os.PathLike[str], title: str,
                levels: Mapping[str, float] | None = None, final: tuple[int, float] | None = None,
                ylabel: str = "cross-entropy (nats per token)") -> None:
    """Draw the metrics of a run into the PNG file ``path``.

    ``losses_figure`` explains the arguments and the picture.
    """
    save_figure(losses_figure(records, title, levels, final, ylabel), path)


def losses_figure(records: Sequence[Mapping[str, Any]], title: str, levels: Mapping[str, float] | None = None,
                  final: tuple[int, float] | None = None, ylabel: str = "cross-entropy (nats per token)") -> Figure:
    """A matplotlib figure of the metrics of a run: the loss over the steps.

    records     a list of {"step", "train_loss", "val_loss" (or None)}, as ``train.metrics.read_metrics`` returns it
    levels      {name: loss} drawn as horizontal dashed lines, such as baselines
    final       (step, loss) whose value is written next to its point, such as the loss on the whole validation split
    ylabel      the loss and its unit

    A thin blue line is the training loss, a thick one its moving average; orange points are the validation loss.
    """
    figure = new_figure(7, 4.2)
    axes = figure.add_subplot()
    step = np.array([record["step"] for record in records])
    loss = np.array([record["train_loss"] for record in records])
    axes.plot(step, loss, color=BLUE, alpha=0.25, linewidth=0.8)
    axes.plot(step, smooth(loss, max(1, len(loss) // 50)), color=BLUE, label="training, smoothed")
    measured = [(record["step"], record["val_loss"]) for record in records if record["val_loss"] is not None]
    if measured:
        axes.plot(*zip(*measured), "o-", color=ORANGE, markersize=4, label="validation")
    if final is not None:
        axes.annotate(f"{final[1]:.3f}", final, xytext=(0, 8), textcoords="offset points", ha="right", color=ORANGE)
    axes.set(xlabel="step", ylabel=ylabel, title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    _draw_levels(axes, levels or {})
    return figure


def _draw_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """Dashed lines at ``levels``, with names to the right of the axes, where there are no curves.

    Names that would overlap move apart.
    """
    for level in levels.values():
        axes.axhline(level, color=GRAY, linestyle="--", linewidth=1)
    low, high = axes.get_ylim()
    apart, place = (high - low) / 20, low - high
    for name, level in sorted(levels.items(), key=lambda item: item[1]):
        place = max(place + apart, level)
        axes.annotate(f"{name} {level:.2f}", (1, place), xycoords=axes.get_yaxis_transform(), xytext=(4, 0),
                      textcoords="offset points", ha="left", va="center", color=GRAY, fontsize=9)


def draw_runs(runs: Mapping[str, Sequence[Mapping[str, Any]]], path: str | os.PathLike[str], title: str = "Loss curves",
              unit: str = "nats per token") -> None:
    """Draw the metrics of several runs, {name: records}, in one picture, into the PNG file ``path``.

    A thin line is a run's training loss, smoothed; a thick line with points is its validation loss, whose lowest value
    is in the legend. Raises ValueError if there is no run, or a run without steps.
    """
    empty = [name for name, records in runs.items() if not records]
    if not runs or empty:
        found = f"{', '.join(empty)} has none" if empty else "there is no run"
        raise ValueError(f"draw_runs: expected runs with at least one step each, but {found}")
    figure = new_figure(8, 4.8)
    axes = figure.add_subplot()
    for i, (name, records) in enumerate(runs.items()):
        style = {"color": SERIES[i % len(SERIES)], "linestyle": ("-", "--", ":", "-.")[i // len(SERIES) % 4]}
        loss = np.array([record["train_loss"] for record in records])
        measured = [(record["step"], record["val_loss"]) for record in records if record["val_loss"] is not None]
        label = f"{name}, lowest {min(value for _, value in measured):.3f}" if measured else f"{name}, not measured"
        axes.plot([record["step"] for record in records], smooth(loss, max(1, len(loss) // 50)), **style, linewidth=0.8,
                  alpha=0.6, label=None if measured else label)
        if measured:
            axes.plot(*zip(*measured), marker="o", markersize=3, **style, label=label)
    axes.set(xlabel="step", ylabel=f"cross-entropy ({unit})", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, title="thick: validation; thin: training, smoothed", title_fontsize=9)
    save_figure(figure, path)


def smooth(values: NDArray[Any], width: int) -> NDArray[Any]:
    """The mean of each value and the ``width`` − 1 values before it (fewer at the start)."""
    sums = np.cumsum(values)
    sums[width:] = sums[width:] - sums[:-width]
    return sums / np.minimum(np.arange(len(values)) + 1, width)
