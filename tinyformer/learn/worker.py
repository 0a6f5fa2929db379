"""Check learners' files in a separate process, so that a file that hangs or crashes does no harm.

``check_files`` starts the process, which runs ``main``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import grading
from ..sandbox import Refused, captured, find_function, run_file, within
from ..sandbox.child import serve
from ..sandbox.parent import run
from .exercises import EXERCISES
from .grading import Verdict, grade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .exercise import Exercise


def check_files(files: Mapping[str, Path], limit: float | None = None) -> Iterator[Verdict]:
    """Yield the ``Verdict`` on each file, in order, as soon as it is known.

    files       {name of the exercise: path}
    limit       seconds for each check; None: ``grading.LIMIT``
    """
    limit = grading.LIMIT if limit is None else limit
    jobs = [[name, str(path), limit] for name, path in files.items()]
    for name, answer in zip(files, run(__name__, jobs, 2 * limit)):
        if isinstance(answer, Refused):
            yield _refused(name, answer)
        else:
            yield Verdict(**answer)


def _refused(name: str, refused: Refused, **more: Any) -> Verdict:
    verdict = Verdict(name, **more)
    verdict.refuse(refused)
    return verdict


# ------------------------------------------------------------------------------------------------ in the process

def main() -> None:
    """Answer jobs for ``sandbox.parent.run``.

    A job is [name of the exercise, file, seconds]; an answer is a verdict's dict.
    """
    serve(lambda job, changed: check_file(EXERCISES[job[0]], Path(job[1]), job[2], changed).as_dict())


def check_file(exercise: Exercise, path: Path, limit: float, changed: Callable[[], None] = lambda: None) -> Verdict:
    """The ``Verdict`` on the function in the learner's file.

    limit       seconds for running the file, and again for checking the function
    changed     raises ``Refused`` if the file has changed NumPy, tinyformer or Python
    """
    needed = f"Keep its name: def {exercise.name}({', '.join(exercise.parameters)})"
    with captured() as printed:
        try:
            names = within(limit, run_file, path)
            function = find_function(names, path, exercise.name, needed)
        except Refused as refused:
            if refused.code == "missing file":
                refused = Refused(refused.code, f"{refused}; `tinyformer learn reset {exercise.name}` creates it again")
            text, lost = printed.result()
            return _refused(exercise.name, refused, printed=text, unprinted=lost)
    verdict = grade(exercise, function, names.get("prediction", ...), limit)
    before, lost = printed.result()
    verdict.printed, verdict.unprinted = before + verdict.printed, lost + verdict.unprinted
    try:
        changed()
    except Refused as refused:
        verdict.refuse(refused)
        verdict.hint = verdict.mistake = ""
    return verdict
