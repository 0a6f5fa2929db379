"""Exercises: write a gradient, have it checked, be told what is probably wrong.

On the command line ``tinyformer learn start``; in a notebook

>>> from tinyformer.learn import check, hint, solution
>>> check("softmax", my_softmax)
"""

from __future__ import annotations

from . import messages
from .exercises import EXERCISES
from .folder import Folder
from .grading import GENERAL, grade

__all__ = ["EXERCISES", "Unsolved", "check", "hint", "grade", "outcome", "require", "solution", "wrong_answers"]

_unnoted = Folder()                     # progress, while there is no folder of exercises


def check(name, function, prediction=...):
    """Print what is to be said of ``function`` as an answer to the exercise ``name``, and return the ``Verdict``.

    Progress is kept in the folder that ``tinyformer learn start`` has made, if we stand in it or beside it.
    """
    verdict, folder = _tell(name, function, prediction)
    if verdict.ok:
        following = folder.next(verdict.name)
        print(f"Next: {following}, {EXERCISES[following].title.lower()}." if following else "That was the last one.")
    return verdict


class Unsolved(Exception):
    """An exercise of a notebook is not solved yet. Jupyter shows the sentence alone, without a traceback."""

    def _render_traceback_(self):
        return [str(self)]


def require(name, function, prediction=...):
    """``check``, and stop the notebook here (``Unsolved``) until the exercise is passed."""
    verdict, _ = _tell(name, function, prediction)              # what comes next stands in the notebook
    if not verdict.ok:
        raise Unsolved(f"The notebook stops here until {name} is passed; hint({name!r}) helps.")


def hint(name):
    """Print the next hint of an exercise; the second one goes by what the last check has found."""
    exercise, folder = messages.find(name), _folder()
    print(messages.hint(exercise, folder, messages.NOTEBOOK))
    _print_notices(folder)


def solution(name):
    """Print the solution of an exercise, after a pass or three tries."""
    exercise = messages.find(name)
    print(messages.solution(exercise, _folder().entry(exercise.name)))


def _tell(name, function, prediction):
    """Check, note and print: the verdict, and the folder in which it is noted."""
    exercise, folder = messages.find(name), _folder()
    verdict = grade(exercise, function, prediction)
    print(messages.tell(exercise, verdict, folder.record(verdict), ask=messages.NOTEBOOK))
    _print_notices(folder)
    return verdict, folder


def _print_notices(folder):
    for notice in folder.notices():
        print(notice)


def _folder():
    try:
        return Folder.find()
    except FileNotFoundError:
        return _unnoted


def wrong_answers():
    """Yield (exercise, wrong, function) for every named wrong answer."""
    for exercise in EXERCISES.values():
        for wrong in exercise.wrong:
            yield exercise, wrong, exercise.build(wrong)


def outcome(wrong, verdict):
    """What the doctor made of a wrong answer: "accepted" (it must never be), "named", "unnamed", or "misnamed".

    Misnamed is what got any code that it does not deserve, though it may have got the right one too.
    """
    codes = set(verdict.codes) - set(GENERAL) or set(verdict.codes) & set(wrong.code.split("/"))
    if verdict.ok or not codes:
        return "accepted" if verdict.ok else "unnamed"
    return "named" if codes <= set(wrong.code.split("/")) else "misnamed"
