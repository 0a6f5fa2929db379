"""tinyformer learn …: the exercises, as files in a folder."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Optional

import typer

from .console import say, width
from .groups import group

app = group("Exercises: write gradients and check them.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="An exercise: its name, number or file.")]
PAUSE = 0.5                             # seconds between two scans of the files


@app.command("start")
def start(path: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to create.")] = Path("exercises")):
    """Write the exercises into a folder. Existing files stay unchanged."""
    from ..learn.exercises import EXERCISES
    from ..learn.folder import Folder
    folder = Folder(path)
    written = folder.start()
    kept = len(EXERCISES) - len(written)
    say(f"{len(written)} exercises written to {path}{kept and f', {kept} left unchanged' or ''}.")
    following = folder.next()
    if following:
        inside = "" if path == Path("exercises") else f" (in {path} or in the folder above it)"
        say(f"Open {folder.file(following)} in an editor, answer its question and write the missing part. Then "
            f"run{inside}:\n\n"
            f"    tinyformer learn check {following}\n\n"
            "`tinyformer learn watch` checks a file each time you save it; "
            "`tinyformer learn list` shows your progress.")
    _say_notices(folder)


@app.command("list")
def list_all():
    """Show all exercises by chapter, with your progress."""
    from ..learn import messages
    from ..learn.folder import Folder
    folder = Folder.find()
    entries = folder.entries()
    for line in messages.listing(entries, width()):
        say(line)
    say(f"{messages.count(entries.values())} {_next(folder)}")
    _say_notices(folder)


@app.command("check")
def check(name: Annotated[Optional[str], typer.Argument(metavar="NAME", help="One exercise; all if omitted.")] = None):
    """Check one exercise or all. The exit code is 1 if one is not passed."""
    from ..learn import messages
    from ..learn.folder import Folder
    if name is not None:
        exercise, folder = messages.find(name), Folder.find()
        sys.exit(0 if _check_one(folder, exercise) else 1)
    sys.exit(0 if _check_all(Folder.find()) else 1)


@app.command("watch")
def watch(rounds: Annotated[Optional[int], typer.Option(hidden=True)] = None):
    """Check an exercise each time you save it. Stop with Ctrl-C."""
    from ..learn.exercises import EXERCISES
    from ..learn.folder import Folder
    folder = Folder.find()
    following = folder.next()
    say(f"Watching {folder.path.resolve()}; stop with Ctrl-C. {_next(folder)}")
    seen = _times(folder)
    try:
        while rounds is None or rounds > 0:
            time.sleep(PAUSE)
            now = _times(folder)
            for following in [name for name in EXERCISES if now[name] not in (None, seen[name])]:
                say(f"\n{'-' * 20} {time.strftime('%H:%M:%S')} {following}")
                _check_one(folder, EXERCISES[following])
            seen, rounds = now, rounds and rounds - 1
    except KeyboardInterrupt:
        say(f"\n{_next(folder)}")


@app.command("hint")
def hint(name: Annotated[Optional[str], typer.Argument(
        metavar="NAME", help="An exercise; the next one if omitted.")] = None):
    """Show the next hint. After a failed check, the second hint is about your own mistake."""
    from ..learn import messages
    from ..learn.folder import Folder
    folder = Folder.find()
    name = name or folder.next()
    say(messages.hint(messages.find(name), folder) if name else _next(folder))
    _say_notices(folder)


@app.command("solution")
def solution(name: Name):
    """Show the solution, after a pass or three tries."""
    from ..learn import messages
    from ..learn.folder import Folder
    exercise, folder = messages.find(name), Folder.find()
    say(messages.solution(exercise, folder.entry(exercise.name)))
    _say_notices(folder)


@app.command("reset")
def reset(name: Name):
    """Restore the initial text of an exercise. Your text is kept in a file next to it."""
    from ..learn import messages
    from ..learn.folder import Folder
    exercise, folder = messages.find(name), Folder.find()
    kept = folder.reset(exercise.name)
    say(f"{folder.file(exercise.name)} has its initial text again{kept and f'; your text is in {kept}' or ''}.")
    _say_notices(folder)


# ------------------------------------------------------------------------------------------------ the parts

def _check_one(folder, exercise):
    """Check one exercise, record and print the verdict. Returns whether it is passed."""
    from ..learn import messages
    from ..learn.folder import source_of
    from ..learn.worker import check_files
    path = folder.file(exercise.name)
    verdict = next(check_files({exercise.name: path}))
    entry = folder.record(verdict, source_of(path))
    say(messages.verdict_text(exercise, verdict, entry, path, _next(folder, exercise.name)))
    _say_notices(folder)
    return verdict.ok


def _check_all(folder):
    """Check all exercises and print a line for each, and the whole verdict on the first wrong one.

    Returns whether all pass.
    """
    from ..learn import messages
    from ..learn.exercises import EXERCISES
    from ..learn.folder import source_of
    from ..learn.worker import check_files
    first, entries = None, []
    for number, verdict in enumerate(check_files({name: folder.file(name) for name in EXERCISES}), 1):
        exercise = EXERCISES[verdict.name]
        entry = folder.record(verdict, source_of(folder.file(verdict.name)))
        entries.append(entry)
        if verdict.state != "not attempted" or entry["passed"]:
            say(messages.list_line(number, exercise, entry, width()))
        if first is None and verdict.state in ("wrong", "broken"):
            first = exercise, verdict, entry
    if first:
        exercise, verdict, entry = first
        say("\n" + messages.verdict_text(exercise, verdict, entry, folder.file(exercise.name)))
    attempted = sum(entry["tries"] > 0 or entry["state"] == "broken" for entry in entries)
    say(f"\n{messages.count(entries)} {len(EXERCISES) - attempted} not attempted. {_next(folder)}")
    _say_notices(folder)
    return all(entry["state"] == "passed" for entry in entries)


def _next(folder, after=None):
    following = folder.next(after)
    return f"Next: {following}, in {folder.file(following)}" if following else "All exercises are passed."


def _say_notices(folder):
    for notice in folder.notices():
        say(notice)


def _times(folder):
    """The modification time of each file; None for a file that does not exist."""
    from ..learn.exercises import EXERCISES
    times = {}
    for name in EXERCISES:
        try:
            times[name] = folder.file(name).stat().st_mtime_ns
        except OSError:
            times[name] = None
    return times
