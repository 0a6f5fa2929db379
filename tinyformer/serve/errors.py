"""Errors as OpenAI's API gives them: {"error": {"message", "type", "param", "code"}} with an HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from .engine import Busy, Closed

TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """What a client gets instead of an answer. ``param`` names the field that is wrong, ``code`` is for programs."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None,
                 headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.headers = status, param, code, dict(headers or {})

    @property
    def body(self) -> dict[str, dict[str, str | None]]:
        """The body of the answer, for JSON."""
        kind = TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The whole answer."""
        return JSONResponse(self.body, self.status, self.headers)


def refusal(error: Busy | Closed) -> ApiError:
    """The answer to a request that the engine does not take."""
    status = 429 if isinstance(error, Busy) else 503
    return ApiError(status, str(error), code="queue_full" if status == 429 else "shutting_down",
                    headers={"Retry-After": "1"})


def failure() -> ApiError:
    """The answer to a mistake of the server's own: nothing of it is shown."""
    return ApiError(500, "the server failed at this request", code="internal_error")


async def answer_api_error(request: Request, error: Exception) -> JSONResponse:
    """Starlette's handler of ``ApiError``."""
    assert isinstance(error, ApiError)
    return error.response()


async def answer_http_error(request: Request, error: Exception) -> JSONResponse:
    """Starlette's handler of its own errors: an unknown path, or a method that a path does not have."""
    assert isinstance(error, HTTPException)
    known = {404: f"there is no {request.url.path}",
             405: f"{request.url.path} does not take {request.method}"}
    message = known.get(error.status_code) or HTTPStatus(error.status_code).phrase
    return ApiError(error.status_code, message, code=HTTPStatus(error.status_code).name.lower(),
                    headers=error.headers).response()


async def answer_failure(request: Request, error: Exception) -> JSONResponse:
    """Starlette's handler of every other exception."""
    return failure().response()
