"""The learner's code, called: what it raises becomes a sentence with their own line, and it cannot run for ever."""

from __future__ import annotations

import _thread
import contextlib
import inspect
import os
import re
import threading
import traceback
from pathlib import Path

import numpy as np

import tinyformer

# Files under these are not the learner's: the package, what is installed beside NumPy, the standard library.
FOREIGN = (*(str(Path(file).parent) + os.sep for file in (tinyformer.__file__, Path(np.__file__).parent, inspect.__file__)),
           "<frozen")


class Refused(Exception):
    """The check ends here. ``codes`` are the doctor's; without any the code could not be examined."""

    def __init__(self, code, message, state="broken", codes=()):
        super().__init__(message)
        self.code, self.state, self.codes = code, "wrong" if codes else state, codes


class Wrong(Refused):
    """It can be run, and it is not right."""

    def __init__(self, code, message):
        super().__init__(code, message, codes=(code,))


def call(function, *arguments):
    """``function`` called; whatever it raises becomes a sentence with the learner's own line."""
    try:
        return function(*arguments)
    except NotImplementedError:
        raise Refused("not attempted", "not attempted yet", "not attempted") from None
    except (Exception, SystemExit) as error:
        raise Refused("error", explain(error)) from error


def explain(error, file=None):
    """``error`` with the learner's line, and nothing of ours."""
    text = " ".join(str(error).split())
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SystemExit):
        what = "your code leaves Python (exit); a function returns instead"
    if isinstance(error, SyntaxError) and error.lineno:
        what = f"{type(error).__name__}: {error.msg}"
        line = (error.text or "").rstrip()
        pointer = " " * (4 + min(error.offset or 1, len(line) + 1) - 1) + "^" if line else ""
        return "\n".join(filter(None, [f"line {error.lineno}: {what}", f"    {line}" if line else "", pointer]))
    frame = learners_frame(error.__traceback__, file)
    return f"{what}\n  {at(frame)}{_shapes(error, frame)}" if frame else what


def _shapes(error, frame):
    """The shapes of the arrays on the learner's line, if it is shapes that do not fit."""
    if not isinstance(error, (ValueError, IndexError)):
        return ""
    names = next(f.f_locals for f, line in traceback.walk_tb(error.__traceback__)
                 if (f.f_code.co_filename, line) == (frame.filename, frame.lineno))
    arrays = {name: names[name] for name in re.findall(r"\w+", frame.line or "") if isinstance(names.get(name), np.ndarray)}
    return arrays and "\n  where " + ", ".join(f"{name} is {array.shape}" for name, array in arrays.items()) or ""


def learners_frame(tb, file=None):
    """The innermost frame that is neither ours nor a library's, or the innermost of ``file``."""
    frames = [f for f in traceback.extract_tb(tb)
              if (f.filename == file if file else not f.filename.startswith(FOREIGN))]
    return frames[-1] if frames else None


def at(frame):
    """Where a frame is, with its text if that is known."""
    return f"in line {frame.lineno}: {frame.line}" if frame.line else f"in line {frame.lineno}"


@contextlib.contextmanager
def time_limit(seconds):
    """Stop what runs in the main thread after so long, wherever it is. A timer sends it a Ctrl-C: that works everywhere."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    lock, state = threading.Lock(), {"expired": False, "done": False}

    def expire():
        with lock:
            if not state["done"]:
                state["expired"] = True
                _thread.interrupt_main()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        try:
            yield
        finally:
            with lock:
                state["done"] = True
            timer.cancel()
    except KeyboardInterrupt as interrupt:
        if not state["expired"]:
            raise
        frame = learners_frame(interrupt.__traceback__)
        where = f"; it was {at(frame)}" if frame else ""
        raise Refused("time", f"still running after {seconds:g} seconds: is there a loop without an end?{where}") from None
