"""The time limit. It uses no signals, so it works in every thread and on every system."""

from __future__ import annotations

import contextvars
import ctypes
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from .messages import at, innermost
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

# seconds between two tests of the thread; Ctrl-C is noticed then, on Windows too
POLL = 0.05
PATIENCE = 0.5                          # seconds for a stopped thread to end


class Stopped(BaseException):
    """Raised inside code that exceeds its time limit."""


def within(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """``function(*arguments)``. Raises ``Refused`` with the learner's line if the call takes longer than ``seconds``.

    The function runs in a thread. At the time limit, ``Stopped`` is raised in the thread. If the thread does not end
    then, it keeps running in the background. A KeyboardInterrupt of the caller stops the thread in the same way.
    """
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = function(*arguments)
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    try:
        _join(thread, seconds)
    except BaseException:
        _stop(thread)
        raise
    if not outcome:
        frames = sys._current_frames().get(thread.ident or 0)
        frame = innermost(traceback.extract_stack(frames)) if frames else None
        _stop(thread)
        where = f"; it was {at(frame)}" if frame else ""
        raise Refused("time", f"still running after {seconds:g} seconds: is there an endless loop?{where}")
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def _join(thread: threading.Thread, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
        thread.join(min(left, POLL))


def _stop(thread: threading.Thread) -> None:
    deadline = time.monotonic() + PATIENCE
    while thread.is_alive() and time.monotonic() < deadline:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Stopped))
        thread.join(POLL)
