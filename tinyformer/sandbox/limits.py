"""The time limit. It needs no signals, so that it holds in every thread and on every system."""

from __future__ import annotations

import contextvars
import ctypes
import sys
import threading
import time
import traceback

from .refusal import Refused
from .messages import at, innermost

LOOK = 0.05                             # seconds between two looks, in which Ctrl-C is noticed on Windows too
PATIENCE = 0.5                          # seconds for a thread to end that has been told to


class Stopped(BaseException):
    """Raised inside code whose time is up."""


def within(seconds, function, *arguments):
    """``function(*arguments)``, or a ``Refused`` with the learner's line if the call takes longer than ``seconds``.

    The function runs in a thread. When the time is up, ``Stopped`` is raised there; a thread that does not end even so is
    left behind. A KeyboardInterrupt of the caller stops the thread in the same way.
    """
    outcome = {}

    def run():
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
        frames = sys._current_frames().get(thread.ident)
        frame = innermost(traceback.extract_stack(frames)) if frames else None
        _stop(thread)
        where = f"; it was {at(frame)}" if frame else ""
        raise Refused("time", f"still running after {seconds:g} seconds: is there a loop without an end?{where}")
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def _join(thread, seconds):
    deadline = time.monotonic() + seconds
    while thread.is_alive() and (left := deadline - time.monotonic()) > 0:
        thread.join(min(left, LOOK))


def _stop(thread):
    deadline = time.monotonic() + PATIENCE
    while thread.is_alive() and time.monotonic() < deadline:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stopped))
        thread.join(LOOK)
