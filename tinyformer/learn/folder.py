"""The learner's folder: a file for each exercise, and how far they have come."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ..files import replace_file
from .exercises import EXERCISES

PROGRESS = "tinyformer-progress.json"
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
    """A folder of exercises, at ``path``; without one, progress is kept as long as Python runs."""

    def __init__(self, path=None):
        self.path, self._memory = path and Path(path), {}

    @classmethod
    def find(cls):
        """The one we stand in, or whose parent we stand in."""
        for path in (Path(), Path(DEFAULT), *Path().glob("*/")):
            if (path / PROGRESS).is_file():
                return cls(path)
        raise FileNotFoundError("no exercises here; `tinyformer learn start` makes a folder of them, or change into it")

    def file(self, name):
        return self.path / f"{1 + list(EXERCISES).index(name):02d}_{name}.py"

    def start(self):
        """Write what is not there yet: the names of the exercises written."""
        written = [name for name in EXERCISES if not self.file(name).exists()]
        for name in written:
            self.write(name)
        self._save(self._load())                            # the mark of the folder
        return written

    def write(self, name):
        """Write the exercise as it was at the start."""
        replace_file(self.file(name), text(name))

    def reset(self, name):
        """Put the exercise back to its start, and keep what was there: where that is, None if there was nothing to keep."""
        path, kept = self.file(name), None
        if path.exists() and path.read_bytes() != text(name).encode():
            kept = path.with_name(path.name + ".old")
            replace_file(kept, path.read_bytes())
        self.write(name)
        progress = self._load()
        progress.pop(name, None)
        self._save(progress)
        return kept

    def record(self, verdict, source=None):
        """Note a verdict; what is noted then. A try counts once: not again for the same ``source``, bytes."""
        progress = self._load()
        entry = {**NEW, **progress.get(verdict.name, {})}
        attempted = verdict.state != "not attempted"
        seen = None if source is None else hashlib.sha256(source).hexdigest()[:16]
        if attempted and (seen is None or seen != entry["seen"]):
            entry["tries"] += 1
        if verdict.hint != entry["hint"]:                   # another mistake: the next hint is the one about it
            entry["hints"] = min(entry["hints"], 1)
        entry.update(state=verdict.state, code=verdict.code, hint=verdict.hint, seen=seen,
                     passed=entry["passed"] or verdict.ok)
        progress[verdict.name] = entry
        self._save(progress)
        return entry

    def entry(self, name):
        """What is noted of an exercise: passed (once), state and code and hint (of the last check), tries, hints (shown)."""
        return {**NEW, **self._load().get(name, {})}

    def hinted(self, name):
        """Count a hint."""
        progress = self._load()
        entry = progress[name] = {**NEW, **progress.get(name, {})}
        entry["hints"] += 1
        self._save(progress)

    def next(self, after=None):
        """The first exercise behind ``after`` that does not pass, or else the first of all; None if every one passes."""
        progress, names = self._load(), list(EXERCISES)
        behind = 0 if after is None else 1 + names.index(after)
        return next((name for name in names[behind:] + names[:behind] if progress.get(name, {}).get("state") != "passed"), None)

    def _load(self):
        if self.path is None:
            return self._memory
        path = self.path / PROGRESS
        try:
            progress = json.loads(path.read_text(encoding="utf-8"))
            if not all(isinstance(entry, dict) for entry in progress.values()):
                raise ValueError
            return progress
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError):
            raise ValueError(f"{path}: not what was written there; delete it to count anew (your answers stay)") from None

    def _save(self, progress):
        if self.path is None:
            self._memory = progress
            return
        replace_file(self.path / PROGRESS, json.dumps(progress, indent=1) + "\n")


NEW = {"passed": False, "state": "", "code": "", "tries": 0, "hints": 0, "hint": "", "seen": None}


def text(name):
    """The learner's file as it is at the start."""
    exercise = EXERCISES[name]
    head = HEAD.format(number=1 + list(EXERCISES).index(name), count=len(EXERCISES), title=exercise.title, name=name,
                       chapter=exercise.chapter, task=TASK if exercise.has_vjp else WHOLE, imports=exercise.imports,
                       question=exercise.question)
    return head + exercise.stub
