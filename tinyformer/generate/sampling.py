"""Generation: each token is drawn from the model's distribution after the tokens before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays import plain_array
from ..autograd import no_grad
from ..nn import evaluating
from ..number_checks import check_integer
from ..rng import generator
from .cache import KVCache, check_memory, for_decoding
from .choice import Choice

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..typing import Array, RNGLike


def stream(model: Any, ids: ArrayLike, max_new_tokens: int, *, end: int | None = None,
           rng: RNGLike | Sequence[RNGLike] = None, use_cache: bool = True, **choice: Any) -> Iterator[Array]:
    """Yield the next token of each row, (B,), ``max_new_tokens`` times, or until every row has reached ``end``.

    ids         (B, T), T ≥ 1
    end         the token that finishes a row; a finished row yields only ``end``
    rng         a seed or Generator for all rows, or a list with one for each row; with a list, a row gets the same
                tokens as it gets alone
    choice      temperature, top_k, top_p, min_p, repetition_penalty; see ``choose``

    The prompt must fit into the model's context of ``block_size`` tokens. A cache holds what was computed until the
    text is longer than that. Then the window slides, all positions change, and each step reads the whole window again.
    The tokens are the same with and without the cache. Each call chooses the form of the model once, so do not change
    the model meanwhile.

    Raises ValueError for a prompt that does not fit, and for a text whose tokens and cache exceed the memory of this
    machine.
    """
    settings, ids = Choice(**choice), plain_array("generate", ids)
    if ids.ndim != 2 or ids.shape[1] == 0 or ids.dtype.kind not in "iu":
        raise ValueError(f"generate: ids are {ids.dtype} of shape {ids.shape}, expected integers (B, T) with T ≥ 1")
    prompts = _checked(model, list(ids), max_new_tokens, use_cache)
    return _tokens(model, prompts, max_new_tokens, end, _draws(rng, len(ids)), use_cache, settings)


def stream_lines(model: Any, ids: ArrayLike, max_new_tokens: int, end: int, *, rng: RNGLike = None,
                 **how: Any) -> Iterator[Array]:
    """As ``stream``, for one row and a model of separate lines: after ``end`` it sees only that token."""
    rng, left = generator(rng), max_new_tokens
    while left > 0:
        for token in stream(model, ids, left, end=end, rng=rng, **how):
            yield token
            left -= 1
        ids = np.array([[end]])


def generate(model: Any, ids: ArrayLike | Sequence[ArrayLike], max_new_tokens: int, *, end: int | None = None,
             rng: RNGLike | Sequence[RNGLike] = None, use_cache: bool = True, **choice: Any) -> Any:
    """``ids`` followed by up to ``max_new_tokens`` generated tokens, in evaluation mode; arguments as for ``stream``.

    ids         (T,) or (B, T); the result has the same number of axes. Or a list of B prompts (T₁,), (T₂,), … of
                different lengths; the result is then a list of arrays, and each is what its prompt gives alone

    No prompt is padded. The model reads all prompts up to the length of the shortest. From there on, a row whose prompt
    is longer takes its own next token instead of the drawn one.
    """
    settings, given = Choice(**choice), cast(Any, ids)
    ragged = isinstance(given, (list, tuple)) and given and not np.isscalar(given[0])
    one = not ragged and np.ndim(given) == 1
    prompts = [plain_array("generate", row) for row in ([given] if one else given)]
    for row in prompts:
        if row.ndim != 1 or not row.size or row.dtype.kind not in "iu":
            raise ValueError(f"generate: ids are {row.dtype} of shape {row.shape if ragged else np.shape(given)}, "
                             "expected "
                             f"integers (T,) or (B, T), or a list of such rows, with T ≥ 1")
    _checked(model, prompts, max_new_tokens, use_cache)
    if not prompts:
        return []
    shortest, longest, n = min(map(len, prompts)), max(map(len, prompts)), 0
    drawn = np.empty((len(prompts), longest - shortest + max_new_tokens), np.int64)
    with evaluating(model):
        for token in _tokens(model, prompts, max_new_tokens, end, _draws(rng, len(prompts)), use_cache, settings):
            drawn[:, n] = token
            n += 1
    drawn = drawn[:, :n]
    full = [np.concatenate([row, new[len(row) - shortest:][:max_new_tokens]]) for row, new in zip(prompts, drawn)]
    return full[0] if one else full if ragged and len({*map(len, prompts)}) > 1 else np.stack(full)


def _tokens(model, prompts, max_new_tokens, end, draws, use_cache, choice):
    """Yield a column of tokens (B,) for each position after the shortest prompt.

    Longer prompts yield their own tokens.
    """
    if not prompts:
        return
    lengths = np.array([len(row) for row in prompts])
    block_size, shortest, longest = model.config.block_size, lengths.min(), lengths.max() + max_new_tokens
    ids = np.empty((len(prompts), longest), np.int64)       # at the end; the first columns are filled
    ids[:, :shortest] = [row[:shortest] for row in prompts]
    cache = KVCache(min(block_size, longest)) if use_cache else None
    model = for_decoding(model) if use_cache else model
    ended = np.zeros(len(ids), bool)
    for place in range(shortest, longest):
        with no_grad():
            if cache is not None and place <= block_size:
                new = ids[:, cache.length:place]
                logits = model(new, cache)
                cache.advance(new.shape[1])
            else:
                logits = model(ids[:, max(0, place - block_size):place])
        own = place < lengths                               # the rows that are still in their prompts
        token = choice(logits.data[:, -1], ids[:, :place], draws(~own))
        token[own] = [row[place] for row in prompts if place < len(row)]
        if end is not None:
            token[ended] = end
            ended |= ~own & (token == end)
        yield token
        if ended.all():
            return
        ids[:, place] = token


def _checked(model, prompts, max_new_tokens, use_cache):
    """The prompts, checked: the model can read them, and the texts fit into the memory."""
    check_integer("generate", "max_new_tokens", max_new_tokens, at_least=0)
    block_size, V = model.config.block_size, getattr(model.config, "vocab_size", None)
    slides = getattr(model, "whole_text", False)            # such a model reads texts of any length
    for row in prompts:
        if len(row) > block_size and not slides:
            raise ValueError(f"generate: the prompt has {len(row)} tokens, but the model's context is {block_size}; "
                             f"give it the last {block_size}")
        if V is not None and (row.min() < 0 or row.max() >= V):
            raise ValueError(f"generate: a token of the prompt is {row[(row < 0) | (row >= V)][0]}, expected 0…{V - 1}")
    length = max(map(len, prompts), default=0) + max_new_tokens
    check_memory(model, len(prompts), length, min(block_size, length) if use_cache else 0)
    return prompts


def _draws(rng, B):
    """A function from booleans (B,), the rows that draw, to their random numbers in [0, 1).

    The other rows get any number.
    """
    if not isinstance(rng, (list, tuple)):
        one = generator(rng)
        return lambda drawing: one.random(B)
    if len(rng) != B:
        raise ValueError(f"generate: rng has {len(rng)} seeds, expected one for each of {B} prompts")
    each = [generator(seed) for seed in rng]
    return lambda drawing: np.array([one.random() if draws else 0.0 for one, draws in zip(each, drawing)])
