"""How good is it? The validation loss, and what it is to be held beside."""

from __future__ import annotations

import math

import numpy as np

from ..autograd import no_grad
from ..data import by_length, windows
from ..models.ngram import NGram, NGramConfig
from ..models.ngram_counts import Counts
from ..nn import evaluating
from .loop import not_finite
from .scores import bootstrap

PIECE = 256


def evaluate_loss(model, tokens, *, at_most=None, batch_size=32):
    """Mean cross-entropy in nats a token over ``tokens``; see ``evaluate_losses``."""
    return mean_loss(evaluate_losses(model, tokens, at_most=at_most, batch_size=batch_size))


def evaluate_losses(model, tokens, *, at_most=None, batch_size=32):
    """Yield the cross-entropies in nats of ``tokens``, (B, T) at a time, read in windows of the model's block side by side.

    tokens      (T,) of one text, or a list of such, each of which is read alone and whole
    at_most     windows (or texts) to look at, evenly spread; None for every token but the first

    A model that says ``whole_text`` reads the tokens in one piece: it slides along them and costs no more that way.
    FloatingPointError if the loss is not finite.
    """
    if isinstance(tokens, list):
        batches = by_length(tokens, batch_size, at_most)
    else:
        batches = windows(tokens, batch_size, len(tokens) - 1 if getattr(model, "whole_text", False) else model.config.block_size,
                          at_most)
    with evaluating(model):
        for x, y in batches:
            with no_grad():
                losses = model.losses(x, y).data
            if not np.isfinite(losses).all():
                raise not_finite(model, model.loss(x, y))
            yield losses


def mean_loss(losses):
    """The mean of all numbers in ``losses``, arrays of any shapes."""
    total, count = 0.0, 0
    for each in losses:
        total += float(each.sum(dtype=np.float64))
        count += each.size
    return total / count


def loss_interval(losses, lines=False):
    """(low, high): the 95 % interval of ``mean_loss(losses)``, had the text been another one of its kind.

    What is drawn anew is not tokens, for neighbours are alike, but whole ``lines`` (the rows of each array), or else pieces of
    ``PIECE`` tokens that stand side by side. None where there are fewer than 20 of them.   Source: Künsch (1989).
    """
    if lines:
        sums, counts = (np.concatenate(each) for each in zip(*(
            (batch.sum(axis=1, dtype=np.float64), np.full(len(batch), batch.shape[1])) for batch in losses)))
    else:
        row = np.concatenate([batch.ravel() for batch in losses]).astype(np.float64)
        cuts = np.arange(0, len(row), PIECE)
        sums, counts = np.add.reduceat(row, cuts), np.diff(cuts, append=len(row))
    if len(sums) < 20:
        return None
    return bootstrap(lambda drawn: sums[drawn].sum() / counts[drawn].sum(), len(sums))


def uniform_loss(vocab_size):
    """ln V: what a model pays that knows nothing but the vocabulary."""
    return math.log(vocab_size)


def bigram_loss(train, validation, vocab_size):
    """Mean −ln p(next | this) over ``validation`` in nats a token, with p counted on ``train``, one added to each count:

        p(b | a) = (count(ab) + 1) / (count(a·) + V)

    Each is (T,) of one text, or a list of such that begin and end with the same mark.
    """
    train, validation = in_one(train), in_one(validation)

    def pairs(tokens):
        return tokens[:-1].astype(np.int64) * vocab_size + tokens[1:]

    known, counts = np.unique(pairs(train), return_counts=True)
    after = np.bincount(train[:-1], minlength=vocab_size)                       # count(a·)
    asked = pairs(validation)
    place = np.searchsorted(known, asked).clip(max=len(known) - 1)
    seen = np.where(known[place] == asked, counts[place], 0)
    return float(-np.log((seen + 1) / (after[validation[:-1]] + vocab_size)).mean())


def kneser_ney_losses(train, validation, vocab_size, longest=6):
    """{n: mean −ln p in nats a token over ``validation``} of n-grams counted on ``train``, n = 1…longest, with modified
    Kneser–Ney smoothing: the least of them is what a neural language model has to beat. Both are as for ``bigram_loss``."""
    counts = Counts(train, longest, vocab_size)
    return {n: evaluate_loss(NGram(NGramConfig(vocab_size, n)).fit(counts), validation) for n in range(1, longest + 1)}


def in_one(texts):
    """One text of several that begin and end with the same mark, which stands once between two of them. (T,) stays as it is."""
    return np.concatenate([texts[0][:1], *(text[1:] for text in texts)]) if isinstance(texts, list) else texts
