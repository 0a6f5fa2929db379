"""What a learner reads: verdicts, hints, the list, as plain text."""

from __future__ import annotations

import difflib
import textwrap

from ..sandbox.messages import printed_lines, visible
from .exercises import EXERCISES

TRIES = 3                               # so many, or a pass, open the solution
SHELL = "tinyformer learn {} {}"         # how to ask for more: a word and a name
NOTEBOOK = '{}("{}")'


def find(name):
    """The exercise of that name, or number, or file name."""
    names = list(EXERCISES)
    stem = str(name).replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    if stem.isdigit() and 1 <= int(stem) <= len(names):
        return EXERCISES[names[int(stem) - 1]]
    bare = stem[3:] if stem[:2].isdigit() and stem[2:3] == "_" else stem
    if bare in EXERCISES:
        return EXERCISES[bare]
    close = difflib.get_close_matches(bare, names, 1, 0.5)
    instead = f"did you mean {close[0]}?" if close else "`tinyformer learn list` names them"
    raise ValueError(f"no exercise {str(name)!r}; {instead}")


def tell(exercise, verdict, entry, file="", following="", ask=SHELL):
    """The verdict on one exercise, whole.

    entry       what is noted of it
    file        where the answer is written
    following   what to do after a pass
    ask         how to ask for more: a pattern for a word and the name
    """
    name = exercise.name
    lines = printed_lines(verdict.printed, verdict.unprinted)
    if verdict.ok:
        lines += [f"{name}: passed. {_afterwards(exercise, verdict)}", following]
    elif verdict.state == "not attempted":
        what = "the body of vjp" if exercise.has_vjp else "the body of the function"
        lines += [f"{name}: not attempted yet. Write {what}{file and f' in {file}'}: it still raises NotImplementedError.",
                  *_prediction(exercise, verdict), f"No idea how to begin? {ask.format('hint', name)}"]
    else:
        code = f"  [{verdict.code}]"
        lines += [f"{name}: not yet.{code}", "", textwrap.indent(visible(verdict.message), "  ", lambda line: True).rstrip(), "",
                  *_prediction(exercise, verdict), f"Stuck? {ask.format('hint', name)}"]
        if not entry["passed"] and entry["tries"] >= TRIES:
            lines.append(f"After {entry['tries']} tries you may also look it up: {ask.format('solution', name)}")
    return "\n".join(line.rstrip() for text in lines for line in text.splitlines() or [""]).rstrip()


def _prediction(exercise, verdict):
    if verdict.predicted is None:
        return [f"Your prediction is still open: {exercise.question}"]
    return ["Your prediction is right."] if verdict.predicted else [f"Your prediction is not right yet: {exercise.question}"]


def _afterwards(exercise, verdict):
    if verdict.predicted:
        return "And your prediction was right."
    opening = "You made no prediction" if verdict.predicted is None else "Your prediction was not right"
    return f"{opening}: {exercise.question} {answer(exercise)}."


def answer(exercise):
    """The answer to the exercise's question, as a learner would write it."""
    value = exercise.answer(exercise.function)
    if isinstance(value, tuple):
        return str(value)
    return f"{round(float(value), 6) + 0.0:g}"


def hint(exercise, folder, ask=SHELL):
    """The next hint, which ``folder`` notes as given: a general one, one by what the last check has found, the rest."""
    entry = folder.entry(exercise.name)
    stages = [exercise.hints[0], *([entry["hint"]] if entry["hint"] else []), *exercise.hints[1:]]
    given = entry["hints"]
    if given < len(stages):
        folder.hinted(exercise.name)
        text = f"{exercise.name}, hint {given + 1} of {len(stages)}: {stages[given]}"
        after = f"\nAfter {ask.format('check', exercise.name)} there is one about your own attempt."
        return text if entry["hint"] else text + after
    shown = "\n".join(f"  {i}. {stage}" for i, stage in enumerate(stages, 1))
    when = "" if entry["passed"] or entry["tries"] >= TRIES else f", after {TRIES} tries"
    return f"{exercise.name}, all hints:\n{shown}\nThe solution{when}: {ask.format('solution', exercise.name)}"


def solution(exercise, entry):
    """The solution, or a ValueError as long as it is closed."""
    if not entry["passed"] and entry["tries"] < TRIES:
        left = TRIES - entry["tries"]
        raise ValueError(f"the solution of {exercise.name} opens after a pass or {TRIES} tries; {left} to go")
    question = f"The question: {exercise.question} {answer(exercise)}."
    return f"{exercise.source.rstrip()}\n\nMore: chapter {exercise.chapter}. {question}"


def listing(entries, width=None):
    """Lines that show all exercises, under their chapters and in the book's order.

    entries     {name of the exercise: what is noted of it}, in the order of the numbers
    """
    chapters = {}
    for number, exercise in enumerate(EXERCISES.values(), 1):
        chapters.setdefault(exercise.chapter, []).append((number, exercise))
    for chapter, those in chapters.items():
        passed = sum(entries[exercise.name]["state"] == "passed" for _, exercise in those)
        number, _, title = chapter.partition(" ")
        yield f"Chapter {int(number)}, {title}: {passed} of {len(those)} passed"
        yield from (line(number, exercise, entries[exercise.name], width) for number, exercise in those)
        yield ""


def line(number, exercise, entry, width=None):
    """One exercise in the list; in a line of ``width`` characters, long titles are cut."""
    head, title, end = f"{number:>3}  {exercise.name:<23}", exercise.title, state(entry)
    room = 66 if width is None else max(width - len(head) - len(end) - 1, 12)
    return f"{head}{title if len(title) <= room else title[:room - 1].rstrip() + '…':<{room}} {end}"


def state(entry):
    """How far an exercise is, in a word or two."""
    if entry["passed"]:
        return "passed" if entry["state"] == "passed" else f"passed once, now {entry['code'] or entry['state']}"
    if not entry["tries"]:
        return f"open, {entry['code']}" if entry["state"] == "broken" else "open"
    return f"{entry['tries']} {'try' if entry['tries'] == 1 else 'tries'}, {entry['code'] or entry['state']}"


def count(entries):
    """How many passed their last check."""
    return f"{sum(entry['state'] == 'passed' for entry in entries)} of {len(EXERCISES)} passed."
