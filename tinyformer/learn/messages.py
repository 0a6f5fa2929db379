"""The texts for a learner, as plain text: verdicts, hints, the solution, the list of exercises."""

from __future__ import annotations

import difflib
import textwrap
from typing import TYPE_CHECKING, Any

from ..sandbox.messages import printed_lines, visible
from .exercises import EXERCISES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .exercise import Exercise
    from .folder import Folder
    from .grading import Verdict

TRIES = 3                               # the solution opens after this many tries, or after a pass
SHELL = "tinyformer learn {} {}"         # the command for more help: its name and the exercise
NOTEBOOK = '{}("{}")'                    # the same in a notebook


def find(name: str) -> Exercise:
    """The exercise with this name, number or file name. Raises ValueError if there is none."""
    names = list(EXERCISES)
    stem = str(name).replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    if stem.isdigit() and 1 <= int(stem) <= len(names):
        return EXERCISES[names[int(stem) - 1]]
    bare = stem[3:] if stem[:2].isdigit() and stem[2:3] == "_" else stem
    if bare in EXERCISES:
        return EXERCISES[bare]
    close = difflib.get_close_matches(bare, names, 1, 0.5)
    instead = f"did you mean {close[0]}?" if close else "`tinyformer learn list` shows all exercises"
    raise ValueError(f"there is no exercise {str(name)!r}; {instead}")


def verdict_text(exercise: Exercise, verdict: Verdict, entry: Mapping[str, Any], file: Any = "", following: str = "",
                 ask: str = SHELL) -> str:
    """The whole verdict on one exercise.

    entry       the recorded progress of the exercise
    file        the file of the answer
    following   what to do after a pass
    ask         the command for more help: ``SHELL`` or ``NOTEBOOK``
    """
    name = exercise.name
    lines = printed_lines(verdict.printed, verdict.unprinted)
    if verdict.ok:
        lines += [f"{name}: passed. {_afterwards(exercise, verdict)}", following]
    elif verdict.state == "not attempted":
        what = "the body of vjp" if exercise.has_vjp else "the body of the function"
        lines += [f"{name}: not attempted yet. "
                  f"Write {what}{file and f' in {file}'}. It still raises NotImplementedError.",
                  *_prediction(exercise, verdict), f"To get a hint: {ask.format('hint', name)}"]
    else:
        code = f"  [{verdict.code}]"
        lines += [f"{name}: not passed yet.{code}", "",
                  textwrap.indent(visible(verdict.message), "  ", lambda line: True).rstrip(), "",
                  *_prediction(exercise, verdict), f"To get a hint: {ask.format('hint', name)}"]
        if not entry["passed"] and entry["tries"] >= TRIES:
            lines.append(f"After {entry['tries']} tries you may also read the solution: {ask.format('solution', name)}")
    return "\n".join(line.rstrip() for text in lines for line in text.splitlines() or [""]).rstrip()


def _prediction(exercise: Exercise, verdict: Verdict) -> list[str]:
    if verdict.predicted is None:
        return [f"You have not answered the question yet: {exercise.question}"]
    if verdict.predicted:
        return ["Your prediction is right."]
    return [f"Your prediction is not right yet: {exercise.question}"]


def _afterwards(exercise: Exercise, verdict: Verdict) -> str:
    if verdict.predicted:
        return "Your prediction was right too."
    opening = "You made no prediction" if verdict.predicted is None else "Your prediction was not right"
    return f"{opening}: {exercise.question} {answer(exercise)}."


def answer(exercise: Exercise) -> str:
    """The answer to the exercise's question, as a learner would write it."""
    value = exercise.answer(exercise.function)
    if isinstance(value, tuple):
        return str(value)
    return f"{round(float(value), 6) + 0.0:g}"


def hint(exercise: Exercise, folder: Folder, ask: str = SHELL) -> str:
    """The next hint, which ``folder`` records as given.

    First comes a general hint, then one about the last mistake, then the rest.
    """
    entry = folder.entry(exercise.name)
    stages = [exercise.hints[0], *([entry["hint"]] if entry["hint"] else []), *exercise.hints[1:]]
    given = entry["hints"]
    if given < len(stages):
        folder.hinted(exercise.name)
        text = f"{exercise.name}, hint {given + 1} of {len(stages)}: {stages[given]}"
        after = f"\nAfter {ask.format('check', exercise.name)} you can get a hint about your own attempt."
        return text if entry["hint"] else text + after
    shown = "\n".join(f"  {i}. {stage}" for i, stage in enumerate(stages, 1))
    when = "" if entry["passed"] or entry["tries"] >= TRIES else f", after {TRIES} tries"
    return f"{exercise.name}, all hints:\n{shown}\nThe solution{when}: {ask.format('solution', exercise.name)}"


def solution(exercise: Exercise, entry: Mapping[str, Any]) -> str:
    """The solution. Raises ValueError before a pass or ``TRIES`` tries."""
    if not entry["passed"] and entry["tries"] < TRIES:
        left = TRIES - entry["tries"]
        raise ValueError(f"the solution of {exercise.name} opens after a pass or {TRIES} tries; {left} more needed")
    question = f"The question: {exercise.question} {answer(exercise)}."
    return f"{exercise.source.rstrip()}\n\nMore: chapter {exercise.chapter}. {question}"


def listing(entries: Mapping[str, Mapping[str, Any]], width: int | None = None) -> Iterator[str]:
    """Yield the lines of the list of all exercises, by chapter and in the book's order.

    entries     {name of the exercise: its recorded progress}
    width       of the terminal, in characters
    """
    chapters: dict[str, list[tuple[int, Exercise]]] = {}
    for number, exercise in enumerate(EXERCISES.values(), 1):
        chapters.setdefault(exercise.chapter, []).append((number, exercise))
    for chapter, those in chapters.items():
        passed = sum(entries[exercise.name]["state"] == "passed" for _, exercise in those)
        number, _, title = chapter.partition(" ")
        yield f"Chapter {int(number)}, {title}: {passed} of {len(those)} passed"
        yield from (list_line(number, exercise, entries[exercise.name], width) for number, exercise in those)
        yield ""


def list_line(number: int, exercise: Exercise, entry: Mapping[str, Any], width: int | None = None) -> str:
    """One line of the list. A long title is cut to fit into ``width`` characters."""
    head, title, end = f"{number:>3}  {exercise.name:<23}", exercise.title, status(entry)
    room = 66 if width is None else max(width - len(head) - len(end) - 1, 12)
    return f"{head}{title if len(title) <= room else title[:room - 1].rstrip() + '…':<{room}} {end}"


def status(entry: Mapping[str, Any]) -> str:
    """The status of an exercise in the list: "open", "2 tries, sign", "passed", …"""
    if entry["passed"]:
        return "passed" if entry["state"] == "passed" else f"passed once, now {entry['code'] or entry['state']}"
    if not entry["tries"]:
        return f"open, {entry['code']}" if entry["state"] == "broken" else "open"
    return f"{entry['tries']} {'try' if entry['tries'] == 1 else 'tries'}, {entry['code'] or entry['state']}"


def count(entries: Iterable[Mapping[str, Any]]) -> str:
    """A sentence with the number of exercises that passed their last check."""
    return f"{sum(entry['state'] == 'passed' for entry in entries)} of {len(EXERCISES)} passed."
