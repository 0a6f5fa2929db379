"""A run: the training of a recipe in a folder, from data to a model that can be used.

    data → batches → model → loss → backward → optimizer → checkpoint

The task (``train.tasks``) supplies the batches and the evaluation; the rest is the same for every model.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import rng as randomness
from ..files import remove_unfinished, replace_file
from ..models import load_model
from ..nn import Linear, MultiheadAttention
from ..optim import OPTIMIZERS, SCHEDULES
from ..viz import draw_losses
from .checkpoint import checkpoints, load_checkpoint, save_checkpoint
from .locked import FolderLock
from .memory import check_memory
from .metrics import Metrics
from .private import FILE, PrivateTraining
from .progress import progress
from .recipe import check_recipe
from .trainer import Interrupted, Trainer, why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..models.pretrained import Pretrained
    from ..optim import Optimizer
    from .loop import Step
    from .recipe import Recipe, TrainSettings
    from .tasks import Task


@dataclass
class Result:
    """How a run ended.

    folder, checkpoint  where the model and the last checkpoint are
    step                of the model in ``folder``; with patience this is the best one
    val_loss            of this model on the whole validation split, in the unit of the task
    baselines           {name: validation loss} of models that have learned little
    seconds             of training
    privacy             of a private training: ε, δ and what they follow from; else None
    """

    folder: Path
    checkpoint: Path
    step: int
    val_loss: float
    baselines: dict
    seconds: float
    privacy: dict[str, Any] | None = None


class Run(Trainer):
    """The training of a recipe in a folder: its checkpoints, its metrics and the best model go there."""

    def __init__(self, recipe: Recipe, task: Task, folder: Path | None = None):
        settings = recipe.train
        config = recipe.model_config(**task.sizes())
        task.check(config)
        check_memory(recipe, config)
        randomness.seed(settings.seed)
        model = recipe.model_class(config)
        task.prepare(model)
        optimizer = _optimizer(model, settings)
        super().__init__(model, optimizer, SCHEDULES[settings.schedule].from_recipe(optimizer, settings), settings)
        self.recipe, self.task, self.folder = recipe, task, folder
        self.private = PrivateTraining(recipe, task, model, optimizer) if recipe.privacy.active else None
        self.batches = np.random.default_rng(settings.seed)                     # which examples make a batch
        self.metrics: Metrics | None = None

    def steps(self) -> Iterator[Step]:
        """The steps that are left, private ones if the recipe says so."""
        if self.private is None:
            return super().steps()
        return self.private.steps(self.schedule, self.batches, self.step, self.settings.max_steps)

    def next_batch(self) -> tuple:
        """A batch of the task's training split."""
        return self.task.batch(self.model, self.settings.batch_size, self.batches)

    def measure(self, whole: bool = True) -> dict[str, Any]:
        """Figures on the validation split, or on ``eval_windows`` windows of it; see ``Task.measure``."""
        try:
            return self.task.measure(self.model, None if whole else self.settings.eval_windows)
        except FloatingPointError as error:
            raise FloatingPointError(f"step {self.step}: {error}") from None

    def cost(self, figures: dict[str, Any]) -> float:
        """The task's cost."""
        return self.task.cost(figures)

    def evaluate(self) -> dict[str, Any]:
        """``measure``, then early stopping and the task's pictures."""
        figures = super().evaluate()
        self.task.show(self.model, self.folder, self.step)
        return figures

    def keep(self) -> None:
        """Write the model into the folder."""
        self.model.save_pretrained(self.folder)

    def record(self, **row: Any) -> None:
        """Append the row to metrics.jsonl. A private training says there how large the batch was, and prints its ε."""
        if self.private is not None:
            row["examples"] = self.private.drawn
            if row["val_loss"] is not None:
                row["epsilon"] = self.private.epsilon()
                print(f"step {row['step']}: epsilon {row['epsilon']:.2f} at delta {self.private.settings.delta:g} so "
                      f"far, validation loss {row['val_loss']:.4f}", flush=True)
        self.metrics.add(**row)

    def save(self) -> None:
        """Write a checkpoint, and the model as it is now (with patience, the folder holds the best one already)."""
        arrays, state = self.state()
        if self.private is not None:
            state["privacy"] = self.private.state()
            self.private.save(self.folder)
        save_checkpoint(self.folder / "checkpoints", self.step, arrays, {
            **state, "data_sha256": self.task.sha256(), "batches": self.batches.bit_generator.state})
        if not self.best:
            self.keep()

    def load(self, path: Path) -> None:
        """Restore everything from the checkpoint at ``path``.

        Options of the optimizer, such as the weight decay, are the recipe's, which may have changed since.
        ValueError for a checkpoint that does not fit.
        """
        arrays, state = load_checkpoint(path)
        try:
            if state["data_sha256"] != self.task.sha256():
                raise ValueError("it was trained on other data: the text, its tokenizer or its split changed")
            self.load_state(arrays, state)
            if self.private is not None:
                self.private.load_state(state["privacy"])
            self.batches.bit_generator.state = state["batches"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"cannot resume from {path}: {why(error)}; continue with the recipe that made it, "
                             f"or start again without --resume") from None


def _optimizer(model: Pretrained, settings: TrainSettings) -> Optimizer:
    """The optimizer that the settings name. With a layer_decay of 0 all but the highest level stay as they are."""
    levels = model.levels() if settings.layer_decay < 1 else []
    for parameter in (p for level in levels[1:] for p in level if not settings.layer_decay):
        parameter.requires_grad = False
    modules = [module for _, module in model.named_modules()]
    hidden = [module.weight for module in modules if isinstance(module, Linear)]
    for module in modules:
        if isinstance(module, MultiheadAttention):
            hidden += module.input_weights()
    return OPTIMIZERS[settings.optimizer].from_recipe(model.parameters(), settings, hidden, levels)


def train(recipe: Recipe, folder: str | Path, resume: bool = False) -> Result:
    """Train the model of ``recipe`` in ``folder``; with ``resume``, continue from the last checkpoint there.

    >>> result = train(load_recipe("pydocs-char"), "runs/mine")

    The folder gets model.safetensors, config.json, recipe.toml, the tokenizer or classes, metrics.jsonl, loss.png and
    checkpoints/. A run that is there already and is not resumed is renamed to folder-1, folder-2, …

    BlockingIOError when another process trains in this folder; ValueError if the data do not fit the model, the
    checkpoint does not fit the recipe, or the training does not fit into the memory; FloatingPointError, which names
    the step and the first bad value, for a loss or gradient that is not finite; ``Interrupted`` after Ctrl-C, once the
    run is saved.
    """
    check_recipe("train", recipe)
    folder = Path(folder)
    with FolderLock(folder) as held:
        return _count(recipe, held) if recipe.model_class.trained_by_counting else _descend(recipe, held, resume)


def _descend(recipe: Recipe, held: FolderLock, resume: bool) -> Result:
    """Train by gradient descent."""
    folder, settings = held.folder, recipe.train
    saved = checkpoints(folder / "checkpoints") if resume else []
    run = Run(recipe, recipe.task(recipe.data, folder if saved else None), folder)
    if saved:
        run.load(saved[-1])
        done = "; it is finished, but a larger train.max_steps continues it" * run.finished
        print(f"resuming {folder} at step {run.step} of {settings.max_steps}{done}")
    else:
        if resume:
            print(f"{folder} holds no checkpoint to resume from, so the training starts from the beginning")
        set_aside(held)
    print(f"{run.task.describe()}; {type(run.model).__name__} of {run.model.num_parameters():,} parameters")
    if remark := run.task.remark(run.model):
        print(remark)
    _prepare(folder, run)
    run.metrics = metrics = Metrics(folder / "metrics.jsonl", run.step)
    run.val_loss = next((r["val_loss"] for r in reversed(metrics.records) if r["val_loss"] is not None), None)
    nothing_left = run.finished
    try:
        if not run.train(progress(settings.max_steps, run.step, run.task.input_unit)):
            raise Interrupted(f"stopped at step {run.step}, saved in {folder}; "
                              "the same command with --resume continues")
    finally:
        metrics.close()
    val_loss = run.measure()["val_loss"] if nothing_left else run.val_loss
    _, step, val_loss = run.best or (None, run.step, val_loss)
    result = Result(folder, checkpoints(folder / "checkpoints")[-1], step, val_loss, run.task.baselines(), run.seconds,
                    run.private.figures() if run.private is not None else None)
    draw_losses(metrics.records, folder / "loss.png", title=recipe.name, final=(step, val_loss),
                levels=result.baselines, ylabel=f"{run.task.quantity} ({run.task.unit})")
    return result


def _count(recipe: Recipe, held: FolderLock) -> Result:
    """Train a model by counting: one pass over the data, so there are no steps and nothing to resume."""
    folder, task = held.folder, recipe.task(recipe.data)
    config = recipe.model_config(**task.sizes())
    task.check(config)
    print(f"{task.describe()}; counting")
    began = time.monotonic()
    model = recipe.model_class(config).fit(task.train)
    seconds, figures = time.monotonic() - began, task.measure(model)
    set_aside(held)
    replace_file(folder / "recipe.toml", recipe.to_toml())
    task.save(folder)
    model.save_pretrained(folder)
    print(f"{type(model).__name__} of {model.num_parameters():,} numbers")
    return Result(folder, folder / "model.safetensors", 0, figures["val_loss"], task.baselines(), seconds)


def set_aside(held: FolderLock) -> None:
    """Rename the run in the folder of the lock ``held``, if there is one, to folder-1, folder-2, …"""
    folder = held.folder
    if not (folder / "model.safetensors").exists() and not checkpoints(folder / "checkpoints"):
        return
    if Path.cwd().is_relative_to(folder.resolve()):
        raise ValueError(f"{folder} holds a run and cannot be renamed, "
                         "since it is the working directory; give another --out")
    n = 1
    while (aside := folder.with_name(f"{folder.name}-{n}")).exists():
        n += 1
    held.move_to(aside)
    print(f"the earlier run in {folder} is now in {aside}")


def _prepare(folder: Path, run: Run) -> None:
    """Make the folder, remove what a killed run left unfinished, and write the files that a run has from the start."""
    for place in (folder, folder / "checkpoints"):
        place.mkdir(parents=True, exist_ok=True)
        remove_unfinished(place)
        for path in place.iterdir():                        # else the training ends where it wants to write this file
            if path.is_dir() and path.suffix in (".json", ".jsonl", ".png", ".safetensors", ".toml"):
                raise ValueError(f"{path} is a folder, expected a file; remove it or rename it")
    if run.best:                                            # the best model so far is in no checkpoint
        load_model(folder)
    replace_file(folder / "recipe.toml", run.recipe.to_toml())
    run.task.save(folder)
    if run.private is None:
        (folder / FILE).unlink(missing_ok=True)             # else it would speak of a model that is no longer here
    if run.step and not run.best:                           # it may have been killed between a checkpoint and these
        run.model.save_pretrained(folder)
