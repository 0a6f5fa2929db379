"""Server-sent events, and clients that leave before the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")


class ClientLeft(Exception):
    """The client closed the connection before the answer was complete."""


async def unless_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``. If the client leaves before, ``work`` is canceled and ClientLeft raised."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientLeft
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """An answer of server-sent events: ``data:`` lines of JSON, a blank line behind each, and ``[DONE]`` at the end.

    values      what to send
    at_end      called in every case, also when the client left
    """

    media_type = "text/event-stream"

    def __init__(self, values: AsyncIterator[Any], at_end: Callable[[], None]) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        self.values, self.at_end = values, at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await unless_left(receive, self._send(send))
        except ClientLeft:
            pass
        finally:
            self.at_end()

    async def _send(self, send):
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for value in self.values:
            await self._part(send, event(value))
        await self._part(send, b"data: [DONE]\n\n", False)

    async def _part(self, send, body, more=True):
        await send({"type": "http.response.body", "body": body, "more_body": more})


def event(value: Any) -> bytes:
    """One event. JSON has no line breaks, so it is one ``data:`` line."""
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
