"""Text from a language model: choose a token, append it, ask again.

A model is anything with ``model(ids, cache)`` and ``model.config.block_size``.
"""

from __future__ import annotations

import numpy as np

from .autograd import no_grad
from .rng import generator


class KVCache:
    """The keys and values of the positions read so far, for each attention layer, so that no position is computed twice."""

    def __init__(self, block_size):
        self.block_size = block_size
        self.length = 0                     # positions that every layer has seen
        self._layers = {}

    def extend(self, layer, k, v):
        """Append k and v (B, H, T, D) of ``layer``; returns all of its keys and values (B, H, past + T, D)."""
        if layer not in self._layers:
            room = (*k.shape[:2], self.block_size, k.shape[3])
            self._layers[layer] = [np.empty(room, k.dtype), np.empty(room, v.dtype), 0]
        keys, values, past = self._layers[layer]
        end = past + k.shape[2]
        keys[:, :, past:end], values[:, :, past:end] = k, v
        self._layers[layer][2] = end
        return keys[:, :, :end], values[:, :, :end]

    def advance(self, T):
        """T more positions have been through all layers."""
        self.length += T


def choose(logits, temperature=1.0, top_k=None, top_p=None, rng=None):
    """One token a row, drawn from softmax(logits / temperature).   logits (B, V) → ids (B,)

    temperature   0 takes the likeliest (greedy); below 1 sharpens, above 1 flattens
    top_k         only the k likeliest are drawn from
    top_p         only the fewest likeliest whose probabilities reach p together.   Source: Holtzman et al. (2019).
    """
    _check_choice(temperature, top_k, top_p)
    logits = np.asarray(logits, np.float64)
    if not np.isfinite(logits).all():
        raise ValueError("generate: the model's logits are not all finite; its weights are damaged or its training diverged")
    if temperature == 0:
        return logits.argmax(axis=-1)
    order = np.argsort(-logits, axis=-1, kind="stable")                         # likeliest first
    ranked = np.take_along_axis(logits, order, axis=-1)
    p = np.exp((ranked - ranked[:, :1]) / temperature)
    p /= p.sum(axis=-1, keepdims=True)
    if top_k is not None:
        p[:, top_k:] = 0
    if top_p is not None:
        p[np.cumsum(p, axis=-1) - p >= top_p * p.sum(axis=-1, keepdims=True)] = 0       # those before it reach top_p already
    reached = np.cumsum(p, axis=-1)
    draw = generator(rng).random((len(p), 1)) * reached[:, -1:]
    rank = np.minimum((reached <= draw).sum(axis=-1, keepdims=True), (p > 0).sum(axis=-1, keepdims=True) - 1)
    return np.take_along_axis(order, rank, axis=-1)[:, 0]


def _check_choice(temperature, top_k, top_p):
    if not 0 <= temperature < np.inf:
        raise ValueError(f"generate: temperature is {temperature}, expected a finite number of at least 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"generate: top_k is {top_k}, expected at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"generate: top_p is {top_p}, expected 0 < top_p ≤ 1")


def stream(model, ids, max_new_tokens, *, temperature=1.0, top_k=None, top_p=None, rng=None, use_cache=True):
    """Yield the next token of each row, (B,), ``max_new_tokens`` times.   ids (B, T), T ≥ 1

    The model sees the last ``block_size`` tokens. While all of them fit, a cache keeps what was computed; once the window
    slides, every position moves and each step reads the window anew. The tokens are the same with and without the cache.
    """
    ids = np.asarray(ids)
    if ids.ndim != 2 or ids.shape[1] == 0 or ids.dtype.kind not in "iu":
        raise ValueError(f"generate: ids are {ids.dtype} of shape {ids.shape}, expected integers (B, T) with T ≥ 1")
    if max_new_tokens < 0:
        raise ValueError(f"generate: max_new_tokens is {max_new_tokens}, expected at least 0")
    _check_choice(temperature, top_k, top_p)
    return _tokens(model, ids, max_new_tokens, temperature, top_k, top_p, generator(rng), use_cache)


def _tokens(model, ids, max_new_tokens, temperature, top_k, top_p, rng, use_cache):
    block_size = model.config.block_size
    cache = KVCache(block_size) if use_cache else None
    for _ in range(max_new_tokens):
        with no_grad():
            if cache is not None and ids.shape[1] <= block_size:
                new = ids[:, cache.length:]
                logits = model(new, cache)
                cache.advance(new.shape[1])
            else:
                logits = model(ids[:, -block_size:])
        token = choose(logits.data[:, -1], temperature, top_k, top_p, rng)
        yield token
        ids = np.concatenate([ids, token[:, None]], axis=1)


def generate(model, ids, max_new_tokens, **how):
    """``ids`` (T,) or (B, T) followed by ``max_new_tokens`` more of each row; ``how`` is that of ``stream``."""
    ids = np.asarray(ids)
    rows = ids[None] if ids.ndim == 1 else ids
    was_training, _ = model.training, model.eval()
    try:
        new = list(stream(model, rows, max_new_tokens, **how))
    finally:
        model.train(was_training)
    full = np.concatenate([rows, np.stack(new, axis=1)], axis=1) if new else rows
    return full[0] if ids.ndim == 1 else full
