"""The learner's folder: a file for each exercise, and how far they have come."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from ..files import lock, replace_file
from ..sandbox.source import LARGEST as SOURCE
from .exercises import EXERCISES
from .progress import NEW, bytes_of, load

PROGRESS = "tinyformer-progress.json"
LOCK = ".tinyformer-progress.lock"
WAIT = 10                               # seconds to wait for another process that writes progress
DEFAULT = "exercises"

HEAD = '''"""Exercise {number} of {count} · {title} · chapter {chapter}

{task}
In the folder above this one:

    tinyformer learn check {name}
    tinyformer learn hint {name}
"""

{imports}
# First predict, by hand. {question}
prediction = ...            # put your answer in place of the dots


'''
TASK = """Write the body of vjp (vector–Jacobian product: the way back), below. It is handed the gradient of the value: for each entry, how fast a loss L grows with it.
It returns the gradients of the arguments in the same sense, arrays of the arguments' shapes. The way forward is given."""
WHOLE = "Write the body of the function, below, from the formula in its docstring."


class Folder:
    """A folder of exercises, at ``path``; without one, progress is kept as long as Python runs.

    Trouble with the file of progress never costs a verdict or a hint: ``notices()`` says what happened.
    """

    def __init__(self, path=None):
        self.path, self._memory, self._notices = path and Path(path), None if path else {}, {}

    @classmethod
    def find(cls):
        """The one we stand in, or whose parent we stand in."""
        for path in (Path(), Path(DEFAULT), *Path().glob("*/")):
            if os.path.lexists(path / PROGRESS):
                return cls(path)
        raise FileNotFoundError("no exercises here; `tinyformer learn start` makes a folder of them, or change into it")

    def file(self, name):
        """The file of an exercise. One that an earlier version has written keeps its number."""
        there = sorted(path for path in self.path.glob(f"[0-9][0-9]_{name}.py"))
        return there[0] if there else self.path / f"{1 + list(EXERCISES).index(name):02d}_{name}.py"

    def start(self):
        """Write what is not there yet: the names of the exercises written."""
        written = [name for name in EXERCISES if not os.path.lexists(self.file(name))]
        for name in written:
            self.write(name)
        with self._changing():                              # the mark of the folder
            pass
        return written

    def write(self, name):
        """Write the exercise as it was at the start."""
        replace_file(self.file(name), text(name))

    def reset(self, name):
        """Put the exercise back to its start, and keep what was there: where that is, None if there was nothing to keep."""
        path, kept = self.file(name), None
        if os.path.lexists(path) and source_of(path) != text(name).encode():
            kept = _aside(path, ".old")
        self.write(name)
        with self._changing() as progress:
            progress.pop(name, None)
        return kept

    def record(self, verdict, source=None):
        """Note a verdict; what is noted then. A try counts once: not again for the same ``source``, bytes."""
        with self._changing() as progress:
            entry = {**NEW, **progress.get(verdict.name, {})}
            if verdict.is_try:
                seen = None if source is None else hashlib.sha256(source).hexdigest()[:16]
                entry["tries"] += seen is None or seen != entry["seen"]
                entry["seen"] = seen
                if verdict.hint != entry["hint"]:           # another mistake: the next hint is the one about it
                    entry.update(hint=verdict.hint, hints=min(entry["hints"], 1))
            entry.update(state=verdict.state, code=verdict.code, passed=entry["passed"] or verdict.ok)
            progress[verdict.name] = entry
        return entry

    def entry(self, name):
        """What is noted of an exercise: passed (once), state and code and hint (of the last check), tries, hints (shown)."""
        return self.entries()[name]

    def entries(self):
        """{name: what is noted of it} for all exercises."""
        progress = self._load()
        return {name: {**NEW, **progress.get(name, {})} for name in EXERCISES}

    def hinted(self, name):
        """Count a hint."""
        with self._changing() as progress:
            entry = progress[name] = {**NEW, **progress.get(name, {})}
            entry["hints"] += 1

    def next(self, after=None):
        """The first exercise behind ``after`` that does not pass, or else the first of all; None if every one passes."""
        progress, names = self._load(), list(EXERCISES)
        behind = 0 if after is None else 1 + names.index(after)
        return next((name for name in names[behind:] + names[:behind] if progress.get(name, {}).get("state") != "passed"), None)

    def notices(self):
        """Sentences about trouble with the file of progress, each once."""
        new = [notice for notice, told in self._notices.items() if not told]
        self._notices = dict.fromkeys(self._notices, True)
        return new

    # -- the file of progress

    @contextlib.contextmanager
    def _changing(self):
        """The progress, to be changed in a ``with`` block: no other process changes it meanwhile, and it is saved at the end."""
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
                self._notices.setdefault(f"This is not recorded: {error.filename or self.path / PROGRESS}: "
                                         f"{error.strerror or error}.", False)
                self._memory = progress                     # what comes next still follows from it

    def _load(self):
        if self._memory is not None:
            return self._memory
        progress, damage = load(self.path / PROGRESS)
        if damage:
            self._notices.setdefault(f"{self.path / PROGRESS} is damaged: {damage}. What can be read of it counts.", False)
        return progress

    def _save(self, progress):
        path = self.path / PROGRESS
        if os.path.lexists(path) and load(path)[1]:
            kept = _aside(path, ".damaged")
            self._notices.setdefault(f"The damaged file is kept as {kept}.", False)
        replace_file(path, json.dumps(progress, indent=1) + "\n")


def source_of(path):
    """The bytes of a learner's file, b"" if it is no ordinary file: a pipe would never end."""
    return bytes_of(path, SOURCE) or b""


def _aside(path, ending):
    """Rename ``path`` to a free name, which it returns."""
    number, kept = 1, path.with_name(path.name + ending)
    while os.path.lexists(kept):
        number += 1
        kept = path.with_name(f"{path.name}{ending}{number}")
    os.replace(path, kept)
    return kept


def text(name):
    """The learner's file as it is at the start."""
    exercise = EXERCISES[name]
    head = HEAD.format(number=1 + list(EXERCISES).index(name), count=len(EXERCISES), title=exercise.title, name=name,
                       chapter=exercise.chapter, task=TASK if exercise.has_vjp else WHOLE, imports=exercise.imports,
                       question=exercise.question)
    return head + exercise.stub
