"""Learners' files are run in a process of their own: one that hangs or crashes takes nothing with it.

``check_files`` starts that process, which is this module run with ``python -m``, and reads a line of JSON for each file.
"""

from __future__ import annotations

import contextlib
import io
import json
import queue
import signal
import subprocess
import sys
import threading
import tokenize
from pathlib import Path

from . import judging
from .calling import Refused, explain, time_limit
from .exercises import EXERCISES
from .judging import Verdict, judge

GRACE = 10                              # seconds beyond the limit, for starting Python and for what the limit cannot stop


def check_files(files, limit=None):
    """Yield the ``Verdict`` on each of ``files``, {name of the exercise: path}, in order, as it comes."""
    limit = judging.LIMIT if limit is None else limit
    left = dict(files)
    while left:
        arguments = [str(part) for item in left.items() for part in item]
        process = subprocess.Popen([sys.executable, "-m", "tinyformer.learn.worker", str(limit), *arguments],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = queue.Queue()
        threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
        try:
            while left:
                name = next(iter(left))
                verdict = _next_verdict(name, lines, limit)
                del left[name]
                yield verdict
                if verdict.code in ("time", "stopped"):     # start anew for the rest
                    break
        finally:
            process.kill()
            process.wait()


def _read(stream, lines):
    for line in stream:
        lines.put(line)
    lines.put(None)


def _next_verdict(name, lines, limit):
    last_words = ""
    while True:
        try:
            line = lines.get(timeout=limit + GRACE)
        except queue.Empty:
            return Verdict(name, "broken", "time", f"still running after {limit:g} seconds, and it does not stop when asked "
                                                   "to: is there a loop without an end?")
        if line is None:
            return Verdict(name, "broken", "stopped", f"your code ended Python itself{last_words and f': {last_words}'}")
        try:
            return Verdict(**json.loads(line))
        except (ValueError, TypeError):                     # printed past Python's own output
            last_words = line.decode(errors="replace").strip() or last_words


# ------------------------------------------------------------------------------------------------ in the process

def main():
    """LIMIT NAME PATH NAME PATH …: a line of JSON for each."""
    signal.signal(signal.SIGINT, signal.default_int_handler)        # the time limit is one, and a shell may have it ignored
    limit, *rest = sys.argv[1:]
    out, sys.stdout = sys.stdout, io.StringIO()
    for name, path in zip(rest[::2], rest[1::2]):
        try:
            verdict = check_file(EXERCISES[name], Path(path), float(limit))
        except Exception as error:
            verdict = Verdict(name, "broken", "checker", f"the checker itself failed, which is not your doing: {error!r}")
        print(json.dumps(verdict.as_dict()), file=out, flush=True)


def check_file(exercise, path, limit):
    """The ``Verdict`` on the function in the learner's file."""
    printed = io.StringIO()
    try:
        with time_limit(limit), contextlib.redirect_stdout(printed):
            names = _run(path)
        if exercise.name not in names:
            functions = [name for name, value in names.items() if getattr(value, "__module__", "") == names["__name__"]]
            has = f"; it has {', '.join(functions)}" if functions else ""
            raise Refused("name", f"{path.name} has no function {exercise.name}{has}. Keep its name: "
                                  f"def {exercise.name}({', '.join(exercise.parameters)})")
    except Refused as refused:
        return Verdict(exercise.name, refused.state, refused.code, str(refused), printed=printed.getvalue())
    verdict = judge(exercise, names[exercise.name], names.get("prediction", ...), limit)
    verdict.printed = printed.getvalue() + verdict.printed
    return verdict


def _run(path):
    """The names that the learner's file defines."""
    sys.path[0] = str(path.parent)
    names = {"__name__": path.stem, "__file__": str(path)}
    try:
        with tokenize.open(path) as file:
            source = file.read()
        exec(compile(source, str(path), "exec"), names)
    except FileNotFoundError as error:
        if error.filename != str(path):
            raise Refused("import", f"{path.name} does not run: {explain(error, str(path))}") from error
        raise Refused("import", f"{path} is not there: tinyformer learn reset {path.stem[3:]} writes it anew") from None
    except (Exception, SystemExit) as error:
        raise Refused("import", f"{path.name} does not run: {explain(error, str(path))}") from error
    return names


if __name__ == "__main__":
    main()
