"""Loss curves."""

from __future__ import annotations

import io

import numpy as np

from ..files import replace_file

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#6b6b6b"       # told apart by the colour-blind too (Okabe and Ito)


def draw_losses(records, path, title, levels=None, final=None, unit="nats per token"):
    """Draw the metrics of a run (``train.metrics``) into the PNG file ``path``.

    levels      {name: loss} drawn as horizontal lines, such as baselines
    final       (step, loss) on the whole validation split
    unit        of the loss
    """
    # The object-oriented interface: no window system is asked for, and no state is left for a notebook's own plots.
    from matplotlib.figure import Figure
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    step = np.array([record["step"] for record in records])
    loss = np.array([record["train_loss"] for record in records])
    axes.plot(step, loss, color=BLUE, alpha=0.25, linewidth=0.8)
    axes.plot(step, smooth(loss, max(1, len(loss) // 50)), color=BLUE, label="training, smoothed")
    measured = [(record["step"], record["val_loss"]) for record in records if record["val_loss"] is not None]
    if measured:
        axes.plot(*zip(*measured), "o-", color=ORANGE, markersize=4, label="validation")
    for name, level in (levels or {}).items():
        axes.axhline(level, color=GREY, linestyle="--", linewidth=1)
        axes.annotate(f"{name} {level:.2f}", (1, level), xycoords=axes.get_yaxis_transform(), xytext=(-4, 3),
                      textcoords="offset points", ha="right", color=GREY, fontsize=9)
    if final is not None:
        axes.annotate(f"{final[1]:.3f}", final, xytext=(0, 8), textcoords="offset points", ha="right", color=ORANGE)
    axes.set(xlabel="step", ylabel=f"cross-entropy ({unit})", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    replace_file(path, picture.getvalue())


def smooth(values, width):
    """The mean of each value and the ``width − 1`` before it (fewer at the start)."""
    sums = np.cumsum(values)
    sums[width:] = sums[width:] - sums[:-width]
    return sums / np.minimum(np.arange(len(values)) + 1, width)
