"""How good is it? The validation loss, and two numbers to hold beside it."""

from __future__ import annotations

import math

import numpy as np

from ..autograd import no_grad
from ..data import windows
from .loop import why_not_finite


def evaluate_loss(model, tokens, *, at_most=None, batch_size=32):
    """Mean cross-entropy in nats a token over ``tokens``, read in windows of the model's block side by side.

    at_most     windows to look at, evenly spread; None for every token but the first

    A model that says ``whole_text`` reads the tokens in one piece: it slides along them and costs no more that way.
    FloatingPointError if the loss is not finite.
    """
    was_training, _ = model.training, model.eval()
    total, count = 0.0, 0
    T = len(tokens) - 1 if getattr(model, "whole_text", False) else model.config.block_size
    try:
        for x, y in windows(tokens, batch_size, T, at_most):
            with no_grad():
                loss = model.loss(x, y).item()
            if not math.isfinite(loss):
                raise FloatingPointError(f"the validation loss is {loss}: {why_not_finite(model, model.loss(x, y))}")
            total += loss * y.size
            count += y.size
    finally:
        model.train(was_training)
    return total / count


def uniform_loss(vocab_size):
    """ln V: what a model pays that knows nothing but the vocabulary."""
    return math.log(vocab_size)


def bigram_loss(train, validation, vocab_size):
    """Mean −ln p(next | this) over ``validation`` in nats a token, with p counted on ``train``, one added to each count:

        p(b | a) = (count(ab) + 1) / (count(a·) + V)
    """
    def pairs(tokens):
        return tokens[:-1].astype(np.int64) * vocab_size + tokens[1:]

    known, counts = np.unique(pairs(train), return_counts=True)
    after = np.bincount(train[:-1], minlength=vocab_size)                       # count(a·)
    asked = pairs(validation)
    place = np.searchsorted(known, asked).clip(max=len(known) - 1)
    seen = np.where(known[place] == asked, counts[place], 0)
    return float(-np.log((seen + 1) / (after[validation[:-1]] + vocab_size)).mean())
