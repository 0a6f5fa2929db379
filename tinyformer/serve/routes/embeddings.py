"""POST /v1/embeddings: vectors of texts, from a BERT."""

from __future__ import annotations

import base64
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ...similar import LONGEST, sentence_vectors
from ..asked import check_model, readable
from ..errors import ApiError
from ..fields import Field, integer, one_of, read_body, text, texts
from ..service import Service

MOST_TEXTS = 256                        # of one request
FIELDS = {
    "model": Field(text),
    "input": Field(texts(MOST_TEXTS, empty=False), required=True),
    "encoding_format": one_of("float", "base64"),
    "dimensions": integer(1, 1 << 16),
    "user": Field(text),
}


async def embeddings(request: Request) -> JSONResponse:
    """A vector of norm 1 for each text, as ``similar.sentence_vectors`` computes it."""
    service: Service = request.app.state.service
    asked = await read_body(request, FIELDS)
    check_model(service, asked["model"])
    model: Any = getattr(service.run.model, "bert", service.run.model)          # without a head on top
    tokenizer: Any = service.run.tokenizer
    if type(model).__name__ != "Bert":
        raise ApiError(400, f"a {type(model).__name__} has no sentence vectors; they come from a BERT", param="model",
                       code="wrong_model")
    if asked["dimensions"] not in (None, width := model.config.n_embd):
        raise ApiError(400, f"dimensions is {asked['dimensions']}, expected {width}, the width of the model",
                       param="dimensions", code="invalid_field")

    def compute():
        longest = min(LONGEST, model.config.block_size)
        read = sum(len(tokenizer.encode(one, special=True, longest=longest)) for one in asked["input"])
        return sentence_vectors(model, tokenizer, asked["input"]), read

    with readable(service, "input"):
        vectors, read = await service.call(compute)
    service.metrics.tokens.labels("prompt").inc(read)

    def written(vector):
        if asked["encoding_format"] == "base64":
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return vector.tolist()

    return JSONResponse({"object": "list", "model": service.name,
                         "data": [{"object": "embedding", "index": i, "embedding": written(vector)}
                                  for i, vector in enumerate(vectors)],
                         "usage": {"prompt_tokens": read, "total_tokens": read}})


ROUTES = [Route("/v1/embeddings", embeddings, methods=["POST"])]
