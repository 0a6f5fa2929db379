"""What trainings in steps share: the state, the loop with evaluation and early stopping, the checkpoint."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from .. import rng as randomness
from ..optim import ReduceOnPlateau
from .interrupt import Interruptible
from .loop import ADVICE, broken_parameter, training_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..autograd import Tensor
    from ..nn import Module
    from ..optim import Optimizer, Schedule
    from .loop import Step
    from .progress import Progress


class Settings(Protocol):
    """What the loop asks of its settings; ``recipe.TrainSettings`` says what each of them means."""

    max_steps: int
    accumulate: int
    clip: float
    eval_every: int
    checkpoint_every: int
    patience: int


class Interrupted(Exception):
    """A signal (Ctrl-C) asked the training to stop; if it writes checkpoints, it was saved first."""


class Trainer:
    """Base of ``Run``, which carries out a recipe in a folder, and of ``fit``, which trains your own model.

    A subclass says where batches come from (``next_batch``), what is measured (``measure``), how the best model is kept
    (``keep``), and where figures and checkpoints go (``record``, ``save``).

    step        the number of steps done
    seconds     of training, over all sessions
    val_loss    the validation loss that was measured last; None before the first evaluation
    best        with patience: (lowest cost, its step, its validation loss)
    worse       with patience: the number of evaluations since then
    """

    speed = "tokens_per_s"                                  # what ``record`` calls the speed

    def __init__(self, model: Module, optimizer: Optimizer, schedule: Schedule | None, settings: Settings):
        self.model, self.optimizer, self.schedule, self.settings = model, optimizer, schedule, settings
        self.step, self.seconds = 0, 0.0
        self.val_loss: float | None = None
        self.best: tuple[float, int, float] | None = None
        self.worse = 0

    # -- what a subclass says

    def next_batch(self) -> tuple:
        """The arguments of ``loss`` for one batch."""
        raise NotImplementedError

    def loss(self, *batch: Any) -> Tensor:
        """The mean loss of a batch."""
        return self.model.loss(*batch)                      # type: ignore[attr-defined]

    def count(self, batch: tuple) -> int:
        """The number of inputs in a batch, for the speed."""
        return batch[0].size

    def measure(self, whole: bool) -> dict[str, Any]:
        """{"val_loss": …, more figures by name} on the validation data. If not ``whole``, an estimate is enough."""
        raise NotImplementedError

    def cost(self, figures: dict[str, Any]) -> float:
        """The number by which early stopping compares models: the lower, the better."""
        return figures["val_loss"]

    def keep(self) -> None:
        """Store the model as it is now: it is the best so far."""
        raise NotImplementedError

    def record(self, **row: Any) -> None:
        """Store the figures of a step: step, train_loss, val_loss (None where it was not measured), lr, grad_norm, …"""
        raise NotImplementedError

    def save(self) -> None:
        """Write a checkpoint."""
        raise NotImplementedError

    # -- the loop

    @property
    def finished(self) -> bool:
        """Whether the last step is done, or early stopping has ended the training."""
        return self.step >= self.settings.max_steps or 0 < self.settings.patience <= self.worse

    @property
    def due(self) -> bool:
        """Whether an evaluation follows the step that was just done."""
        return self.step == self.settings.max_steps or self.step % self.settings.eval_every == 0

    def evaluate(self) -> dict[str, Any]:
        """``measure``, then early stopping.

        Keep the model if it is the best so far, count the evaluation if it is not.
        """
        figures = self.measure(bool(self.settings.patience) or self.step == self.settings.max_steps)
        self.val_loss = figures["val_loss"]
        if isinstance(self.schedule, ReduceOnPlateau):
            self.schedule.step(self.val_loss)
        if self.settings.patience:
            cost = self.cost(figures)
            if self.best is None or cost < self.best[0]:
                self.best, self.worse = (cost, self.step, figures["val_loss"]), 0
                self.keep()
            else:
                self.worse += 1
        return figures

    def steps(self) -> Iterator[Step]:
        """The steps that are left."""
        return training_steps(self.model, self.optimizer, self.schedule, self.next_batch, loss=self.loss,
                              count=self.count, start=self.step, max_steps=self.settings.max_steps,
                              accumulate=self.settings.accumulate, clip=self.settings.clip)

    def train(self, bar: Progress) -> bool:
        """Train to the last step, measuring, recording and saving on the way.

        False if a signal stopped it before that.
        """
        began = time.monotonic() - self.seconds
        with Interruptible() as stop, bar:
            self.model.train()
            last = time.monotonic()
            for done in () if self.finished else self.steps():
                self.step = done.step
                per_s = done.inputs / max(time.monotonic() - last, 1e-9)
                figures = self.evaluate() if self.due else {}
                self.record(**{"step": done.step, "train_loss": done.loss, "val_loss": None, "lr": done.lr,
                               "grad_norm": done.grad_norm, self.speed: round(per_s, 1), **figures})
                bar.update(done.step, done.loss, self.val_loss, per_s)
                self.seconds = time.monotonic() - began
                stopping = stop.asked                       # asked once: Ctrl-C may come between the next two lines
                if self.finished or stopping or self.step % self.settings.checkpoint_every == 0:
                    self.save()
                if self.finished:
                    break
                if stopping:
                    return False
                last = time.monotonic()
        return True

    # -- checkpoints

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """(arrays, values fit for JSON): what a checkpoint holds. FloatingPointError if a parameter is not finite."""
        if broken := broken_parameter(self.model):
            raise FloatingPointError(f"step {self.step}: the update left the parameter {broken} not finite, "
                                     f"so it was not saved; {ADVICE}")
        optimizer = self.optimizer.state_dict()
        arrays = {f"model.{name}": array for name, array in self.model.state_dict().items()}
        arrays.update((f"optimizer.{name}", array) for name, array in optimizer.pop("arrays").items())
        return arrays, {"step": self.step, "seconds": self.seconds, "optimizer": optimizer, "best": self.best,
                        "worse": self.worse,
                        "schedule": self.schedule.state_dict() if self.schedule is not None else None,
                        "random": randomness.generator().bit_generator.state}

    def load_state(self, arrays: dict[str, NDArray[Any]], state: dict[str, Any]) -> None:
        """Restore what ``state()`` returned.

        Options of the optimizer, such as the weight decay, are not restored: they are those that it was made
        with. ValueError, KeyError, TypeError or AttributeError for a state that does not fit.
        """
        self.model.load_state_dict(part(arrays, "model."))
        self.optimizer.load_state_dict({**state["optimizer"], "arrays": part(arrays, "optimizer."),
                                        "param_groups": self.optimizer.state_dict()["param_groups"]})
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        randomness.generator().bit_generator.state = state["random"]
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        if self.settings.patience and state.get("best"):
            self.best, self.worse = tuple(state["best"]), int(state["worse"])


def part(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with ``prefix``, under their names without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def why(error: Exception) -> str:
    """What was wrong with a state, from the error that loading it raised."""
    return f"its state has no {error}" if isinstance(error, KeyError) else str(error)
