"""The application: every route of ``routes`` behind the shell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from .errors import ApiError, answer_api_error, answer_failure, answer_http_error
from .routes import ROUTES
from .service import Service
from .shell import Shell


def create_app(service: Service) -> ASGIApp:
    """The ASGI application that serves ``service``. Where its lifespan ends, running texts are finished."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.start()
        yield
        await run_in_threadpool(service.engine.close)

    app = Starlette(routes=ROUTES, lifespan=lifespan,
                    exception_handlers={ApiError: answer_api_error, HTTPException: answer_http_error,
                                        Exception: answer_failure})
    app.router.redirect_slashes = False
    app.state.service = service
    return Shell(app, service)
