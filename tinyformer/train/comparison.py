"""Small models of several architectures, trained on the same text with the same budget, from several seeds."""

from __future__ import annotations

import statistics
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..viz import draw_runs
from .locked import FolderLock
from .metrics import read_metrics
from .recipe import Recipe, load_recipe
from .run import train

if TYPE_CHECKING:
    from ..models import LlamaConfig

# What small and large models of one architecture have in common. The other settings are the recipe's.
OWN = ("rope_theta", "norm_eps", "qkv_bias", "qk_norm")


def train_compared(configs: dict[str, LlamaConfig], folder: str | Path, seeds: Sequence[int],
                   settings: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Train a small model like each of ``configs`` with the recipe llama-tiny, once from each seed.

    Runs go to ``folder``/NAME-SEED, the curves (means over the seeds) to ``folder``/curves.png.
    Returns {name: {"losses": [one per seed], "tokens_per_s": …, "parameters": …, "megabytes": …}}.
    """
    runs = {name: [] for name in configs}
    with FolderLock(folder):
        for seed in seeds:                                  # in turn, so that other work on the machine slows all
            for name, config in configs.items():
                kind = [f"model.{field}={str(getattr(config, field)).lower()}" for field in OWN]
                recipe = load_recipe("llama-tiny", [*kind, *settings, f"train.seed={seed}"])
                at = Path(folder) / f"{name}-{seed}"
                runs[name].append((train(recipe, at).val_loss, read_metrics(at / "metrics.jsonl"), recipe))
    found, curves = {}, {}
    for name, of_one in runs.items():
        losses, records, recipes = zip(*of_one)
        curves[name] = [_mean(steps) for steps in zip(*records)]
        speed = statistics.median(record["tokens_per_s"] for steps in records for record in steps)
        found[name] = {"losses": losses, "tokens_per_s": speed, **_size(recipes[0])}
    draw_runs(curves, Path(folder) / "curves.png", f"Means over {len(seeds)} seed{'s' * (len(seeds) > 1)}")
    return found


def _mean(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean record of several runs at one step."""
    measured = [record["val_loss"] for record in records if record["val_loss"] is not None]
    return {"step": records[0]["step"], "train_loss": statistics.fmean(record["train_loss"] for record in records),
            "val_loss": statistics.fmean(measured) if measured else None}


def _size(recipe: Recipe) -> dict[str, Any]:
    """The number of parameters, and the peak size of the arrays in one forward and backward pass, in megabytes."""
    task = recipe.task(recipe.data)
    model = recipe.model_class(recipe.model_config(**task.sizes()))
    x, y = task.batch(model, recipe.train.batch_size, np.random.default_rng(0))
    tracemalloc.start()
    try:
        model.loss(x, y).backward()
        return {"parameters": model.num_parameters(), "megabytes": tracemalloc.get_traced_memory()[1] / 1e6}
    finally:
        tracemalloc.stop()
