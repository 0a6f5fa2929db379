"""Check learners' files, in a process of their own: one that hangs or crashes takes nothing with it.

``check_files`` starts that process, in which ``main`` runs.
"""

from __future__ import annotations

from pathlib import Path

from . import grading
from ..sandbox import Refused, captured, find_function, run_file, within
from ..sandbox.child import serve
from ..sandbox.parent import run
from .exercises import EXERCISES
from .grading import Verdict, grade


def check_files(files, limit=None):
    """Yield the ``Verdict`` on each of ``files``, {name of the exercise: path}, in order, as it comes."""
    limit = grading.LIMIT if limit is None else limit
    jobs = [[name, str(path), limit] for name, path in files.items()]
    for name, answer in zip(files, run(__name__, jobs, 2 * limit)):
        if isinstance(answer, Refused):
            yield _refused(name, answer)
        else:
            yield Verdict(**answer)


def _refused(name, refused, **more):
    verdict = Verdict(name, **more)
    verdict.refuse(refused)
    return verdict


# ------------------------------------------------------------------------------------------------ in the process

def main():
    serve(lambda job, changed: check_file(EXERCISES[job[0]], Path(job[1]), job[2], changed).as_dict())


def check_file(exercise, path, limit, changed=lambda: None):
    """The ``Verdict`` on the function in the learner's file, which may run for ``limit`` seconds, and its function as long."""
    needed = f"Keep its name: def {exercise.name}({', '.join(exercise.parameters)})"
    with captured() as printed:
        try:
            names = within(limit, run_file, path)
            function = find_function(names, path, exercise.name, needed)
        except Refused as refused:
            if refused.code == "missing file":
                refused = Refused(refused.code, f"{refused}: tinyformer learn reset {exercise.name} writes it again")
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
