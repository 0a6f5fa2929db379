"""Functions of another library as text, with mistakes planted in them, and how well the doctor names these."""

from __future__ import annotations

import importlib
import os
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from tinyformer.gradcheck import check, sample
from tinyformer.gradcheck.following import record
from tinyformer.gradcheck.function_forms import checked_function, copies


class Case:
    """A function as text, its inputs ("x:BC", see ``gradcheck.sample``), and its mistakes."""

    def __init__(self, inputs, source, *mistakes):
        self.names, self.shapes = zip(*(word.split(":") for word in inputs.split()))
        self.source, self.mistakes = source.lstrip(), mistakes
        self.name = re.findall(r"^(?:class|def) (\w+)", self.source, re.MULTILINE)[0]

    def build(self, scope, old="", new=""):
        """The function, with the new text in the place of the old."""
        assert not old or self.source.count(old) == 1, (self.name, old)
        scope = dict(scope)
        exec(compile(self.source.replace(old, new) if old else self.source, f"<{self.name}>", "exec"), scope)
        return scope.get("model", scope[self.name])

    def inputs(self):
        return sample(*self.shapes)


def library(name):
    """The library, or a skip where it is not installed; the checks before a change lands require it."""
    if os.environ.get("TINYFORMER_REQUIRE_TORCH"):
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"the functions are {name}'s, and it is not installed")


def read(name):
    """All cases of a file in this folder."""
    found = []
    runpy.run_path(str(Path(__file__).parent / name), {"Case": lambda *how: found.append(Case(*how))})
    return found


def passes(case, scope):
    """Assert that the right function passes, and that a function with mistakes is recorded."""
    report = check(case.build(scope), *case.inputs())
    assert report.ok, str(report)
    assert not case.mistakes or is_recorded(case, scope)


def named(cases, scope, least):
    """Assert that no mistake is accepted, at most 8 % have another name, and at most 1 % a wrong one."""
    found = list(diagnose(cases, scope))
    astray = [one for one in found if one[2] not in one[1]]
    assert len(found) >= least and all(code is not None for _, _, code in found), astray
    assert len(astray) <= 0.08 * len(found), astray
    assert sum(code != "unexplained" for _, _, code in astray) <= 0.01 * len(found), astray


def is_recorded(case, scope):
    """Whether the doctor has a record of the function's forward pass, with the right value."""
    checked = checked_function(case.build(scope), case.inputs(), {})
    values, _ = checked.linearize(copies(checked.arrays))
    tape = record(checked.steps, copies(checked.arrays), checked.wanted, {})
    return all(np.allclose(step.value, v) for step, v in zip(tape.outputs, values) if step is not None)


def diagnose(cases, scope):
    """(what, expected codes, first code found or None if it passed) of each mistake."""
    for case in cases:
        for which, old, new, codes in case.mistakes:
            one = check(case.build(scope, old, new), *case.inputs()).inputs[case.names.index(which)]
            yield f"{case.name}: d{which} with {new!r}", codes.split("|"), None if one.ok else one.findings[0].code
