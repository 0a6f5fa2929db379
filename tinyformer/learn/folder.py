"""The learner's folder: one file for each exercise, and the recorded progress."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import lock, replace_file
from ..sandbox.source import LARGEST as SOURCE
from .exercises import EXERCISES
from .progress import NEW, bytes_of, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .grading import Verdict

PROGRESS = "tinyformer-progress.json"
LOCK = ".tinyformer-progress.lock"
WAIT = 10                               # seconds to wait for another process that writes the progress
DEFAULT = "exercises"

HEAD = '''"""Exercise {number} of {count} · {title} · chapter {chapter}

{task}
Run these commands in the folder above this one:

    tinyformer learn check {name}
    tinyformer learn hint {name}
"""

{imports}
{question}
prediction = ...            # replace the dots by your answer


'''
TASK = """Write the body of vjp (the vector–Jacobian product, which computes the backward pass). The forward pass is
given. vjp gets the upstream gradient: for each entry of the value, the rate at which a loss L changes with that entry.
It returns the gradients of the arguments: arrays of their shapes, with the rates at which L changes with their
entries."""
WHOLE = "Write the body of the function from the formula in its docstring."


class Folder:
    """The folder of exercises at ``path``. Without a path, progress is kept in memory.

    A problem with the progress file never prevents a verdict or a hint; ``notices()`` returns what happened.
    """

    path: Any                                               # a Path; None in memory, where no method needs it

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = path and Path(path)
        self._memory: dict[str, dict[str, Any]] | None = None if path else {}
        self._notices: dict[str, bool] = {}                 # {sentence: whether it was returned}

    @classmethod
    def find(cls) -> Folder:
        """The current folder if it has exercises, or a folder in it. Raises FileNotFoundError if there is none."""
        for path in (Path(), Path(DEFAULT), *Path().glob("*/")):
            if os.path.lexists(path / PROGRESS):
                return cls(path)
        raise FileNotFoundError("there are no exercises here: "
                                "run `tinyformer learn start`, or change to the folder that has them")

    def file(self, name: str) -> Path:
        """The file of an exercise. A file from an earlier version keeps its number."""
        there = sorted(path for path in self.path.glob(f"[0-9][0-9]_{name}.py"))
        return there[0] if there else self.path / f"{1 + list(EXERCISES).index(name):02d}_{name}.py"

    def start(self) -> list[str]:
        """Write the exercises that do not exist yet. Returns their names."""
        written = [name for name in EXERCISES if not os.path.lexists(self.file(name))]
        for name in written:
            self.write(name)
        # write the progress file, by which ``find`` finds the folder
        with self._changing():
            pass
        return written

    def write(self, name: str) -> None:
        """Write the exercise in its initial state."""
        replace_file(self.file(name), text(name))

    def reset(self, name: str) -> Path | None:
        """Restore the initial exercise.

        Returns the file in which the learner's text is kept, None if there was none.
        """
        path, kept = self.file(name), None
        if os.path.lexists(path) and source_of(path) != text(name).encode():
            kept = _aside(path, ".old")
        self.write(name)
        with self._changing() as progress:
            progress.pop(name, None)
        return kept

    def record(self, verdict: Verdict, source: bytes | None = None) -> dict[str, Any]:
        """Record a verdict and return the entry. A second try with the same ``source`` does not count."""
        with self._changing() as progress:
            entry = {**NEW, **progress.get(verdict.name, {})}
            if verdict.is_try:
                seen = None if source is None else hashlib.sha256(source).hexdigest()[:16]
                entry["tries"] += seen is None or seen != entry["seen"]
                entry["seen"] = seen
                if verdict.hint != entry["hint"]:           # the next hint is about the new mistake
                    entry.update(hint=verdict.hint, hints=min(entry["hints"], 1))
            entry.update(state=verdict.state, code=verdict.code, passed=entry["passed"] or verdict.ok)
            progress[verdict.name] = entry
        return entry

    def entry(self, name: str) -> dict[str, Any]:
        """The recorded progress of an exercise.

        passed                  whether it was ever passed
        state, code, hint       of the last check
        tries, hints            how many there were
        """
        return self.entries()[name]

    def entries(self) -> dict[str, dict[str, Any]]:
        """{name: recorded progress} of all exercises."""
        progress = self._load()
        return {name: {**NEW, **progress.get(name, {})} for name in EXERCISES}

    def hinted(self, name: str) -> None:
        """Count a hint that was shown."""
        with self._changing() as progress:
            entry = progress[name] = {**NEW, **progress.get(name, {})}
            entry["hints"] += 1

    def next(self, after: str | None = None) -> str | None:
        """The first exercise after ``after`` that is not passed, else the first of all; None if all are passed."""
        progress, names = self._load(), list(EXERCISES)
        start = 0 if after is None else 1 + names.index(after)
        return next((name for name in names[start:] + names[:start] if progress.get(name, {}).get("state") != "passed"),
                    None)

    def notices(self) -> list[str]:
        """Sentences about problems with the progress file. Each is returned once."""
        new = [notice for notice, returned in self._notices.items() if not returned]
        self._notices = dict.fromkeys(self._notices, True)
        return new

    # -- the progress file

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, dict[str, Any]]]:
        """The progress, for changes in a ``with`` block.

        No other process changes it in that time, and it is saved at the end.
        """
        if self._memory is not None:
            yield self._memory
            return
        self.path.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(lock(self.path / LOCK, WAIT))
                refused = None
            except OSError as error:
                refused = error
            progress = self._load()
            yield progress
            try:
                if refused:
                    raise refused
                self._save(progress)
            except OSError as error:
                self._notices.setdefault("Your progress is not recorded: "
                                         f"{error.filename or self.path / PROGRESS}: {error.strerror or error}.", False)
                self._memory = progress                     # later calls still see it

    def _load(self) -> dict[str, dict[str, Any]]:
        if self._memory is not None:
            return self._memory
        progress, damage = load(self.path / PROGRESS)
        if damage:
            self._notices.setdefault(f"{self.path / PROGRESS} is damaged: {damage}. The readable part is used.", False)
        return progress

    def _save(self, progress: dict[str, dict[str, Any]]) -> None:
        path = self.path / PROGRESS
        if os.path.lexists(path) and load(path)[1]:
            kept = _aside(path, ".damaged")
            self._notices.setdefault(f"The damaged file is kept as {kept}.", False)
        replace_file(path, json.dumps(progress, indent=1) + "\n")


def source_of(path: Path) -> bytes:
    """The bytes of a learner's file; b"" if it is not a regular file, since reading a pipe might never end."""
    return bytes_of(path, SOURCE) or b""


def _aside(path: Path, ending: str) -> Path:
    """Rename ``path`` to an unused name, and return that name."""
    number, kept = 1, path.with_name(path.name + ending)
    while os.path.lexists(kept):
        number += 1
        kept = path.with_name(f"{path.name}{ending}{number}")
    os.replace(path, kept)
    return kept


def text(name: str) -> str:
    """The initial text of the learner's file."""
    exercise = EXERCISES[name]
    question = textwrap.fill(f"First answer by hand: {exercise.question}", 118, initial_indent="# ",
                             subsequent_indent="# ", break_on_hyphens=False)
    head = HEAD.format(number=1 + list(EXERCISES).index(name), count=len(EXERCISES), title=exercise.title, name=name,
                       chapter=exercise.chapter, task=TASK if exercise.has_vjp else WHOLE, imports=exercise.imports,
                       question=question)
    return head + exercise.stub
