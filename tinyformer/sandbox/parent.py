"""Start the process of the learner's code, send it jobs, and read the answers."""

from __future__ import annotations

import collections
import json
import os
import queue
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import processes
from .messages import FOREIGN, cut, visible
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GRACE = 5                               # seconds beyond the limit, for code that cannot be stopped from inside
START = 60                              # seconds for Python to start on a busy machine
LAST = 200                              # lines of the process's own output that are kept, such as those of a crash

ROOT = str(Path(__file__).parents[2])   # the folder that has the package
PROGRAM = ("import sys; sys.path[:] = [{root!r}] + [p for p in sys.path if p]; from importlib import import_module; "
           "module = import_module({module!r}); sys.path.remove({root!r}); module.main()")
CRASHES = {"SIGSEGV": "segmentation fault", "SIGBUS": "bus error", "SIGABRT": "abort", "SIGFPE": "arithmetic error",
           "SIGILL": "illegal instruction"}


def run(module: str, jobs: Iterable[Any], limit: float) -> Iterator[Any]:
    """Yield an answer for each of ``jobs``, in order: the answer of ``module.main()`` in a process, or a ``Refused``.

    module      dotted name of the module whose ``main`` calls ``child.serve``
    jobs        values for JSON
    limit       seconds for one job
    """
    jobs = list(jobs)
    while jobs:
        for answer in _one_process(module, jobs, limit):
            jobs = jobs[1:]
            yield answer


def _one_process(module: str, jobs: list[Any], limit: float) -> Iterator[Any]:
    """Answers to as many of ``jobs`` as one process can serve, at least one."""
    token = secrets.token_hex(16)
    process = processes.start([sys.executable, "-c", PROGRAM.format(root=ROOT, module=module)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    messages: queue.Queue[Any] = queue.Queue()
    printed: collections.deque[str] = collections.deque(maxlen=LAST)
    threads = (threading.Thread(target=_read_answers, args=(process.stdout, token, messages), daemon=True),
               threading.Thread(target=_read_output, args=(process.stderr, printed), daemon=True))
    try:
        for thread in threads:
            thread.start()
        try:
            process.stdin.write(json.dumps({"token": token, "jobs": jobs}).encode() + b"\n")
            process.stdin.close()
        except OSError:                                     # the process has ended; the pipe for answers shows it
            pass
        for number in range(len(jobs)):
            message = _message(messages, "begun", number, START)
            if message is None and number:
                return                                      # it ended because the last file has changed the process
            if message not in (None, "late"):
                message = _message(messages, "answer", number, limit + GRACE)
            if message is None:
                threads[1].join(1)
                yield _ended(process, "".join(printed))
                return
            if message == "late":
                yield Refused("time", f"still running after {limit:g} seconds, "
                                      "and it cannot be interrupted: is there an endless loop?")
                return
            yield Refused(*message["refused"]) if "refused" in message else message["value"]
    finally:
        processes.end(process)
        for thread, stream in zip(threads, (process.stdout, process.stderr)):
            thread.join(1)
            if not thread.is_alive():
                stream.close()


def _message(messages: queue.Queue[Any], key: str, number: int, seconds: float) -> Any:
    """The message that has ``key`` with that number; None if the pipe is closed, "late" if none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            message = messages.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            return "late"
        if message is None or message.get(key) == number:
            return message


def _read_answers(stream: Any, token: str, messages: queue.Queue[Any]) -> None:
    for line in stream:
        try:
            message = json.loads(line)
            genuine = message["token"] == token
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        if genuine:
            messages.put(message)
    messages.put(None)


def _read_output(stream: Any, printed: collections.deque[str]) -> None:
    """Keep the last lines. A long line is read in parts."""
    while line := stream.readline(1 << 12):
        printed.append(line.decode("utf-8", "replace"))


def _ended(process: subprocess.Popen[bytes], printed: str) -> Refused:
    """Why there is no answer: the learner's code has ended the process."""
    try:
        code = process.wait(1)
    except subprocess.TimeoutExpired:
        return Refused("stopped", "your code closed the pipe through which it is checked")
    frames = [(file, line) for file, line in re.findall(r'^  File "(.+)", line (\d+) in ', printed, re.MULTILINE)
              if not file.startswith(FOREIGN)]
    if code >= 0 and not (os.name == "nt" and frames):
        last = [line for line in printed.splitlines() if line.strip()][-1:]
        said = f", and its last line of output is: {visible(cut(last[0].strip(), 300))}" if last else ""
        return Refused("stopped", f"your code ended Python itself (exit code {code}){said}; "
                                  "a function must return instead")
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"exit code {code}"
    meaning = f" ({CRASHES[name]})" if name in CRASHES else ""
    where = f"\n  in line {frames[0][1]} of {Path(frames[0][0]).name}" if frames else ""
    return Refused("stopped", f"your code crashed Python: {name}{meaning}{where}")
