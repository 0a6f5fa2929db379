"""``fit``: train your own model on your own batches, with validation, early stopping, schedules and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..nn import Module, evaluating
from ..number_checks import check_integer, check_number
from ..optim import Optimizer, Schedule
from .checkpoint import read_checkpoint, write_checkpoint
from .history import History
from .loss_function import LossFunction
from .loop import without_graph
from .progress import Progress, progress
from .stream import Stream, as_tuple, examples_in, refuse_data
from .trainer import Interrupted, Trainer, part, why


def fit(model: Module | Callable[..., Tensor], batches: Iterable[Any] | Callable[[], Any], optimizer: Optimizer, *,
        loss: Module | Callable[..., Tensor] | None = None, epochs: int | None = None, max_steps: int | None = None,
        validation: Iterable[Any] | Callable[[], Any] | None = None, eval_every: int | None = None, patience: int = 0,
        schedule: Schedule | None = None, accumulate: int = 1, clip: float = 0.0,
        checkpoint: str | Path | None = None, checkpoint_every: int | None = None, resume: bool = False,
        show_progress: bool = True) -> History:
    """Train ``model`` on ``batches`` and return the ``History``: losses, validation figures, learning rates, speed.

    >>> model = MyNetwork()
    >>> history = fit(model, Batches(images, labels, size=32), optim.AdamW(model.parameters(), lr=1e-3),
    ...               loss=nn.functional.cross_entropy, epochs=10, patience=3,
    ...               validation=Batches(held_out, targets, size=256, shuffle=False))

    What is trained
        model           a Module; or a function of a batch that returns the loss, whose parameters are the optimizer's.
                        Layers that such a function calls stay in the mode (train or eval) that they are in.
        batches         an iterable of batches, read once per epoch: a list, a ``data.Batches``, a generator function.
                        Or a function that returns one batch. A batch is a tuple such as (x, y), or a single array.
        loss            the mean loss of a batch is loss(model(x), y) for a batch (x, y); by default model.loss(x, y)
    For how long
        epochs          the number of passes over ``batches``, 1 by default; needs a length, len(batches)
        max_steps       the number of updates, instead of ``epochs``
    Validation and early stopping
        validation      batches; their mean loss is measured in evaluation mode, each example with the same weight. Or a
                        function that returns the loss, or {"val_loss": loss, "accuracy": …}
        eval_every      steps between two evaluations; by default an epoch, or a tenth of max_steps
        patience        Stop after this many evaluations without improvement and restore the best weights; 0: never
    Each update
        schedule        the learning-rate schedule, made for ``optimizer``; by default the rate is constant
        accumulate      the number of batches whose gradients are averaged into one update
        clip            upper bound on the norm of the gradient; 0: none
    On disk
        checkpoint      a file (.safetensors) with all that is needed to continue; it is replaced as a whole. Without
                        ``resume`` an earlier file is overwritten.
        checkpoint_every  steps between two checkpoints; by default ``eval_every``. One is written at the end, too, and
        after Ctrl-C.
        resume          continue from ``checkpoint`` if it exists. The result is the same as without a stop if batches
                        draw their random numbers from the generator that ``tinyformer.seed`` sets, as ``data.Batches``
                        does.

    The bar in a terminal or notebook shows the losses, the speed and the time left. At the end
    the model is in the same mode (train or eval) as before.

    Errors: ValueError for batches that are empty or end too early, a loss that is not a single number, an optimizer
    without the model's parameters, layers in a plain list, a checkpoint that does not fit; FloatingPointError, which
    names step and operation, for a loss or gradient that is not finite; ``Interrupted`` after Ctrl-C, once the
    checkpoint is written.
    """
    learner, stream = _learner(model, optimizer), Stream(batches)
    settings = _Settings.of(batches, epochs, max_steps, eval_every, checkpoint_every, accumulate, clip, patience)
    if patience and validation is None:
        raise ValueError("fit: patience needs validation: early stopping compares the validation losses")
    if resume and checkpoint is None:
        raise ValueError("fit: resume needs checkpoint, the file to continue from")
    if checkpoint is not None and Path(checkpoint).is_dir():
        raise IsADirectoryError(f"fit: checkpoint is the folder {checkpoint}, expected a file in it")
    training = _Fit(learner, stream, optimizer, schedule, settings, loss, validation, checkpoint)
    if resume and Path(checkpoint).is_file():                                                   # type: ignore[arg-type]
        training.load()
    bar = (progress if show_progress else Progress)(settings.max_steps, training.step, "examples")
    was_training = learner.training
    try:
        ended = training.train(bar)
    finally:
        learner.train(was_training)
    if not ended:
        saved = (f"saved in {checkpoint}; resume=True continues" if checkpoint else
                 "not saved, as there is no checkpoint file")
        raise Interrupted(f"stopped at step {training.step}, {saved}")
    if training.kept:
        learner.load_state_dict(training.kept)
    history = training.history
    history.best = training.best[1:] if training.best else None
    history.stopped_early, history.seconds = training.step < settings.max_steps, training.seconds
    return history


def _learner(model: Module | Callable[..., Tensor], optimizer: Optimizer) -> Module:
    """``model``, or the module that stands for a loss function.

    Raises an error unless the optimizer moves one of its parameters.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"fit: optimizer is a {type(optimizer).__name__}, expected one such as "
                        f"optim.AdamW(model.parameters())")
    moved = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if not isinstance(model, Module):
        if isinstance(model, type) or not callable(model):
            given = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
            raise TypeError(f"fit: model is {given}, expected a Module, "
                            "or a function that returns the loss of a batch")
        return LossFunction(model, moved)
    own = {id(parameter) for parameter in model.parameters()}
    if not own.intersection(map(id, moved)):
        raise ValueError("fit: the optimizer has none of the model's parameters; make it with model.parameters()")
    return model


@dataclass
class _Settings:
    max_steps: int
    eval_every: int
    checkpoint_every: int
    accumulate: int
    clip: float
    patience: int

    @classmethod
    def of(cls, batches: Any, epochs: int | None, max_steps: int | None, eval_every: int | None,
           checkpoint_every: int | None, accumulate: int, clip: float, patience: int) -> _Settings:
        """The settings with their defaults filled in. ValueError or TypeError for those that are none."""
        for name, value, least in (("epochs", epochs, 1), ("max_steps", max_steps, 1), ("eval_every", eval_every, 1),
                                   ("checkpoint_every", checkpoint_every, 1), ("accumulate", accumulate, 1),
                                   ("patience", patience, 0)):
            if value is not None:
                check_integer("fit", name, value, least)
        check_number("fit", "clip", clip, at_least=0)
        if epochs is not None and max_steps is not None:
            raise ValueError("fit: got epochs and max_steps, expected one of them")
        length = len(batches) if hasattr(batches, "__len__") else None
        if length is None and max_steps is None:
            raise ValueError(f"fit: batches, a {type(batches).__name__}, has no length, so an epoch has no known "
                             f"number of steps; give max_steps")
        if max_steps is None:
            max_steps = max(1, (epochs or 1) * length // accumulate)                            # type: ignore[operator]
        if eval_every is None:
            eval_every = max(1, max_steps // 10 if length is None else length // accumulate)
        return cls(max_steps, eval_every, checkpoint_every or eval_every, accumulate, clip, patience)


class _Fit(Trainer):
    """The training that ``fit`` carries out."""

    speed = "examples_per_s"

    def __init__(self, model: Module, stream: Stream, optimizer: Optimizer, schedule: Schedule | None,
                 settings: _Settings, loss: Module | Callable[..., Tensor] | None, validation: Any,
                 checkpoint: str | Path | None):
        super().__init__(model, optimizer, schedule, settings)
        if loss is None and not callable(getattr(model, "loss", None)):
            raise TypeError(f"fit: {type(model).__name__} has no method loss; write one, or give loss, a function of "
                            f"(output, target) such as nn.functional.cross_entropy")
        if loss is not None and (isinstance(loss, type) or not callable(loss)):
            raise TypeError(f"fit: loss is {getattr(loss, '__name__', repr(loss))}, expected a function of "
                            f"(output, target), such as nn.functional.cross_entropy or nn.CrossEntropyLoss()")
        if schedule is not None and not isinstance(schedule, Schedule):
            raise TypeError(f"fit: schedule is {getattr(schedule, '__name__', repr(schedule))}, expected one such as "
                            f"optim.CosineSchedule(optimizer, warmup_steps=10, total_steps=100)")
        if not callable(validation):
            refuse_data("validation", validation)
        self.next_batch = stream
        self._stream, self._loss, self._validation, self._checkpoint = stream, loss, validation, checkpoint
        self.history = History()
        self.kept: dict[str, np.ndarray] = {}

    @property
    def due(self) -> bool:
        return self._validation is not None and super().due

    def loss(self, *batch: Any) -> Tensor:
        if self._loss is None:
            return super().loss(*batch)
        return self._loss(self.model(batch[0]), *batch[1:])

    def count(self, batch: tuple) -> int:
        return examples_in(batch)

    def measure(self, whole: bool) -> dict[str, Any]:
        with evaluating(self.model):
            if callable(self._validation):
                return _figures(self._validation())
            total, examples = 0.0, 0
            for batch in map(as_tuple, self._validation):
                [loss] = without_graph(self.model, lambda: [self.loss(*batch)])
                total, examples = total + loss.item() * examples_in(batch), examples + examples_in(batch)
        if not examples:
            raise ValueError("fit: validation has no batches; "
                             "if it is a generator, it can be read only once: give a list or a data.Batches")
        return {"val_loss": total / examples}

    def keep(self) -> None:
        self.kept = {name: array.copy() for name, array in self.model.state_dict().items()}

    def record(self, **row: Any) -> None:
        self.history.records.append(row)

    def save(self) -> None:
        if self._checkpoint is None:
            return
        arrays, state = self.state()
        arrays.update((f"best.{name}", array) for name, array in self.kept.items())
        arrays.update((f"history.{name}", array) for name, array in self.history.arrays().items())
        write_checkpoint(self._checkpoint, arrays, {**state, "batches": self._stream.state()})

    def load(self) -> None:
        """Restore the training from its checkpoint; ValueError if it does not fit."""
        try:
            arrays, state = read_checkpoint(self._checkpoint)                                   # type: ignore[arg-type]
            self.load_state(arrays, state)
            if self.settings.patience:
                self.kept = {name: array.copy() for name, array in part(arrays, "best.").items()}
            self.history.records = History.records_of(part(arrays, "history."))
            self._stream.load_state(state["batches"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"fit: cannot resume from {self._checkpoint}: {why(error)}; continue with the model, "
                             f"optimizer and schedule that it was made with, or leave out resume") from None


def _figures(found: Any) -> dict[str, Any]:
    """What a validation function returned, as {"val_loss": …, …}."""
    figures = dict(found) if isinstance(found, dict) else {"val_loss": found}
    if "val_loss" not in figures:
        raise ValueError(f"fit: validation returned {', '.join(figures) or 'nothing'}, "
                         "expected a number, or a dictionary with val_loss")
    figures = {name: float(value.item() if hasattr(value, "item") else value) for name, value in figures.items()}
    if not np.isfinite(figures["val_loss"]):
        raise FloatingPointError(f"fit: the validation loss is {figures['val_loss']}, expected a finite number")
    return figures
