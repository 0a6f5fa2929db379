"""What a server serves: one model with its engine, its limits and its figures."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from ..train.classes import load_classes
from .engine import Busy, Closed, Engine
from .errors import refusal
from .generation import Generation
from .metrics import Metrics

if TYPE_CHECKING:
    from ..train.saved_run import SavedRun


PAUSE = 0.001                           # seconds between events for each further text that runs


class Service:
    """The model of ``run`` and the thread that owns it.

    max_batch       the largest number of texts that are generated at a time        queue       how many more may wait
    api_key         None: no key is asked for
    max_tokens      the largest ``max_tokens`` of a request                         seconds     the longest generation
    """

    def __init__(self, run: SavedRun, *, max_batch: int = 16, queue: int = 64, api_key: str | None = None,
                 max_tokens: int = 4096, seconds: float = 300.0) -> None:
        self.run, self.api_key, self.max_tokens, self.seconds = run, api_key, max_tokens, seconds
        self.folder = Path(run.folder)
        self.name = self.folder.resolve().name
        self.created = int(time())
        self.generates = hasattr(run.model, "generate") and run.tokenizer is not None
        named = run.model.task == "classification" and (self.folder / "classes.json").exists()
        self.classes = load_classes(self.folder) if named else None
        mark = run.line_mark if self.generates else None
        self.line_mark = mark
        self.longest_prompt = self._longest_prompt() if self.generates else None
        self.engine = Engine(run.model, run.tokenizer, max_batch=max_batch, queue=queue,
                             ends=run.end_ids if self.generates else (),
                             line_end=int(run.tokenizer.encode(mark)[-1]) if mark and run.tokenizer else None)
        self.metrics = Metrics(self.engine)

    def _longest_prompt(self) -> int | None:
        """More characters than this cannot fit into the context, so they need not be encoded; None if that is open.

        A tokenizer that normalizes may make one character of four.
        """
        model, tokenizer = self.run.model, self.run.tokenizer
        if tokenizer is None or not tokenizer.exact or getattr(model, "whole_text", False):
            return None
        return 4 * model.config.block_size * max(map(len, tokenizer.tokens))

    def start(self) -> None:
        """Deliver the engine's news to the event loop that runs."""
        loop = asyncio.get_running_loop()
        heard: set[Callable[[], None]] = set()              # to call; filled by the engine, emptied by the loop
        coming = threading.Event()                          # a call of wake that has not begun

        def tell(changed: list[Generation]) -> None:
            if not changed:
                return
            self.metrics.step(changed)
            heard.update(one.listener for one in changed if one.listener and (one.streams or one.finish_reason))
            if not coming.is_set():                         # a loop that is busy hears of several steps at once
                coming.set()
                with contextlib.suppress(RuntimeError):     # the loop has ended, and with it all listeners
                    loop.call_soon_threadsafe(wake)

        def wake() -> None:
            coming.clear()                                  # first: what is added from here on calls again
            while heard:
                heard.pop()()

        self.engine.notify = tell

    def submit(self, generations: Sequence[Generation], streams: bool = False) -> asyncio.Event:
        """Hand the generations to the engine. The event is set when one of them is finished, or with ``streams`` has
        another token. ApiError 429 or 503."""
        news = asyncio.Event()
        for one in generations:
            one.listener, one.streams = news.set, streams
        try:
            self.engine.submit(generations)
        except (Busy, Closed) as error:
            raise refusal(error) from None
        return news

    @property
    def pause(self) -> float:
        """The seconds between two events of a stream. Many streams send several tokens in an event, so that sending
        takes a share of the time that does not grow with them."""
        return PAUSE * (self.engine.running - 1)

    async def call(self, function: Any) -> Any:
        """The result of ``function()``, computed in the thread that owns the model. ApiError 429 or 503."""
        try:
            future = self.engine.call(function)
        except (Busy, Closed) as error:
            raise refusal(error) from None
        return await asyncio.wrap_future(future)
