"""POST /v1/completions: texts that the model continues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import time
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..asked import FIELDS, generations
from ..errors import ApiError, failure
from ..events import EventStream, unless_left
from ..fields import read_body
from ..generation import Generation
from ..logprobs import Logprobs
from ..service import Service


async def completions(request: Request) -> Response:
    """One answer with all texts, or with "stream" a stream of their pieces."""
    service: Service = request.app.state.service
    asked = await read_body(request, FIELDS)
    if not service.generates:
        raise ApiError(400, f"a {type(service.run.model).__name__} cannot continue a text", param="model",
                       code="wrong_model")
    texts = generations(service, asked)
    news = service.submit(texts, streams=asked["stream"])
    answer = Answer(service, texts, asked)
    if asked["stream"]:
        return EventStream(answer.chunks(news, asked["stream_options"]), answer.cancel)
    try:
        return JSONResponse(await unless_left(request.receive, answer.whole(news)))
    finally:
        answer.cancel()


class Answer:
    """The answer to one request, from the generations ``texts``."""

    def __init__(self, service: Service, texts: list[Generation], asked: dict[str, Any]) -> None:
        self.service, self.texts, self.echo = service, texts, asked["echo"]
        self.tokenizer: Any = service.run.tokenizer
        self.prompts = max(1, len(texts) // asked["n"])
        self.head = {"id": f"cmpl-{uuid4().hex}", "object": "text_completion", "created": int(time()),
                     "model": service.name}
        self.logprobs = [Logprobs(self.tokenizer, one) for one in texts]

    def cancel(self) -> None:
        """Drop what is still running: it has no reader."""
        for one in self.texts:
            one.cancel()

    async def whole(self, news: asyncio.Event) -> dict[str, Any]:
        """The body, once every text is finished. ApiError 500 if one failed."""
        async for _ in self._until_finished(news):
            pass
        if any(one.error for one in self.texts):
            raise failure()
        choices = [self._choice(i, self._start(one) + one.take(), one.finish_reason)
                   for i, one in enumerate(self.texts)]
        return {**self.head, "choices": choices, "usage": self.usage}

    async def chunks(self, news: asyncio.Event, usage: bool) -> AsyncIterator[dict[str, Any]]:
        """The events of a stream: pieces of text, the last one of each text with its reason."""
        begun: set[int] = set()
        ended: set[int] = set()
        counted = {"usage": None} if usage else {}          # the numbers are in the last event alone
        async for _ in self._until_finished(news):
            for i, one in enumerate(self.texts):
                if i in ended:
                    continue
                reason = one.finish_reason                  # before the text: all text is there once it is set
                if one.error:
                    yield failure().body
                    return
                text = one.take()
                if i not in begun and (text or reason):
                    begun.add(i)
                    text = self._start(one) + text
                if text or reason:
                    yield {**self.head, "choices": [self._choice(i, text, reason)], **counted}
                if reason:
                    ended.add(i)
        if usage:
            yield {**self.head, "choices": [], "usage": self.usage}

    async def _until_finished(self, news: asyncio.Event) -> AsyncIterator[None]:
        """Yields after every step with news; the last time when all are finished."""
        while True:
            await news.wait()
            news.clear()
            finished = all(one.finish_reason for one in self.texts)
            yield
            if finished:
                return
            if (pause := self.service.pause) > 0:
                await asyncio.sleep(pause)

    def _start(self, one: Generation) -> str:
        return self.tokenizer.decode(one.prompt) if self.echo else ""

    def _choice(self, i: int, text: str, reason: str | None) -> dict[str, Any]:
        return {"index": i, "text": text, "logprobs": self.logprobs[i].take(), "finish_reason": reason}

    @property
    def usage(self) -> dict[str, int]:
        """The numbers of tokens; a prompt counts once, however many texts continue it."""
        each = len(self.texts) // self.prompts
        read = sum(len(one.prompt) for one in self.texts[::each])
        written = sum(len(one.tokens) for one in self.texts)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


ROUTES = [Route("/v1/completions", completions, methods=["POST"])]
