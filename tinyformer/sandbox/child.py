"""In the process of the learner's code: take jobs, answer each, on a pipe that the learner's output cannot reach."""

from __future__ import annotations

import faulthandler
import json
import os
import sys

from .processes import limit_memory
from .refusal import Refused
from .traces import Traces


def serve(answer):
    """Answer jobs until there are none, or until a file has left the process in a state that the next must not meet.

    answer      (job, changed) → a dict for JSON, or ``Refused``; ``changed()`` raises ``Refused`` if code of NumPy or
                tinyformer has been replaced

    Standard output at the start is the pipe for answers. It moves to a number of its own, which no process inherits, and
    standard output becomes standard error, so that what is printed goes elsewhere. Each answer carries the token that came
    with the jobs.
    """
    pid, channel = os.getpid(), os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    order = json.loads(sys.stdin.readline())
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    faulthandler.enable(sys.__stderr__)
    limit_memory()
    traces, token, leave, encode = Traces(), order["token"], os._exit, json.dumps

    def changed():
        names = traces.replaced()
        if names:
            raise Refused("changed", f"your file replaces {', '.join(names[:3])}{', …' * (len(names) > 3)}: the check needs "
                                     f"NumPy, tinyformer and Python as they are")

    def send(**content):
        if os.getpid() == pid:                              # not a copy of this process that the learner's code has forked
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
