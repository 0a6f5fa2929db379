"""Beam search: not the likeliest token each time, but the likeliest text that a few beginnings lead to."""

from __future__ import annotations

import numpy as np

from ..arrays import plain_array
from ..autograd import no_grad
from ..nn import evaluating
from .cache import KVCache, check_memory, for_decoding
from .choice import finite


def beam_search(state, tokens, max_new_tokens, beams=4, end=None, length_penalty=0.6):
    """For each of the B rows, the ids that follow: those of the highest

        score = ln p(ids) / ((5 + n) / 6)^α         n = how many they are, with ``end``;   α = length_penalty

    among the beginnings kept. Each step goes on from the ``beams`` likeliest with every token and keeps the ``beams``
    likeliest again; one that ``end`` comes to is set aside, and a row is done when it has ``beams`` of these. One beam is
    greedy search.

    end         the id that a text ends with, or several; without one it has ``max_new_tokens``
    state       ``logits(tokens (N,))`` → (N, V), what may come next in each of the N texts now at work; ``pick(rows)`` goes
                on with those of them
    tokens      (B,) the first to be read

    Source: Wu et al. (2016), equation 14 for the score; Vaswani et al. (2017) take 4 beams and α = 0.6.
    """
    _check(beams, max_new_tokens, length_penalty)
    sentences = np.arange(len(tokens))                                  # b rows still at work, of k beams each
    scores, written = np.zeros((len(tokens), 1)), np.empty((len(tokens), 1, 0), np.int64)       # (b, k), (b, k, n)
    answers = [[] for _ in tokens]
    for n in range(1, max_new_tokens + 1):
        logp = log_softmax(finite(state.logits(tokens)))                # (b·k, V)
        (b, k), V = scores.shape, logp.shape[1]
        came, token, value = _best(scores[:, :, None] + logp.reshape(b, k, V), 2 * beams)       # (b, 2·beams) each
        ended = np.isin(token, [] if end is None else end)
        for i, j in zip(*np.nonzero(ended[:, :beams])):
            answers[sentences[i]].append((value[i, j] / penalty(n, length_penalty), written[i, came[i, j]]))
        value[ended] = -np.inf                                          # at most one of each beam ends: enough are left
        going = np.argsort(-value, axis=1, kind="stable")[:, :beams]    # (b, beams)
        still = np.flatnonzero([len(answers[s]) < beams for s in sentences])
        came, token, scores = (np.take_along_axis(a, going, axis=1)[still] for a in (came, token, value))
        written = np.concatenate([written[still[:, None], came], token[:, :, None]], axis=2)
        sentences = sentences[still]
        if not still.size or n == max_new_tokens:
            break
        state.pick((still[:, None] * k + came).reshape(-1))
        tokens = token.reshape(-1)
    for s, row, values in zip(sentences, written, scores):              # what has not ended by then counts as it is
        answers[s] += [(v / penalty(max_new_tokens, length_penalty), ids) for v, ids in zip(values, row)]
    return [max(those, key=lambda one: one[0])[1].tolist() if those else [] for those in answers]


def beams(model, ids, max_new_tokens, beams=4, end=None, length_penalty=0.6):
    """``ids`` (T,) and what a language model is likeliest to go on with, by ``beam_search``.

    The whole text must fit into the model's context: unlike ``generate``, a search does not slide the window.
    """
    ids = plain_array("beams", ids)
    if ids.ndim != 1 or not ids.size or ids.dtype.kind not in "iu":
        raise ValueError(f"beams: ids are {ids.dtype} of shape {ids.shape}, expected integers (T,) with T ≥ 1")
    if len(ids) + max_new_tokens > model.config.block_size + 1:         # the last token is not read again
        raise ValueError(f"beams: {len(ids)} tokens and {max_new_tokens} more do not fit into the model's context of "
                         f"{model.config.block_size}")
    check_memory(model, beams, len(ids) + max_new_tokens, len(ids) + max_new_tokens)
    with evaluating(model), no_grad():
        state = _Text(model, ids, len(ids) + max_new_tokens)
        found, = beam_search(state, ids[-1:], max_new_tokens, beams, end, length_penalty)
    return np.concatenate([ids, np.array(found, ids.dtype)])


class _Text:
    """A text that a language model goes on with, which has read all but its last token."""

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


def penalty(n, alpha):
    """((5 + n) / 6)^α: what the logarithm of a text's probability is divided by, for it falls with every token."""
    return ((5 + n) / 6) ** alpha


def log_softmax(logits):
    """ln softmax of each row, in float64."""
    z = logits - logits.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def _best(scores, n):
    """Of scores (b, k, V) the n highest of each row, the highest first: beams, tokens and scores, each (b, n)."""
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
