"""What surrounds every request: the key, the headers, the log line, and an answer where all else failed."""

from __future__ import annotations

import hmac
import logging
import os
from time import monotonic
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..sandbox.messages import visible
from .errors import ApiError, failure
from .events import ClientLeft

if TYPE_CHECKING:
    from .service import Service

log = logging.getLogger("tinyformer.serve")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                               "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


class Shell:
    """An ASGI application around ``app``."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started, status = monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refused = self._refused(scope)
            await (refused.response() if refused else self.app)(scope, receive, sending)
        except (ClientLeft, ClientDisconnect):              # before the answer, or before the end of the body
            status = 499                                    # nginx's number for it; a 500 that was sent is not read
        except Exception as error:
            log.error("%s", type(error).__name__, exc_info=bool(os.environ.get("TINYFORMER_TRACEBACK")))
            if not status:
                await failure().response()(scope, receive, sending)
        finally:
            self._record(scope, status, monotonic() - started)

    def _refused(self, scope: Scope) -> ApiError | None:
        key, path = self.service.api_key, scope["path"]
        if key is not None and (path == "/v1" or path.startswith("/v1/")):
            scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), key.encode()):
                return ApiError(401, "expected the server's key: Authorization: Bearer KEY", code="invalid_api_key",
                                headers={"WWW-Authenticate": "Bearer"})
        return None

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route: Any = scope.get("route")                     # known paths only: others would be labels without end
        self.service.metrics.requests.labels(getattr(route, "path", "other"), str(status)).inc()
        asked = f"{scope['method']} {scope['path'][:100]}"
        log.info("%s %d %.3f s", visible(asked.replace("\n", "\\n")), status, seconds)       # one line, whatever comes
