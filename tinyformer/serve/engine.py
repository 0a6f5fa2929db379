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
from .reading import Reading, Readings


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
        self._readings = Readings(for_decoding(model), max_batch)
        self.jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self.closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="tinyformer-engine", daemon=True)
        self._thread.start()

    @property
    def running(self) -> int:
        """How many texts are generated now."""
        return len(self._readings.running)

    def submit(self, generations: Sequence[Generation]) -> None:
        """Queue the generations, all or none. Raises Busy if the queue has no room for them, Closed after ``close``."""
        with self._changed:
            self._check_room(len(generations), self.max_batch - self.running + self.queue - len(self.waiting))
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
            raise Busy(f"the server is busy: {self.running} texts run and {len(self.waiting)} wait")

    def _work(self):
        with np.errstate(all="ignore"):
            while True:
                with self._changed:
                    while not (self.waiting or self.running or self.jobs or self.closing):
                        self._changed.wait()
                    if self.closing and not (self.waiting or self.running or self.jobs):
                        return
                    dropped = self._admit()
                    job = self.jobs.popleft() if self.jobs else None
                if job:
                    _run(*job)
                with no_grad():                             # not around jobs: an explanation needs gradients
                    changed = self._step()
                self.notify([*dropped, *changed])

    def _admit(self):
        """Let the first in the queue join. Returns those that were canceled while they waited."""
        dropped = [one for one in self.waiting if one.canceled]
        for one in dropped:
            self.waiting.remove(one)
            one.finish("canceled")
        while self.waiting and self.running < self.max_batch:
            one = self.waiting.popleft()
            one.begin(self.tokenizer)
            self._readings.add(one)
        return dropped

    def _step(self):
        """One token more for each text. Returns the generations that have news."""
        changed = []
        for reading in list(self._readings.running):
            if reading.generation.canceled:
                self._finish(reading, "canceled")
                changed.append(reading.generation)
        for readings, logits in self._readings.step():
            changed += [reading.generation for reading in readings]
            if isinstance(logits, Exception):
                for reading in readings:
                    self._finish(reading, "error", logits)
                continue
            for chosen in _alike(readings):
                self._choose([readings[i] for i in chosen], logits[chosen])
        return changed

    def _choose(self, readings, logits):
        """Append a token to each of the texts, whose settings are the same."""
        first = readings[0].generation
        ids = np.array([readings[0].ids]) if len(readings) == 1 else None      # for a repetition penalty
        try:
            tokens = first.choice(logits, ids, np.array([reading.generation.draws.random() for reading in readings]))
        except Exception as error:                          # such as logits that are not finite
            for reading in readings:
                self._finish(reading, "error", error)
            return
        for reading, id, row in zip(readings, tokens.tolist(), logits):
            try:
                self._append(reading, id, row)
            except Exception as error:                      # such as an id that the tokenizer does not have
                self._finish(reading, "error", error)

    def _append(self, reading, id, logits):
        one = reading.generation
        if one.max_tokens == 0:
            one.finish("length")
        else:
            one.append(one.token(id, logits), self.ends)
        if one.finish_reason:
            self._readings.remove(reading)
        elif id == self.line_end:
            self._readings.leave_row(reading)
            reading.restart(id)
        else:
            reading.ids.append(id)

    def _finish(self, reading, reason, error=None):
        self._readings.remove(reading)
        reading.generation.finish(reason, error)


def _alike(readings: Sequence[Reading]) -> list[list[int]]:
    """The places of texts whose tokens are chosen in one call. A repetition penalty depends on each text."""
    groups: dict[Any, list[int]] = {}
    for i, reading in enumerate(readings):
        choice = reading.generation.choice
        groups.setdefault(choice if choice.repetition_penalty == 1 else i, []).append(i)
    return list(groups.values())


def _run(future, function):
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except Exception as error:                              # the caller of result() raises it
        future.set_exception(error)
