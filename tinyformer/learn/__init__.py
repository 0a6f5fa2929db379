"""Exercises: write a gradient, check it, and read what is probably wrong.

    check       grade an answer, print the verdict and record it
    require     check, and stop the notebook until the exercise is passed
    hint        print the next hint
    solution    print the solution, after a pass or three tries
    grade       the verdict alone, without printing or recording
    EXERCISES   {name: Exercise}, in the order of the book

On the command line, ``tinyformer learn start`` writes the exercises as files. In a notebook:

>>> from tinyformer.learn import check, hint, solution
>>> check("softmax", my_softmax)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..names import module_attributes
from . import messages
from .exercises import EXERCISES
from .folder import Folder
from .grading import GENERAL, Verdict, grade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .exercise import Exercise, WrongAnswer

__all__ = ["EXERCISES", "Unsolved", "Verdict", "check", "grade", "hint", "outcome", "require", "solution",
           "wrong_answers"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)

_in_memory = Folder()                   # progress for this session, if there is no folder of exercises


def check(name: str, function: Callable[..., Any], prediction: Any = ...) -> Verdict:
    """Grade ``function`` as an answer to the exercise ``name``, print the verdict, and return it.

    name        the exercise's name, number or file name; ``EXERCISES`` has all names
    function    the answer: it has the exercise's parameters and returns (value, vjp), or the value if the exercise has
                no vjp
    prediction  your answer to the exercise's question: a number, or a tuple of numbers; ... if you have none

    The value must equal the solution's to 8 digits. Each gradient must agree with the numeric one to a relative 1e-5
    (``gradcheck.check``), at inputs with different sizes and with equal sizes, and then equal the solution's on the
    exercise's special cases.

    Progress is recorded in the folder of ``tinyformer learn start`` if that is the current folder or one inside it, and
    otherwise in memory. Raises ValueError for an unknown name.
    """
    verdict, folder = _check(name, function, prediction)
    if verdict.ok:
        following = folder.next(verdict.name)
        print(f"Next: {following}, {EXERCISES[following].title.lower()}." if following
              else "This was the last exercise.")
    return verdict


class Unsolved(Exception):
    """An exercise of a notebook is not solved yet. Jupyter shows only the sentence, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def require(name: str, function: Callable[..., Any], prediction: Any = ...) -> None:
    """``check`` an answer, and raise ``Unsolved`` unless it passes, so that a notebook stops here."""
    verdict, _ = _check(name, function, prediction)             # the notebook itself shows the next exercise
    if not verdict.ok:
        raise Unsolved(f"The notebook stops here until {name} is passed; hint({name!r}) helps.")


def hint(name: str) -> None:
    """Print the next hint of an exercise. After a failed check, the second hint is about your own mistake.

    Raises ValueError for an unknown name.
    """
    exercise, folder = messages.find(name), _folder()
    print(messages.hint(exercise, folder, messages.NOTEBOOK))
    _print_notices(folder)


def solution(name: str) -> None:
    """Print the solution of an exercise. Raises ValueError before a pass or three tries, and for an unknown name."""
    exercise = messages.find(name)
    print(messages.solution(exercise, _folder().entry(exercise.name)))


def _check(name: str, function: Callable[..., Any], prediction: Any) -> tuple[Verdict, Folder]:
    """Grade, record and print: the verdict, and the folder that has recorded it."""
    exercise, folder = messages.find(name), _folder()
    verdict = grade(exercise, function, prediction)
    print(messages.verdict_text(exercise, verdict, folder.record(verdict), ask=messages.NOTEBOOK))
    _print_notices(folder)
    return verdict, folder


def _print_notices(folder: Folder) -> None:
    for notice in folder.notices():
        print(notice)


def _folder() -> Folder:
    try:
        return Folder.find()
    except FileNotFoundError:
        return _in_memory


def wrong_answers() -> Iterator[tuple[Exercise, WrongAnswer, Callable[..., Any]]]:
    """Yield (exercise, wrong, function) for every named wrong answer of every exercise."""
    for exercise in EXERCISES.values():
        for wrong in exercise.wrong:
            yield exercise, wrong, exercise.build(wrong)


def outcome(wrong: WrongAnswer, verdict: Verdict) -> str:
    """How the doctor judged a wrong answer: "named", "unnamed", "misnamed", or "accepted", which must never happen.

    It is misnamed if any of its codes is wrong, even if another code is right.
    """
    codes = set(verdict.codes) - set(GENERAL) or set(verdict.codes) & set(wrong.code.split("/"))
    if verdict.ok or not codes:
        return "accepted" if verdict.ok else "unnamed"
    return "named" if codes <= set(wrong.code.split("/")) else "misnamed"
