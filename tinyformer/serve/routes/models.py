"""GET /v1/models and GET /v1/models/NAME."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ...models import Bert
from ...train.attention import attention_size
from ..asked import check_model
from ..service import Service


def described(service: Service) -> dict[str, Any]:
    """The one model of the server, with what a client may ask of it."""
    model = service.run.model
    size = attention_size(service.run)
    return {"id": service.name, "object": "model", "created": service.created, "owned_by": "tinyformer",
            "architecture": type(model).architecture, "context": getattr(model.config, "block_size", None),
            "max_tokens": service.max_tokens, "task": task(service),
            "vocab_size": getattr(model.config, "vocab_size", None),
            "attention": None if size is None else dict(zip(("layers", "heads"), size))}


def task(service: Service) -> str | None:
    """What the page offers: "completion", "classification" or "embedding"; None for a model of something else."""
    if service.generates:
        return "completion"
    if service.classes is not None:
        return "classification"
    model = service.run.model
    return "embedding" if isinstance(getattr(model, "bert", model), Bert) else None


async def models(request: Request) -> JSONResponse:
    """A list of one."""
    return JSONResponse({"object": "list", "data": [described(request.app.state.service)]})


async def model(request: Request) -> JSONResponse:
    """The model with this name; 404 for any other."""
    check_model(request.app.state.service, request.path_params["name"])
    return JSONResponse(described(request.app.state.service))


ROUTES = [Route("/v1/models", models), Route("/v1/models/{name:path}", model)]
