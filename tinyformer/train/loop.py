"""The training loop: forward pass, backward pass, clipping, update.

``Trainer`` adds evaluation and checkpoints to it.
"""

from __future__ import annotations

import functools
import math
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import Tensor, no_grad, unreached
from ..graph import first_nonfinite
from ..optim import ReduceOnPlateau, clip_grad_norm_

if TYPE_CHECKING:
    from ..nn import Module
    from ..optim import Optimizer, Schedule

ADVICE = "try a lower learning rate (train.lr in a recipe)"


@dataclass
class Step:
    """What one update did.

    step        its number, from 1
    loss        before the update, the mean over its batches
    lr          the learning rate of the update
    grad_norm   2-norm of the gradient of all parameters, before clipping
    inputs      how many inputs were read: tokens, pixels or examples
    """

    step: int
    loss: float
    lr: float
    grad_norm: float
    inputs: int


def training_steps(model: Module, optimizer: Optimizer, schedule: Schedule | None, next_batch: Callable[[], tuple], *,
                   loss: Callable[..., Tensor] | None = None, count: Callable[[tuple], int] | None = None,
                   start: int = 0, max_steps: int, accumulate: int = 1, clip: float = 0.0) -> Iterator[Step]:
    """Train ``model``, yielding a ``Step`` after each update. The caller decides what happens between two updates.

        L = (1/a) Σ loss(*batch) over a batches         g = ∂L/∂θ, clipped         θ ← update(θ, g)

    schedule        sets the learning rate of each step; None keeps the optimizer's. The caller steps a
                    ``ReduceOnPlateau``, which needs a validation loss.
    next_batch      a function that returns the arguments of ``loss``
    loss            returns the mean loss of a batch, a Tensor with one entry; by default ``model.loss``
    count           the number of inputs in a batch; by default the entries of its first array
    start           the number of steps done already
    accumulate      a: the gradients of this many batches are averaged into one step
    clip            upper bound on the norm of the gradient, 0 for none

    ValueError for a loss that is not a single number or that does not depend on the parameters; TypeError for one that
    is no Tensor; FloatingPointError, which names the step and the first bad value, when the loss or a gradient is not
    finite.
    """
    parameters = list(model.parameters())
    compute_loss: Callable[..., Tensor] = loss or model.loss                # type: ignore[attr-defined]
    for step in range(start + 1, max_steps + 1):
        mean_loss, inputs = 0.0, 0
        lr = schedule.lr if schedule is not None else optimizer.param_groups[0]["lr"]
        for _ in range(accumulate):
            batch = next_batch()
            value = check_loss(compute_loss(*batch))
            mean_loss += value.item() / accumulate
            inputs += count(batch) if count else batch[0].size
            if not math.isfinite(mean_loss):
                raise FloatingPointError(f"step {step}: the loss is {mean_loss}: {why_not_finite(model, value)}")
            (value if accumulate == 1 else value * (1 / accumulate)).backward()
        if step == start + 1 and (names := unreached(model.named_parameters())):
            warnings.warn(f"no gradient reached {', '.join(names)}: they will not be trained", stacklevel=2)
        norm = clip_grad_norm_(parameters, clip or math.inf)
        if not math.isfinite(norm):
            # The backward pass runs from the last parameter to the first, so the last bad one is where it went wrong.
            *_, name = (name for name, p in model.named_parameters()
                        if p.grad is not None and not np.isfinite(p.grad).all())
            raise FloatingPointError(f"step {step}: the loss is {mean_loss:.4g}, "
                                     f"but the gradient of {name} is not finite; {ADVICE}")
        optimizer.step()
        if schedule is not None and not isinstance(schedule, ReduceOnPlateau):
            schedule.step()
        optimizer.zero_grad()
        model.zero_grad()                                   # also of parameters that the optimizer leaves alone
        yield Step(step, mean_loss, lr, norm, inputs)


def check_loss(loss: Any) -> Tensor:
    """``loss`` as it is.

    TypeError unless it is a Tensor, ValueError unless it has one entry and depends on a parameter.
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"the loss is a {type(loss).__name__}, expected a Tensor, computed by operations on Tensors")
    if loss.size != 1:
        raise ValueError(f"the loss has shape {loss.shape}, "
                         "expected a single number; take the mean over the batch, loss.mean()")
    if not loss.requires_grad:
        raise ValueError("the loss does not depend on any parameter that requires a gradient; compute it from the "
                         "model's output, outside of no_grad and without .data")
    return loss


def why_not_finite(model: Module, loss: Tensor) -> str:
    """Where ``loss`` became NaN or infinite: in a parameter or in an operation. Needs the graph of the loss."""
    if broken := broken_parameter(model):
        return f"the parameter {broken} is not finite since the last update; {ADVICE}"
    operation, shape = first_nonfinite(loss)
    if operation == "input":
        return f"an input of shape {shape} holds a NaN or an infinity"
    return f"the first operation whose output is not finite is {operation}, of shape {shape}; {ADVICE}"


def without_graph(model: Module, losses: Callable[[], Sequence[Tensor]]) -> Sequence[Tensor]:
    """The validation losses that ``losses()`` returns, Tensors of any shapes, computed under ``no_grad``.

    FloatingPointError unless all are finite. Its message needs the graph, so the same losses are then computed again.
    """
    with no_grad():
        found = losses()
    if not all(np.isfinite(each.data).all() for each in found):
        raise not_finite(model, functools.reduce(operator.add, (each.mean() for each in losses())))
    return found


def not_finite(model: Module, loss: Tensor) -> FloatingPointError:
    """The error for a validation ``loss`` that is not finite.

    Needs the graph of the loss: compute it outside of ``no_grad``. A loss that draws random numbers may be finite when
    it is computed again.
    """
    if not broken_parameter(model) and np.isfinite(loss.data).all():
        return FloatingPointError(f"the validation loss is not finite, but {loss.item():.4g} when it is computed "
                                  f"again; {ADVICE}")
    return FloatingPointError(f"the validation loss is {loss.item()}: {why_not_finite(model, loss)}")


def broken_parameter(model: Module) -> str | None:
    """The name of the first parameter that holds a NaN or an infinity; None if all are finite."""
    return next((name for name, parameter in model.named_parameters() if not np.isfinite(parameter.data).all()), None)
