"""A picture that compares language models, from the simplest to the best."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .figure import BLUE, GRAY, ORANGE, new_figure, save_figure

LOOKS = {"guess": (GRAY, "D"), "counted": (BLUE, "s"), "network": (ORANGE, "o")}        # the shapes differ too
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}                          # behind text that lines cross


def draw_ladder(report: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Draw the result of ``train.ladder.report`` into the PNG file ``path``.

    The picture has a row for each model, the highest loss on top: a point at its loss with the standard deviation over
    seeds, and its number of parameters and training time to the right. A dashed line marks the best n-gram model.
    """
    rungs, best = report["rungs"], report["kneser_ney"]
    figure = new_figure(7.2, 0.9 + 0.3 * len(rungs))
    axes = figure.add_subplot()
    for row, rung in enumerate(rungs):
        color, marker = LOOKS[rung["kind"]]
        axes.errorbar(rung["loss"], row, xerr=rung["sd"], fmt=marker, color=color, markersize=6, capsize=3)
        spread = f" ± {rung['sd']:.3f}" if rung["sd"] is not None else ""
        axes.annotate(f"{rung['loss']:.3f}{spread}", (rung["loss"], row), xytext=(9, 0), textcoords="offset points",
                      va="center", fontsize=9, color=color, bbox=PAPER)
        axes.annotate(cost(rung), (1, row), xycoords=axes.get_yaxis_transform(), xytext=(6, 0),
                      textcoords="offset points", va="center", fontsize=8, color=GRAY, annotation_clip=False)
    axes.axvline(best["loss"], color=BLUE, linestyle="--", linewidth=1, zorder=0)
    axes.annotate(f"best of counting: n = {best['n']}, {best['loss']:.3f}", (best["loss"], 0), xytext=(5, 0),
                  textcoords="offset points", va="center", fontsize=9, color=BLUE, bbox=PAPER)
    axes.annotate("parameters · training", (1, 1), xycoords="axes fraction", xytext=(6, 4), textcoords="offset points",
                  fontsize=8, color=GRAY, annotation_clip=False)
    axes.set_yticks(range(len(rungs)), [rung["name"] for rung in rungs])
    low, high = min(rung["loss"] for rung in rungs), max(rung["loss"] for rung in rungs)
    axes.set(xlabel=f"{report['unit']}, {report['part']} part", title=report["about"], ylim=(len(rungs) - 0.4, -0.6),
             xlim=(low - 0.06 * (high - low), high + 0.12 * (high - low)))
    axes.grid(axis="y", color="#e6e6e6")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def cost(rung: Mapping[str, Any]) -> str:
    """The parameters and the training time of a model, such as ``"53 k · 12 s"``; "" for a model without parameters."""
    n, seconds = rung["parameters"], rung["seconds"]
    if not n:
        return ""
    size = (f"{n / 1e6:.2f} M" if n >= 1e6 else f"{n / 1e3:.0f} k" if n >= 1e4 else
            f"{n / 1e3:.1f} k" if n >= 1e3 else f"{n}")
    return f"{size} · " + (f"{seconds:.0f} s" if seconds >= 1 else "< 1 s")
