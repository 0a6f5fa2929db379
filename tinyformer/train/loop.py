"""The training loop."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from ..autograd import first_nonfinite, unreached
from ..optim import clip_grad_norm_


@dataclass
class Step:
    """What one update did. ``loss`` in nats a token, before the update; ``grad_norm`` before clipping."""

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
                raise FloatingPointError(_diverged(step, mean_loss, loss, model))
            (loss if accumulate == 1 else loss * (1 / accumulate)).backward()
        if step == start + 1 and (names := unreached(model.named_parameters())):
            warnings.warn(f"no gradient reached {', '.join(names)}: they will not be trained", stacklevel=2)
        norm = clip_grad_norm_(parameters, clip or math.inf)
        if not math.isfinite(norm):
            raise FloatingPointError(f"step {step}: the loss is {mean_loss:.4g}, but its gradient is not finite; "
                                     f"try a lower train.lr")
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        yield Step(step, mean_loss, lr, norm, tokens)


def _diverged(step, value, loss, model):
    """Where the loss went wrong: in a parameter that is no number any more, or in an operation of this step."""
    broken = [name for name, parameter in model.named_parameters() if not np.isfinite(parameter.data).all()]
    if broken:
        return f"step {step}: the loss is {value}: the parameter {broken[0]} is not finite; try a lower train.lr"
    operation, shape = first_nonfinite(loss)
    return (f"step {step}: the loss is {value}; the first operation whose output is not finite is {operation}, "
            f"of shape {shape}; try a lower train.lr")
