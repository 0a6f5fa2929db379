"""Loss curves, of one run and of several."""

from __future__ import annotations

import numpy as np

from .figure import BLUE, GREY, ORANGE, SERIES, new_figure, save_figure


def draw_losses(records, path, title, levels=None, final=None, ylabel="cross-entropy (nats per token)"):
    """Draw the metrics of a run (``train.metrics``) into the PNG file ``path``; see ``losses_figure``."""
    save_figure(losses_figure(records, title, levels, final, ylabel), path)


def losses_figure(records, title, levels=None, final=None, ylabel="cross-entropy (nats per token)"):
    """A matplotlib figure of the metrics of a run, a list of {"step", "train_loss", "val_loss" (or None)}.

    levels      {name: loss} drawn as horizontal lines, such as baselines
    final       (step, loss) that is written next to its point, such as the loss on the whole validation split
    ylabel      the loss and its unit
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


def _draw_levels(axes, levels):
    """Dashed lines at ``levels``, named to the right of the axes, where no curve runs. Names that would overlap move apart."""
    for level in levels.values():
        axes.axhline(level, color=GREY, linestyle="--", linewidth=1)
    low, high = axes.get_ylim()
    apart, place = (high - low) / 20, low - high
    for name, level in sorted(levels.items(), key=lambda item: item[1]):
        place = max(place + apart, level)
        axes.annotate(f"{name} {level:.2f}", (1, place), xycoords=axes.get_yaxis_transform(), xytext=(4, 0),
                      textcoords="offset points", ha="left", va="center", color=GREY, fontsize=9)


def draw_runs(runs, path, title="Loss curves", unit="nats per token"):
    """Draw the metrics of several runs, {name: records}, beside each other into the PNG file ``path``.

    A thin line is a run's training loss, smoothed; a thick one what it measured on its validation split, with the lowest
    value in the legend.
    """
    empty = [name for name, records in runs.items() if not records]
    if not runs or empty:
        raise ValueError(f"draw_runs: expected runs with at least one step each, but {', '.join(empty) or 'there is no run'}"
                         + " has none" * bool(empty))
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


def smooth(values, width):
    """The mean of each value and the ``width − 1`` before it (fewer at the start)."""
    sums = np.cumsum(values)
    sums[width:] = sums[width:] - sums[:-width]
    return sums / np.minimum(np.arange(len(values)) + 1, width)
