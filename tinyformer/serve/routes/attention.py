"""POST /v1/attention: the attention weights of one head over a text."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ...train.attention import attention_on, attention_size
from ..asked import check_model, readable
from ..errors import ApiError
from ..fields import Field, integer, read_body, text
from ..service import Service

FIELDS = {"model": Field(text), "prompt": Field(text, required=True), "layer": integer(0, 1 << 16, 0),
          "head": integer(0, 1 << 16, 0)}
LONGEST = 512                           # tokens: the model computes weights for each pair, in every head of every layer


async def attention(request: Request) -> JSONResponse:
    """"weights" (T, S): a row for each of "tokens", which sums to 1 over "keys". 0 where a token may not attend."""
    service: Service = request.app.state.service
    asked = await read_body(request, FIELDS)
    check_model(service, asked["model"])
    run, prompt = service.run, asked["prompt"]
    size = attention_size(run)
    if size is None:
        raise ApiError(422, f"a {type(run.model).__name__} has no attention between tokens", param="model",
                       code="wrong_model")
    for name, n in zip(("layer", "head"), size):
        if asked[name] >= n:
            raise ApiError(400, f"{name} is {asked[name]}, but the model has {name}s 0 to {n - 1}", param=name,
                           code="invalid_field")

    def watched() -> tuple[list[str], list[str], Any]:
        tokens = len(run.tokenizer.encode(prompt)) if run.tokenizer else 0
        if tokens > LONGEST:
            raise ValueError(f"the prompt has {tokens} tokens, expected at most {LONGEST}")
        return attention_on(run, prompt)

    with readable(service, "prompt"):
        tokens, keys, weights = await service.call(watched)
    rows = [[float(f"{weight:.6g}") for weight in row] for row in weights[asked["layer"], asked["head"]]]
    return JSONResponse({"object": "attention", "model": service.name, "layer": asked["layer"], "head": asked["head"],
                         "tokens": tokens, "keys": keys, "weights": rows})


ROUTES = [Route("/v1/attention", attention, methods=["POST"])]
