"""A completion request as generations: prompts to ids, settings to ``Generation``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..generate.choice import Choice
from ..generate.text import opening
from .errors import ApiError
from .fields import Field, flag, integer, neutral, number, text, texts
from .generation import Generation
from .service import Service

MOST_TEXTS = 128                        # of one request: prompts times n


def prompts(value: Any) -> list[str] | list[list[int]]:
    """OpenAI's four forms: a text, a list of texts, a list of ids, a list of lists of ids."""
    if isinstance(value, list) and value:
        if all(_is_id(one) for one in value):
            return [value]
        if len(value) <= MOST_TEXTS and all(isinstance(row, list) and row and all(map(_is_id, row)) for row in value):
            return value
    try:
        return texts(MOST_TEXTS)(value)
    except ValueError as error:
        raise ValueError(f"{error}, or a list of token ids") from None


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


def stops(value: Any) -> list[str]:
    """A string or a list of up to 16, each with a character."""
    return [] if value == [] else texts(16, empty=False)(value)


def stream_options(value: Any) -> bool:
    """{"include_usage": true or false}, as that flag. OpenAI's "include_obfuscation" has no effect here."""
    if not isinstance(value, dict) or not value.keys() <= {"include_usage", "include_obfuscation"} \
            or not all(one is None or isinstance(one, bool) for one in value.values()):
        raise ValueError('an object with "include_usage": true or false')
    return bool(value.get("include_usage"))


FIELDS = {
    "model": Field(text),
    "prompt": Field(prompts, required=True),
    "max_tokens": integer(0, 1 << 31, 16),
    "temperature": number(0, 2, 1.0),
    "top_p": number(0, 1, 1.0),
    "top_k": integer(1, 1 << 31),
    "min_p": number(0, 1),
    "repetition_penalty": number(0, 100, 1.0, above=True),
    "n": integer(1, MOST_TEXTS, 1),
    "seed": integer(-(1 << 63), (1 << 63) - 1),
    "stop": Field(stops, []),
    "echo": flag(),
    "logprobs": integer(0, 5),
    "stream": flag(),
    "stream_options": Field(stream_options, False),
    "user": Field(text),
    "best_of": neutral(1), "frequency_penalty": neutral(0.0), "presence_penalty": neutral(0.0),
    "logit_bias": neutral({}), "suffix": neutral(""),
}


@contextmanager
def readable(service: Service, param: str) -> Iterator[None]:
    """``with readable(service, "input"):`` a ValueError of the model becomes an ApiError 422: its text cannot be read.

    Messages of the library may name the model's folder; clients see the model's name alone.
    """
    try:
        yield
    except ValueError as error:
        message = str(error).replace(str(service.folder), service.name)
        raise ApiError(422, f"{param} cannot be read: {message}", param=param, code="unreadable_text") from None


def check_model(service: Service, name: str | None) -> None:
    """ApiError 404 unless ``name`` is the server's model: its name or folder, or "tinyformer" for any."""
    if name not in (None, service.name, str(service.folder), "tinyformer"):
        raise ApiError(404, f"there is no model {name[:60]!r}; this server has {service.name!r}", param="model",
                       code="model_not_found")


def generations(service: Service, asked: dict[str, Any]) -> list[Generation]:
    """The texts that a request asks for: n of the first prompt, then n of the next one. ApiError if it cannot be."""
    check_model(service, asked["model"])
    _check_limits(service, asked)
    choice = _choice(asked)
    given, n = [read_prompt(service, prompt) for prompt in asked["prompt"]], asked["n"]
    return [Generation(ids, asked["max_tokens"], choice, _rng(asked["seed"], row * n + i), tuple(asked["stop"]),
                       asked["logprobs"], asked["echo"], service.seconds)
            for row, ids in enumerate(given) for i in range(n)]


def _check_limits(service: Service, asked: dict[str, Any]) -> None:
    if asked["max_tokens"] > service.max_tokens:
        raise ApiError(400, f"max_tokens is {asked['max_tokens']}, expected at most {service.max_tokens}",
                       param="max_tokens", code="invalid_field")
    total = len(asked["prompt"]) * asked["n"]
    most = min(MOST_TEXTS, service.engine.max_batch + service.engine.queue)
    if total > most:
        raise ApiError(400, f"the request asks for {total} texts, expected at most {most}", param="n",
                       code="invalid_field")


def _choice(asked: dict[str, Any]) -> Choice:
    # top_p 0 leaves the most likely token alone, as in OpenAI's API
    return Choice(asked["temperature"], 1 if asked["top_p"] == 0 else asked["top_k"],
                  asked["top_p"] if 0 < asked["top_p"] < 1 else None, asked["min_p"], asked["repetition_penalty"])


def _rng(seed: int | None, place: int) -> np.random.Generator:
    """The random numbers of a request's text number ``place``: those of ``seed`` for the first one."""
    if seed is None:
        return np.random.default_rng()
    seed %= 1 << 64                                         # NumPy's seeds have no sign
    return np.random.default_rng(seed if place == 0 else [seed, place])


def read_prompt(service: Service, prompt: str | list[int]) -> np.ndarray[Any, Any]:
    """The ids (T,) of a prompt, which the model can read. ApiError 400 or 422 otherwise."""
    ids: Any = np.array(prompt) if isinstance(prompt, list) else _encoded(service, prompt)
    config, tokenizer = service.run.model.config, service.run.tokenizer
    assert tokenizer is not None                            # as ``service.generates``
    context, V = config.block_size, min(config.vocab_size, tokenizer.vocab_size)
    if ids.max() >= V:
        raise ApiError(400, f"the prompt has the token {ids.max()}, expected 0…{V - 1}", param="prompt",
                       code="invalid_field")
    if len(ids) > context and not getattr(service.run.model, "whole_text", False):
        raise ApiError(400, f"the prompt has {len(ids)} tokens, but the model's context is {context}", param="prompt",
                       code="context_length_exceeded")
    return ids


def _encoded(service: Service, prompt: str) -> np.ndarray[Any, Any]:
    """As ``tinyformer generate`` reads a prompt: behind a mark of a line, or from an opening if it is empty."""
    tokenizer: Any = service.run.tokenizer
    mark = service.line_mark
    encode: Callable[[str], Any] = tokenizer.prompt
    if service.longest_prompt is not None and len(prompt) > service.longest_prompt:
        raise ApiError(400, f"the prompt has {len(prompt)} characters, more than fit into the model's context of "
                            f"{service.run.model.config.block_size} tokens", param="prompt",
                       code="context_length_exceeded")
    with readable(service, "prompt"):
        ids = encode(mark + prompt if mark else prompt or opening(tokenizer))
    if not len(ids):
        raise ApiError(422, "the prompt has no token", param="prompt", code="unreadable_text")
    return ids
