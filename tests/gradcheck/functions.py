"""Functions as learners write them, read from ``written.py``, ``unseen.py`` and ``loops_*.py``.

Each stands there as ``Function(inputs, source, *mistakes)``. A mistake is (input, old text, new text, codes): with the
new text in the place of the old the gradient of that input is wrong, and any of the codes is a true name for it. The
source defines the function last, or gives ``subject`` what ``check`` takes: a pair, a class, a torch Function. There,
the input may also be a parameter of the class.
"""

from __future__ import annotations

import re
import runpy

import numpy as np

from tinyformer.gradcheck import sample


class Function:
    """A function given as text: its inputs ("x:BC" is x of shape (B, C), see ``gradcheck.sample``), its source, its
    mistakes."""

    def __init__(self, inputs, source, *mistakes):
        self.names, self.shapes = zip(*(word.split(":") for word in inputs.split()))
        self.source, self.mistakes = source.strip() + "\n", mistakes
        self.name = re.findall(r"^(?:def|class) (\w+)", self.source, re.MULTILINE)[-1]
        self.library = next(iter(re.findall(r"^import (\w+)", self.source, re.MULTILINE)), None)

    def build(self, old="", new=""):
        """The function, with the new text in the place of the old."""
        if old and self.source.count(old) != 1:
            raise ValueError(f"{self.name}: {old!r} stands {self.source.count(old)} times in it, expected once")
        scope = {"np": np, "__name__": "learner"}
        exec(compile(self.source.replace(old, new) if old else self.source, f"<{self.name}>", "exec"), scope)
        return scope.get("subject", scope[self.name])

    def draw(self, seed=0):
        return sample(*self.shapes, seed=seed)


def functions(path):
    """All functions of the file ``path``, in their order."""
    made = []
    runpy.run_path(str(path), {"Function": lambda *how: made.append(Function(*how))})
    return made
