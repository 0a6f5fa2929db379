"""The training loop."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from ..autograd import first_nonfinite, unreached
from ..optim import clip_grad_norm_

ADVICE = "try a lower train.lr"


@dataclass
class Step:
    """What one update did. ``loss`` in nats, before the update; ``grad_norm`` before clipping; ``tokens`` (or pixels) read."""

    step: int
    loss: float
    lr: float
    grad_norm: float
    tokens: int


def fit(model, optimizer, schedule, next_batch, *, start=0, max_steps, accumulate=1, clip=0.0):
    """Train ``model``, yielding a ``Step`` after each update; whoever asks for the next one decides what happens between.

    next_batch      a function that returns (x, y) for ``model.loss``
    accumulate      that many batches make one step: their gradients are averaged
    clip            bound on the norm of the gradient, 0 for none
    """
    parameters = list(model.parameters())
    for step in range(start + 1, max_steps + 1):
        mean_loss, tokens, lr = 0.0, 0, schedule.lr
        for _ in range(accumulate):
            x, y = next_batch()
            loss = model.loss(x, y)
            mean_loss += loss.item() / accumulate
            tokens += x.size
            if not math.isfinite(mean_loss):
                raise FloatingPointError(f"step {step}: the loss is {mean_loss}: {why_not_finite(model, loss)}")
            (loss if accumulate == 1 else loss * (1 / accumulate)).backward()
        if step == start + 1 and (names := unreached(model.named_parameters())):
            warnings.warn(f"no gradient reached {', '.join(names)}: they will not be trained", stacklevel=2)
        norm = clip_grad_norm_(parameters, clip or math.inf)
        if not math.isfinite(norm):
            # The backward pass comes from the last parameter to the first: the last one is where it went wrong.
            *_, name = (name for name, p in model.named_parameters() if p.grad is not None and not np.isfinite(p.grad).all())
            raise FloatingPointError(f"step {step}: the loss is {mean_loss:.4g}, but the gradient of {name} is not finite; "
                                     f"{ADVICE}")
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        yield Step(step, mean_loss, lr, norm, tokens)


def why_not_finite(model, loss):
    """Where ``loss`` went wrong: in a parameter that is no number any more, or in an operation. Needs the loss's graph."""
    if broken := broken_parameter(model):
        return f"the parameter {broken} is not finite since the last update; {ADVICE}"
    operation, shape = first_nonfinite(loss)
    return f"the first operation whose output is not finite is {operation}, of shape {shape}; {ADVICE}"


def not_finite(model, loss):
    """The error that says why a validation ``loss`` is not finite. Needs the loss's graph: compute it outside of ``no_grad``."""
    return FloatingPointError(f"the validation loss is {loss.item()}: {why_not_finite(model, loss)}")


def broken_parameter(model):
    """The name of the first parameter that holds a NaN or an infinity, or None."""
    return next((name for name, parameter in model.named_parameters() if not np.isfinite(parameter.data).all()), None)
