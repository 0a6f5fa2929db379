"""POST /v1/classify: the class of each text, and which tokens speak for it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ...explain.tokens import METHODS
from ...train.explanation import explain_with
from ...train.predict import predict_with
from ..asked import check_model, readable
from ..errors import ApiError
from ..fields import Field, flag, one_of, read_body, text, texts
from ..service import Service

MOST_TEXTS = 64                         # of one request
LONGEST = 512                           # tokens of a text to explain: some methods run the model for each of them
FIELDS = {
    "model": Field(text),
    "input": Field(texts(MOST_TEXTS, empty=False), required=True),
    "explain": flag(),
    "method": one_of("integrated-gradients", *(name for name in METHODS if name != "integrated-gradients")),
    "target": Field(text),
    "user": Field(text),
}


async def classify(request: Request) -> JSONResponse:
    """{"data": [{"index", "label", "probability", "probabilities"}]}; with "explain" also "target", "tokens",
    "attributions" and "words", as ``train.explanation.explain_text`` gives them."""
    service: Service = request.app.state.service
    asked = await read_body(request, FIELDS)
    check_model(service, asked["model"])
    if service.classes is None:
        raise ApiError(400, f"a {type(service.run.model).__name__} without classes.json gives texts no "
                       "class; the folder of a trained classifier of texts does",
                       param="model", code="wrong_model")
    if asked["target"] is not None and asked["target"] not in service.classes:
        raise ApiError(400, f"target is {asked['target'][:60]!r}, expected one of {', '.join(service.classes)}",
                       param="target", code="invalid_field")
    with readable(service, "input"):
        # a job for each text, so that other requests come in between
        data = [{"index": i, **await service.call(lambda: _answer(service, one, asked))}
                for i, one in enumerate(asked["input"])]
    return JSONResponse({"object": "list", "model": service.name, "data": data})


def _answer(service: Service, text: str, asked: dict[str, Any]) -> dict[str, Any]:
    run = service.run
    found = predict_with(run.model, run.tokenizer, service.classes or [], text)
    answer = {"label": found["class"], "probability": found["probability"], "probabilities": found["probabilities"],
              "unknown": found["unknown"], "cut": found["cut"]}
    if asked["explain"]:
        reasons = explain_with(run, text, asked["method"], asked["target"], LONGEST)
        answer |= {name: reasons[name] for name in ("target", "method", "tokens", "attributions", "words")}
    return answer


ROUTES = [Route("/v1/classify", classify, methods=["POST"])]
