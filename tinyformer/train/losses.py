"""The loss of a language model on held-out text, and the baselines that it is compared with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import no_grad
from ..data import by_length, windows
from ..models.ngram import NGram, NGramConfig
from ..models.ngram_counts import Counts
from ..nn import evaluating
from .loop import not_finite
from .scores import bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Text = NDArray[Any] | list[NDArray[Any]]

PIECE = 256


def evaluate_loss(model: Any, tokens: Text, *, at_most: int | None = None, batch_size: int = 32) -> float:
    """Mean cross-entropy in nats per token over ``tokens``; see ``evaluate_losses``."""
    return mean_loss(evaluate_losses(model, tokens, at_most=at_most, batch_size=batch_size))


def evaluate_losses(model: Any, tokens: Text, *, at_most: int | None = None,
                    batch_size: int = 32) -> Iterator[NDArray[Any]]:
    """Yield the cross-entropies in nats of ``tokens``, (B, T) at a time, in adjacent windows of the model's block size.

    tokens      (N,), one text; or a list of such arrays, each a separate text that is read as a whole
    at_most     number of windows (or texts), evenly spread; None for every token but the first

    A model with ``whole_text`` reads the tokens in one piece, since that costs it no more.
    FloatingPointError if the loss is not finite.
    """
    if isinstance(tokens, list):
        batches = by_length(tokens, batch_size, at_most)
    else:
        width = len(tokens) - 1 if getattr(model, "whole_text", False) else model.config.block_size
        batches = windows(tokens, batch_size, width, at_most)
    with evaluating(model):
        for x, y in batches:
            with no_grad():
                losses = model.losses(x, y).data
            if not np.isfinite(losses).all():
                raise not_finite(model, model.loss(x, y))        # a counting model's loss has a sentence of its own
            yield losses


def mean_loss(losses: Iterable[NDArray[Any]]) -> float:
    """The mean of all entries of ``losses``, arrays of any shapes."""
    total, count = 0.0, 0
    for each in losses:
        total += float(each.sum(dtype=np.float64))
        count += each.size
    return total / count


def loss_interval(losses: Sequence[NDArray[Any]], lines: bool = False) -> tuple[float, float] | None:
    """(low, high): the 95 % confidence interval of ``mean_loss(losses)``, by the block bootstrap.

    It holds for texts of this kind.

    Adjacent tokens depend on each other, so whole ``lines`` (the rows of each array) are resampled, or else blocks of
    ``PIECE`` adjacent tokens. None if there are fewer than 20 of them.

    Source: Künsch (1989).
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


def uniform_loss(vocab_size: int) -> float:
    """ln V, the loss in nats of the uniform distribution over V tokens."""
    return math.log(vocab_size)


def bigram_loss(train: Text, validation: Text, vocab_size: int) -> float:
    """Mean −ln p(next | this) over ``validation`` in nats per token, with p counted on ``train`` and add-one smoothing:

        p(b | a) = (count(ab) + 1) / (count(a·) + V)

    Both are (N,), one text, or lists of such arrays that begin and end with the same token.
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


def kneser_ney_losses(train: Text, validation: Text, vocab_size: int, longest: int = 6) -> dict[int, float]:
    """{n: mean −ln p in nats per token over ``validation``} of n-grams counted on ``train``, n = 1…longest.

    Smoothing is modified Kneser–Ney. The lowest loss is the baseline of a neural language model. Arguments are
    those of ``bigram_loss``.
    """
    counts = Counts(train, longest, vocab_size)
    return {n: evaluate_loss(NGram(NGramConfig(vocab_size, n)).fit(counts), validation) for n in range(1, longest + 1)}


def in_one(texts: Text) -> NDArray[Any]:
    """Several texts that begin and end with the same token as one text, with this token once between two of them.

    One text, (N,), is returned as it is.
    """
    return np.concatenate([texts[0][:1], *(text[1:] for text in texts)]) if isinstance(texts, list) else texts
