"""Beam search: the most likely text among the continuations of several beams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..arrays import plain_array
from ..autograd import no_grad
from ..nn import evaluating
from .cache import KVCache, check_memory, for_decoding
from .choice import finite

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..typing import Array


class BeamState(Protocol):
    """The texts that ``beam_search`` is extending: N rows."""

    def logits(self, tokens: Array) -> Array:
        """Append ``tokens`` (N,) to the texts. Returns the logits of the next tokens, (N, V)."""
        ...

    def pick(self, rows: Array) -> None:
        """Continue with ``rows`` of the texts, in this order. A row may occur several times."""
        ...


def beam_search(state: BeamState, tokens: Array, max_new_tokens: int, beams: int = 4,
                end: int | Sequence[int] | None = None, length_penalty: float = 0.6) -> list[list[int]]:
    """For each of B rows, the ids of the continuation with the highest

        score = ln p(ids) / ((5 + n) / 6)^α         n = number of ids, ``end`` included;   α = length_penalty

    among those that the search visits. Each step extends the ``beams`` best texts by every token and keeps the
    ``beams`` best results. A text that reaches ``end`` is set aside; a row is finished when it has ``beams`` such
    texts. One beam is greedy search.

    end         the id that ends a text, or several; without one, every text has ``max_new_tokens``
    state       the texts; see ``BeamState``
    tokens      (B,), the first tokens that the model reads

    Source: Wu et al. (2016), equation 14 for the score; Vaswani et al. (2017) take 4 beams and α = 0.6.
    """
    _check(beams, max_new_tokens, length_penalty)
    sentences = np.arange(len(tokens))                                  # b unfinished rows of k beams each
    scores, written = np.zeros((len(tokens), 1)), np.empty((len(tokens), 1, 0), np.int64)       # (b, k), (b, k, n)
    answers = [[] for _ in tokens]
    for n in range(1, max_new_tokens + 1):
        logp = log_softmax(finite(state.logits(tokens)))                # (b·k, V)
        (b, k), V = scores.shape, logp.shape[1]
        came, token, value = _best(scores[:, :, None] + logp.reshape(b, k, V), 2 * beams)       # (b, 2·beams) each
        ended = np.isin(token, [] if end is None else end)
        for i, j in zip(*np.nonzero(ended[:, :beams])):
            answers[sentences[i]].append((value[i, j] / penalty(n, length_penalty), written[i, came[i, j]]))
        # each beam ends in at most one way, so enough remain
        value[ended] = -np.inf
        going = np.argsort(-value, axis=1, kind="stable")[:, :beams]    # (b, beams)
        still = np.flatnonzero([len(answers[s]) < beams for s in sentences])
        came, token, scores = (np.take_along_axis(a, going, axis=1)[still] for a in (came, token, value))
        written = np.concatenate([written[still[:, None], came], token[:, :, None]], axis=2)
        sentences = sentences[still]
        if not still.size or n == max_new_tokens:
            break
        state.pick((still[:, None] * k + came).reshape(-1))
        tokens = token.reshape(-1)
    for s, row, values in zip(sentences, written, scores):              # texts without an end compete as they are
        answers[s] += [(v / penalty(max_new_tokens, length_penalty), ids) for v, ids in zip(values, row)]
    return [max(those, key=lambda one: one[0])[1].tolist() if those else [] for those in answers]


def beams(model: Any, ids: ArrayLike, max_new_tokens: int, beams: int = 4, end: int | Sequence[int] | None = None,
          length_penalty: float = 0.6) -> Array:
    """``ids`` (T,) and the continuation of a language model that ``beam_search`` finds.

    The whole text must fit into the model's context: unlike ``generate``, the search does not slide the window.
    """
    ids = plain_array("beams", ids)
    if ids.ndim != 1 or not ids.size or ids.dtype.kind not in "iu":
        raise ValueError(f"beams: ids are {ids.dtype} of shape {ids.shape}, expected integers (T,) with T ≥ 1")
    if len(ids) + max_new_tokens > model.config.block_size + 1:         # the last token is not read again
        raise ValueError(f"beams: {len(ids)} tokens and {max_new_tokens} more do not fit "
                         f"into the model's context of {model.config.block_size}")
    check_memory(model, beams, len(ids) + max_new_tokens, len(ids) + max_new_tokens)
    with evaluating(model), no_grad():
        state = _Text(model, ids, len(ids) + max_new_tokens)
        found, = beam_search(state, ids[-1:], max_new_tokens, beams, end, length_penalty)
    return np.concatenate([ids, np.array(found, ids.dtype)])


class _Text:
    """The beams of one text. The model has read all but the last token."""

    def __init__(self, model, ids, room):
        self.model, self.cache = for_decoding(model), KVCache(room)
        if len(ids) > 1:
            self._read(ids[None, :-1])

    def _read(self, ids):
        logits = self.model(ids, self.cache)
        self.cache.advance(ids.shape[1])
        return logits.data[:, -1]

    def logits(self, tokens):
        return self._read(tokens[:, None])

    def pick(self, rows):
        self.cache.pick(rows)


def penalty(n: int, alpha: float) -> float:
    """((5 + n) / 6)^α, the divisor of a text's log-probability, which falls with every token."""
    return ((5 + n) / 6) ** alpha


def log_softmax(logits: Array) -> Array:
    """ln softmax of each row of ``logits`` (N, V), in float64."""
    z = logits - logits.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def _best(scores: Array, n: int) -> tuple[Any, Any, Any]:
    """The n highest of ``scores`` (b, k, V) in each row, in descending order: beams, tokens and scores, each (b, n)."""
    b, k, V = scores.shape
    flat = scores.reshape(b, k * V)
    n = min(n, k * V)
    best = np.argpartition(-flat, n - 1, axis=1)[:, :n]
    value = np.take_along_axis(flat, best, axis=1)
    order = np.argsort(-value, axis=1, kind="stable")
    best, value = (np.take_along_axis(a, order, axis=1) for a in (best, value))
    return best // V, best % V, value


def _check(beams, max_new_tokens, length_penalty):
    if beams < 1:
        raise ValueError(f"beam_search: beams is {beams}, expected at least 1")
    if max_new_tokens < 0:
        raise ValueError(f"beam_search: max_new_tokens is {max_new_tokens}, expected at least 0")
    if not np.isfinite(length_penalty):
        raise ValueError(f"beam_search: length_penalty is {length_penalty}, expected a finite number")
