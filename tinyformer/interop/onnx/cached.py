"""Forms with a cache: the keys and values of the positions read before go in, and those of all positions come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ... import ops
from .forms import Form, Input, floats, ids, mask

PAST = "past_sequence"


class RecordedCache:
    """What a model reads in place of ``generate.KVCache``: it joins keys and values by an operation that is recorded.

    past        (keys, values) of each layer, (B, G, P, D), in the order in which the layers ask
    present     the same with the new positions, as far as the layers have asked
    """

    def __init__(self, past: list[tuple[np.ndarray, np.ndarray]]) -> None:
        self.past, self.length = past, past[0][0].shape[2]
        self.present: list[tuple[np.ndarray, np.ndarray]] = []

    def extend(self, layer: Any, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All keys and values of the next layer, (B, G, P + T, D)."""
        keys, values = self.past[len(self.present)]
        self.present.append((ops.concatenate(keys, k, axis=2).data, ops.concatenate(values, v, axis=2).data))
        return self.present[-1]

    def mask(self, T: int, S: int) -> np.ndarray:
        """(T, S), True where a query may attend to a key; also for one query, so that every pass has it."""
        return np.tri(T, S, S - T, dtype=bool)

    def fixed(self, layer: Any, compute: Any) -> tuple[np.ndarray, np.ndarray]:
        """Keys and values of an encoder's output, computed in the file."""
        return compute()


def _inputs(config: Any) -> dict[str, Input]:
    """past_key_values.N.key and .value of each layer."""
    heads = getattr(config, "n_kv_head", config.n_head)
    width = getattr(config, "head_dim", 0) or config.n_embd // config.n_head
    return {f"past_key_values.{i}.{what}": floats("batch", heads, PAST, width)
            for i in range(config.n_layer) for what in ("key", "value")}


def _cache(config: Any, given: Mapping[str, np.ndarray]) -> RecordedCache:
    return RecordedCache([(given[f"past_key_values.{i}.key"], given[f"past_key_values.{i}.value"])
                          for i in range(config.n_layer)])


def _present(cache: RecordedCache) -> dict[str, np.ndarray]:
    return {f"present.{i}.{what}": array for i, pair in enumerate(cache.present)
            for what, array in zip(("key", "value"), pair)}


def language(model: Any) -> Form:
    """input_ids and past keys and values → logits of the new positions, present keys and values"""
    c = model.config
    _check_room(model)

    def forward(input_ids: Any, **past: Any) -> Mapping[str, Any]:
        cache = _cache(c, past)
        return {"logits": model(input_ids, cache), **_present(cache)}

    return Form({"input_ids": ids(c.vocab_size), **_inputs(c)}, forward, {"sequence": c.block_size, PAST: 0})


def decoder_step(model: Any) -> Form:
    """decoder_input_ids, the encoder's outputs, past keys and values → logits, present keys and values"""
    c = model.config
    _check_room(model)

    def forward(decoder_input_ids: Any, encoder_hidden_states: Any, encoder_attention_mask: Any,
                **past: Any) -> Mapping[str, Any]:
        cache = _cache(c, past)
        logits = model.decode(decoder_input_ids, encoder_hidden_states, encoder_attention_mask == 0, cache)
        return {"logits": logits, **_present(cache)}

    return Form({"decoder_input_ids": ids(c.vocab_size, ("batch", "decoder_sequence")),
                 "encoder_hidden_states": floats("batch", "sequence", c.n_embd),
                 "encoder_attention_mask": mask(), **_inputs(c)}, forward,
                {"sequence": c.block_size, "decoder_sequence": c.block_size, PAST: 0})


def encoder(model: Any) -> Form:
    """input_ids → encoder_hidden_states, encoder_attention_mask, as ``decoder_step`` takes them"""
    c = model.config

    def forward(input_ids: Any) -> Mapping[str, Any]:
        memory, padding = model.encode(input_ids)
        return {"encoder_hidden_states": memory, "encoder_attention_mask": (~padding).astype(np.int64)}

    return Form({"input_ids": ids(c.vocab_size, pad=0)}, forward, {"sequence": c.block_size})


def _check_room(model: Any) -> None:
    if model.config.block_size < 4:
        raise ValueError(f"export: {type(model).__name__} has a block_size of {model.config.block_size}, expected at "
                         "least 4 for a file with a cache: there is no room for past and new positions")


def cached_form(model: Any) -> Form:
    """The form with past keys and values. TypeError, which names the class, for a model without them."""
    if hasattr(model, "encode") and hasattr(model, "decode") and getattr(model, "task", "") == "translation":
        return decoder_step(model)
    if getattr(model, "task", "") == "language" and hasattr(model.config, "cache_width"):
        return language(model)
    raise TypeError(f"export: {type(model).__name__} has no cache of keys and values; expected a GPT, a Llama or a "
                    "Seq2Seq, or cache=False")


def encoder_form(model: Any) -> Form:
    """The form of an encoder alone. TypeError, which names the class, for a model that is none beside a decoder."""
    if getattr(model, "task", "") != "translation":
        raise TypeError(f"export: {type(model).__name__} has no encoder beside a decoder; expected a Seq2Seq")
    return encoder(model)
