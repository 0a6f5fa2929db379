"""The validation figures of federations, round by round."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from .figure import SERIES, new_figure, save_figure

MARKERS = "os^Dvx*"


def draw_rounds(runs: Mapping[str, Sequence[Mapping[str, Any]]], path: str | os.PathLike[str],
                title: str = "Federated averaging") -> None:
    """Draw the validation accuracy, or the loss without it, against rounds into the PNG file ``path``.

    runs        {name: the records of a federation, with "step" and "val_accuracy" or "val_loss"}
    """
    shared = all("val_accuracy" in record for records in runs.values() for record in records)
    key = "val_accuracy" if shared else "val_loss"
    figure = new_figure(6.4, 3.6)
    axes = figure.add_subplot()
    for (name, records), color, marker in zip(runs.items(), SERIES * len(runs), MARKERS * len(runs)):
        axes.plot([record["step"] for record in records], [record[key] for record in records], color=color,
                  marker=marker, markersize=4, linewidth=1.3, label=name)
    axes.set(xlabel="round", ylabel="validation accuracy" if shared else "validation loss (nats)", title=title)
    axes.grid(color="#e6e6e6")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    save_figure(figure, path)
