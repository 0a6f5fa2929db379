"""A run: a recipe carried out in a folder, from data to a model that can be used.

    data → batches → model → loss → backward → optimiser → checkpoint

What is learned (``train.tasks``) supplies the batches and what is measured; all else is the same for every model.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import rng as randomness
from ..files import remove_unfinished, replace_file
from ..nn import Linear, MultiheadAttention
from ..optim import OPTIMIZERS, SCHEDULES
from ..viz import draw_losses
from .checkpoint import checkpoints, load_checkpoint, save_checkpoint
from .interrupt import Interruptible
from .locked import FolderLock
from .loop import ADVICE, broken_parameter, fit
from .memory import check_memory
from .metrics import Metrics
from .progress import progress


@dataclass
class Result:
    """How a run ended: ``step`` is that of the model that it leaves, losses are on the whole validation split.

    ``baselines`` {name: loss} of those that have learned little; ``seconds`` of training.
    """

    folder: Path
    checkpoint: Path
    step: int
    val_loss: float
    baselines: dict
    seconds: float


class Interrupted(Exception):
    """The run was asked to stop; it was saved first."""

    def __init__(self, folder, step):
        super().__init__(f"stopped at step {step}, saved in {folder}; the same command with --resume goes on")


class Run:
    """The moving parts of a run: what is saved in a checkpoint and put back from it."""

    def __init__(self, recipe, task):
        settings = recipe.train
        config = recipe.model_config(**task.sizes())
        task.check(config)
        check_memory(recipe, config)
        randomness.seed(settings.seed)
        self.recipe, self.task = recipe, task
        self.model = recipe.model_class(config)
        task.prepare(self.model)
        self.optimizer = _optimizer(self.model, settings)
        self.schedule = SCHEDULES[settings.schedule].from_recipe(self.optimizer, settings)
        self.batches = np.random.default_rng(settings.seed)                     # which examples make a batch
        self.step, self.seconds = 0, 0.0
        self.best = None                                    # with patience: (the lowest cost, its step and loss) …
        self.worse = 0                                      # … and the looks since then

    @property
    def finished(self):
        """Whether it is at its last step, or has waited for a better look as long as it should."""
        settings = self.recipe.train
        return self.step >= settings.max_steps or 0 < settings.patience <= self.worse

    def next_batch(self):
        return self.task.batch(self.model, self.recipe.train.batch_size, self.batches)

    def measure(self, at_most=None):
        """Figures on the validation part; see ``Task.measure``."""
        try:
            return self.task.measure(self.model, at_most)
        except FloatingPointError as error:
            raise FloatingPointError(f"step {self.step}: {error}") from None

    def look(self, folder):
        """``measure``, whole where it counts, and keep the model if the recipe has patience and it is the best so far."""
        settings = self.recipe.train
        whole = settings.patience or self.step == settings.max_steps
        figures = self.measure(None if whole else settings.eval_windows)
        if settings.patience:
            cost = self.task.cost(figures)
            if self.best is None or cost < self.best[0]:
                self.best, self.worse = (cost, self.step, figures["val_loss"]), 0
                self.model.save_pretrained(folder)
            else:
                self.worse += 1
        return figures

    def save(self, folder):
        """Write a checkpoint, and the model as it now is (with patience, the best one stands there already)."""
        if broken := broken_parameter(self.model):
            raise FloatingPointError(f"step {self.step}: the update left the parameter {broken} not finite, so it was not saved; "
                                     f"{ADVICE}")
        optimizer = self.optimizer.state_dict()
        arrays = {f"model.{name}": array for name, array in self.model.state_dict().items()}
        arrays.update((f"optimizer.{name}", array) for name, array in optimizer.pop("arrays").items())
        save_checkpoint(folder / "checkpoints", self.step, arrays, {
            "step": self.step, "seconds": self.seconds, "data_sha256": self.task.sha256(), "optimizer": optimizer,
            "best": self.best, "worse": self.worse, "schedule": self.schedule.state_dict(),
            "batches": self.batches.bit_generator.state, "random": randomness.generator().bit_generator.state})
        if not self.best:
            self.model.save_pretrained(folder)

    def load(self, path):
        """Put everything back as it was when the checkpoint at ``path`` was written. Options of the optimiser, such as the
        weight decay, are the recipe's: it may have been changed since."""
        arrays, state = load_checkpoint(path)

        def part(name):
            return {key.removeprefix(name): array for key, array in arrays.items() if key.startswith(name)}

        try:
            if state["data_sha256"] != self.task.sha256():
                raise ValueError("it was trained on other data: the text, its tokenizer or its split changed")
            self.model.load_state_dict(part("model."))
            self.optimizer.load_state_dict({**state["optimizer"], "arrays": part("optimizer."),
                                            "param_groups": self.optimizer.state_dict()["param_groups"]})
            self.schedule.load_state_dict(state["schedule"])
            self.batches.bit_generator.state = state["batches"]
            randomness.generator().bit_generator.state = state["random"]
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            if self.recipe.train.patience and state.get("best"):
                self.best, self.worse = tuple(state["best"]), int(state["worse"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"its state has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"cannot resume from {path}: {reason}; go on with the recipe that it was made by, "
                             f"or start again without --resume") from None


def _optimizer(model, settings):
    """The optimizer that the settings name. With a layer_decay of 0 all but the highest level stay as they are."""
    levels = model.levels() if settings.layer_decay < 1 else []
    for parameter in (p for level in levels[1:] for p in level if not settings.layer_decay):
        parameter.requires_grad = False
    modules = [module for _, module in model.named_modules()]
    hidden = [module.weight for module in modules if isinstance(module, Linear)]
    hidden += [module.in_proj_weight for module in modules if isinstance(module, MultiheadAttention)]
    return OPTIMIZERS[settings.optimizer].from_recipe(model.parameters(), settings, hidden, levels)


def train(recipe, folder, resume=False):
    """Carry out ``recipe`` in ``folder``; with ``resume``, go on from the last checkpoint there. Returns a ``Result``.

    A run that stands there already and is not resumed is moved aside, never overwritten. BlockingIOError when another process
    trains in this folder.
    """
    folder = Path(folder)
    with FolderLock(folder) as held:
        return _count(recipe, held) if recipe.model_class.trained_by_counting else _descend(recipe, held, resume)


def _descend(recipe, held, resume):
    """A run in steps."""
    folder, settings = held.folder, recipe.train
    saved = checkpoints(folder / "checkpoints") if resume else []
    run = Run(recipe, recipe.task(recipe.data, folder if saved else None))
    if saved:
        run.load(saved[-1])
        done = "; nothing is left to train, but a larger train.max_steps goes further" * run.finished
        print(f"resuming {folder} at step {run.step} of {settings.max_steps}{done}")
    else:
        if resume:
            print(f"{folder} holds no checkpoint to resume from: starting anew")
        _set_aside(held)
    print(f"{run.task.describe()}; {type(run.model).__name__} of {run.model.num_parameters():,} parameters")
    if remark := run.task.remark(run.model):
        print(remark)
    _prepare(folder, run)
    metrics = Metrics(folder / "metrics.jsonl", run.step)
    try:
        val_loss = _loop(run, folder, settings, metrics)
    finally:
        metrics.close()
    if val_loss is None:                                    # there was nothing left to train
        val_loss = run.measure()["val_loss"]
    _, step, val_loss = run.best or (None, run.step, val_loss)
    result = Result(folder, checkpoints(folder / "checkpoints")[-1], step, val_loss, run.task.baselines(), run.seconds)
    draw_losses(metrics.records, folder / "loss.png", title=recipe.name, final=(step, val_loss), levels=result.baselines,
                unit=run.task.unit)
    return result


def _count(recipe, held):
    """A run of a model that is counted, not descended: one look at all of the data, so no steps and nothing to resume."""
    folder, task = held.folder, recipe.task(recipe.data)
    config = recipe.model_config(**task.sizes())
    task.check(config)
    print(f"{task.describe()}; counting")
    began = time.monotonic()
    model = recipe.model_class(config).fit(task.train)
    seconds, figures = time.monotonic() - began, task.measure(model)
    _set_aside(held)
    replace_file(folder / "recipe.toml", recipe.to_toml())
    task.save(folder)
    model.save_pretrained(folder)
    print(f"{type(model).__name__} of {model.num_parameters():,} numbers")
    return Result(folder, folder / "model.safetensors", 0, figures["val_loss"], task.baselines(), seconds)


def _set_aside(held):
    """Give a run that stands in the folder of the lock ``held`` another name: folder-1, folder-2, …"""
    folder = held.folder
    if not (folder / "model.safetensors").exists() and not checkpoints(folder / "checkpoints"):
        return
    if Path.cwd().is_relative_to(folder.resolve()):
        raise ValueError(f"{folder} holds a run and cannot be moved aside, being the working folder; give another --out")
    n = 1
    while (aside := folder.with_name(f"{folder.name}-{n}")).exists():
        n += 1
    held.move_to(aside)
    print(f"the earlier run in {folder} is now in {aside}")


def _prepare(folder, run):
    """Make the folder, tidy up after a run that was killed, and write what a run has from the start."""
    for place in (folder, folder / "checkpoints"):
        place.mkdir(parents=True, exist_ok=True)
        remove_unfinished(place)
    replace_file(folder / "recipe.toml", run.recipe.to_toml())
    run.task.save(folder)
    if run.step and not run.best:                           # it may have been killed between a checkpoint and these
        run.model.save_pretrained(folder)


def _loop(run, folder, settings, metrics):
    """Train to the last step: measure, show, save. Returns the loss on the whole validation split; None if no step was left."""
    began = time.monotonic() - run.seconds
    figures, val_loss = {}, next((r["val_loss"] for r in reversed(metrics.records) if r["val_loss"] is not None), None)
    with Interruptible() as stop, progress(settings.max_steps, run.step, run.task.input_unit) as bar:
        run.model.train()
        last = time.monotonic()
        steps = fit(run.model, run.optimizer, run.schedule, run.next_batch, start=run.step, max_steps=settings.max_steps,
                    accumulate=settings.accumulate, clip=settings.clip)
        for done in () if run.finished else steps:
            run.step, figures = done.step, {"val_loss": None}
            tokens_per_s = done.tokens / max(time.monotonic() - last, 1e-9)
            if run.step == settings.max_steps or run.step % settings.eval_every == 0:
                figures = run.look(folder)
                val_loss = figures["val_loss"]
            metrics.add(**{"step": run.step, "train_loss": done.loss, "val_loss": None, "lr": done.lr,
                           "grad_norm": done.grad_norm, "tokens_per_s": round(tokens_per_s, 1), **figures})
            bar.update(run.step, done.loss, val_loss, tokens_per_s)
            run.seconds = time.monotonic() - began
            stopping = stop.asked                           # asked once: Ctrl-C may come between the next two lines
            if run.finished or stopping or run.step % settings.checkpoint_every == 0:
                run.save(folder)
            if run.finished:
                break
            if stopping:
                raise Interrupted(folder, run.step)
            last = time.monotonic()
    return figures.get("val_loss")
