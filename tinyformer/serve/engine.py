"""The thread that owns the model: every step reads one token of each running text together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from time import monotonic
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..generate.cache import for_decoding
from .generation import Generation
from .reading import Reading

PIECE = 128                 # tokens of a prompt that one step reads


class Busy(Exception):
    """The queue is full."""


class Closed(Exception):
    """The engine takes no further work."""


class Engine:
    """Continues many texts at a time with one model, and runs other functions of the model between two steps.

    model           in evaluation mode; a language model, or any model if only ``call`` is used
    tokenizer       that of the model
    max_batch       the largest number of texts that run at a time
    queue           how many more may wait
    ends            the ids that end a text
    line_end        for a model of separate lines: the id behind which it sees nothing of the text before
    notify          called in the engine's thread after each step, with the generations that have news
    """

    def __init__(self, model: Any, tokenizer: Any, *, max_batch: int = 16, queue: int = 64, ends: Sequence[int] = (),
                 line_end: int | None = None,
                 notify: Callable[[list[Generation]], None] = lambda changed: None) -> None:
        self.model, self.tokenizer, self.max_batch, self.queue = model, tokenizer, max_batch, queue
        self.ends, self.line_end, self.notify = tuple(ends), line_end, notify
        self.waiting: deque[Generation] = deque()
        self.running: list[Reading] = []
        self.jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self.closing = False
        self._changed = threading.Condition()
        self._decoding = for_decoding(model)
        self._thread = threading.Thread(target=self._work, name="tinyformer-engine", daemon=True)
        self._thread.start()

    def submit(self, generations: Sequence[Generation]) -> None:
        """Queue the generations, all or none. Raises Busy if the queue has no room for them, Closed after ``close``."""
        with self._changed:
            free = self.max_batch - len(self.running) + self.queue - len(self.waiting)
            self._check_room(len(generations), free)
            for one in generations:
                one.submitted = monotonic()
            self.waiting.extend(generations)
            self._changed.notify()

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Run ``function`` in the engine's thread, between two steps. Raises as ``submit`` does."""
        future: Future[Any] = Future()
        with self._changed:
            self._check_room(1, self.max_batch + self.queue - len(self.jobs))
            self.jobs.append((future, function))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Take no further work, finish what was taken, and end the thread."""
        with self._changed:
            self.closing = True
            self._changed.notify()
        self._thread.join()

    def _check_room(self, wanted, free):
        if self.closing:
            raise Closed("the server is shutting down")
        if wanted > free:
            raise Busy(f"the server is busy: {len(self.running)} texts run and {len(self.waiting)} wait")

    def _work(self):
        with no_grad(), np.errstate(all="ignore"):
            while True:
                with self._changed:
                    while not (self.waiting or self.running or self.jobs or self.closing):
                        self._changed.wait()
                    if self.closing and not (self.waiting or self.running or self.jobs):
                        return
                    while self.waiting and len(self.running) < self.max_batch:
                        self._admit(self.waiting.popleft())
                    job = self.jobs.popleft() if self.jobs else None
                if job:
                    self._run(*job)
                if self.running:
                    self._step()

    def _admit(self, generation):
        generation.begin(self.tokenizer)
        self.running.append(Reading(self._decoding, generation))

    def _run(self, future, function):
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(function())
        except Exception as error:                          # the one who waits for it raises it
            future.set_exception(error)

    def _step(self):
        for reading in self.running:
            one = reading.generation
            try:
                if one.canceled:
                    one.finish("canceled")
                    continue
                logits = reading.read(PIECE)
                if reading.unread == 0 or reading.slides:
                    self._append(reading, logits[-1])
            except Exception as error:
                one.finish("error", error)
        changed = [reading.generation for reading in self.running]
        self.running = [reading for reading in self.running if reading.generation.finish_reason is None]
        self.notify(changed)

    def _append(self, reading, logits):
        one = reading.generation
        if one.max_tokens == 0:
            return one.finish("length")
        ids = np.array([reading.ids])
        id = int(one.choice(logits[None], ids, np.array([one.draws.random()]))[0])
        one.append(one.token(id, logits), self.ends)
        if id == self.line_end:
            reading.restart(id)
        else:
            reading.ids.append(id)
