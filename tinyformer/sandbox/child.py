"""The process that runs the learner's code: it answers jobs on a pipe that the learner's output cannot reach."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from .processes import limit_memory
from .refusal import Refused
from .traces import Traces

if TYPE_CHECKING:
    from collections.abc import Callable


def serve(answer: Callable[[Any, Callable[[], None]], Any]) -> None:
    """Answer jobs until there are none, or until a file has changed the process so that it must not run another file.

    answer      (job, changed) → a dict for JSON; it may raise ``Refused``. ``changed()`` raises ``Refused`` if code of
                NumPy, tinyformer or Python was replaced

    The standard output at the start is the pipe for answers. It moves to another file descriptor, which no child
    process inherits, and standard output is redirected to standard error. Each answer carries the token that came with
    the jobs.
    """
    pid, channel = os.getpid(), os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    order = json.loads(sys.stdin.readline())
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    faulthandler.enable(sys.__stderr__ or sys.stderr)
    limit_memory()
    traces, token, leave, encode = Traces(), order["token"], os._exit, json.dumps

    def changed():
        names = traces.replaced()
        if names:
            raise Refused("changed", f"your file replaces {', '.join(names[:3])}{', …' * (len(names) > 3)}; the check "
                                     f"needs unchanged versions of NumPy, tinyformer and Python")

    def send(**content):
        if os.getpid() == pid:                              # not in a process that the learner's code has forked
            channel.write(encode({"token": token, **content}) + "\n")
            channel.flush()

    for number, job in enumerate(order["jobs"]):
        send(begun=number)
        try:
            send(answer=number, value=answer(job, changed))
        except Refused as refused:
            send(answer=number, refused=[refused.code, str(refused), refused.state])
        except BaseException as error:
            send(answer=number, refused=["checker", "the checker itself failed. Please report this error: "
                                                    f"{type(error).__name__}: {str(error)[:500]}", "broken"])
        if traces.unsettled():
            break
    leave(0)
