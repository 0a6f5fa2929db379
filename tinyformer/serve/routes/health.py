"""GET /health and GET /metrics: for those who run the server."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def health(request: Request) -> JSONResponse:
    """{"status": "ok", "model": …}, once the model can answer."""
    return JSONResponse({"status": "ok", "model": request.app.state.service.name})


async def metrics(request: Request) -> Response:
    """The figures of ``Metrics``."""
    return Response(request.app.state.service.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


ROUTES = [Route("/health", health), Route("/metrics", metrics)]
