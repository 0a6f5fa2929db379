"""tinyformer learn …: the exercises, in a folder of the learner's."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Optional

import typer

from .console import say, width
from .groups import group

app = group("Learn by writing gradients, which are checked.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="An exercise: its name, number or file.")]
PAUSE = 0.5                             # seconds between two looks at the files


@app.command("start")
def start(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write them.")] = Path("exercises")):
    """Write the exercises into a folder. What is there already stays as it is."""
    from ..learn.exercises import EXERCISES
    from ..learn.folder import Folder
    desk = Folder(folder)
    written = desk.start()
    kept = len(EXERCISES) - len(written)
    say(f"{len(written)} exercises written to {folder}{kept and f', {kept} left as they were' or ''}.")
    following = desk.next()
    if following:
        inside = "" if folder == Path("exercises") else f" (in {folder}, or in the folder that holds it)"
        say(f"Open {desk.file(following)} in an editor, answer its question, write the missing part, then{inside}:\n\n"
            f"    tinyformer learn check {following}\n\n"
            f"`tinyformer learn watch` checks whenever you save; `tinyformer learn list` shows how far you are.")
    _say_notices(desk)


@app.command("list")
def list_all():
    """Show all exercises by chapter, and how far you are."""
    from ..learn import messages
    from ..learn.folder import Folder
    desk = Folder.find()
    entries = desk.entries()
    for line in messages.listing(entries, width()):
        say(line)
    say(f"{messages.count(entries.values())} {_next(desk)}")
    _say_notices(desk)


@app.command("check")
def check(name: Annotated[Optional[str], typer.Argument(metavar="NAME", help="One exercise; without it, all.")] = None):
    """Check one exercise, or all. Exit code 1 if one is not passed."""
    from ..learn import messages
    from ..learn.folder import Folder
    if name is not None:
        exercise, desk = messages.find(name), Folder.find()
        sys.exit(0 if _check_one(desk, exercise) else 1)
    sys.exit(0 if _check_all(Folder.find()) else 1)


@app.command("watch")
def watch(rounds: Annotated[Optional[int], typer.Option(hidden=True)] = None):
    """Check an exercise whenever you save it. Ctrl-C ends it."""
    from ..learn.exercises import EXERCISES
    from ..learn.folder import Folder
    desk = Folder.find()
    following = desk.next()
    say(f"Watching {desk.path.resolve()}; Ctrl-C ends it. {_next(desk)}")
    seen = _times(desk)
    try:
        while rounds is None or rounds > 0:
            time.sleep(PAUSE)
            now = _times(desk)
            for following in [name for name in EXERCISES if now[name] not in (None, seen[name])]:
                say(f"\n{'-' * 20} {time.strftime('%H:%M:%S')} {following}")
                _check_one(desk, EXERCISES[following])
            seen, rounds = now, rounds and rounds - 1
    except KeyboardInterrupt:
        say(f"\n{_next(desk)}")


@app.command("hint")
def hint(name: Annotated[Optional[str], typer.Argument(metavar="NAME", help="An exercise; without it, the next one.")] = None):
    """Give the next hint. The second one goes by what the last check has found."""
    from ..learn import messages
    from ..learn.folder import Folder
    desk = Folder.find()
    name = name or desk.next()
    say(messages.hint(messages.find(name), desk) if name else _next(desk))
    _say_notices(desk)


@app.command("solution")
def solution(name: Name):
    """Show the solution, after a pass or three tries."""
    from ..learn import messages
    from ..learn.folder import Folder
    exercise, desk = messages.find(name), Folder.find()
    say(messages.solution(exercise, desk.entry(exercise.name)))
    _say_notices(desk)


@app.command("reset")
def reset(name: Name):
    """Put an exercise back to its start. Your text is kept beside it."""
    from ..learn import messages
    from ..learn.folder import Folder
    exercise, desk = messages.find(name), Folder.find()
    kept = desk.reset(exercise.name)
    say(f"{desk.file(exercise.name)} is as at the start{kept and f'; what you had is in {kept}' or ''}.")
    _say_notices(desk)


# ------------------------------------------------------------------------------------------------ the parts

def _check_one(desk, exercise):
    """Check, note and print one. Whether it is passed."""
    from ..learn import messages
    from ..learn.folder import source_of
    from ..learn.worker import check_files
    path = desk.file(exercise.name)
    verdict = next(check_files({exercise.name: path}))
    entry = desk.record(verdict, source_of(path))
    say(messages.tell(exercise, verdict, entry, path, _next(desk, exercise.name)))
    _say_notices(desk)
    return verdict.ok


def _check_all(desk):
    """Check, note and print all, in a line each, and the first that is wrong whole. Whether all are passed."""
    from ..learn import messages
    from ..learn.exercises import EXERCISES
    from ..learn.folder import source_of
    from ..learn.worker import check_files
    first, entries = None, []
    for number, verdict in enumerate(check_files({name: desk.file(name) for name in EXERCISES}), 1):
        exercise = EXERCISES[verdict.name]
        entry = desk.record(verdict, source_of(desk.file(verdict.name)))
        entries.append(entry)
        if verdict.state != "not attempted" or entry["passed"]:
            say(messages.line(number, exercise, entry, width()))
        if first is None and verdict.state in ("wrong", "broken"):
            first = exercise, verdict, entry
    if first:
        exercise, verdict, entry = first
        say("\n" + messages.tell(exercise, verdict, entry, desk.file(exercise.name)))
    attempted = sum(entry["tries"] > 0 or entry["state"] == "broken" for entry in entries)
    say(f"\n{messages.count(entries)} {len(EXERCISES) - attempted} not attempted. {_next(desk)}")
    _say_notices(desk)
    return all(entry["state"] == "passed" for entry in entries)


def _next(desk, after=None):
    following = desk.next(after)
    return f"Next: {following}, in {desk.file(following)}" if following else "All exercises are passed."


def _say_notices(desk):
    for notice in desk.notices():
        say(notice)


def _times(desk):
    """When each file was written last; None where there is none."""
    from ..learn.exercises import EXERCISES
    times = {}
    for name in EXERCISES:
        try:
            times[name] = desk.file(name).stat().st_mtime_ns
        except OSError:
            times[name] = None
    return times
