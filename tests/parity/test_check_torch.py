"""The doctor on functions in PyTorch's form: the right ones pass, and the mistakes are named."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tinyformer.gradcheck import check, sample

torch = pytest.importorskip("torch", reason="the functions are PyTorch's, and it is not installed")


class Case:
    """A function as text, its inputs ("x:BC"), and its mistakes."""

    def __init__(self, inputs, source, *mistakes):
        self.names, self.shapes = zip(*(word.split(":") for word in inputs.split()))
        self.source, self.mistakes = source.lstrip(), mistakes
        self.name = re.findall(r"^(?:class|def) (\w+)", self.source, re.MULTILINE)[-1]

    def build(self, old="", new=""):
        assert not old or self.source.count(old) == 1, (self.name, old)
        scope = {"torch": torch}
        exec(compile(self.source.replace(old, new) if old else self.source, f"<{self.name}>", "exec"), scope)
        return scope[self.name]

    def inputs(self):
        return sample(*self.shapes)


def read(name):
    found = []
    runpy.run_path(str(Path(__file__).parent / name), {"Case": lambda *how: found.append(Case(*how))})
    return found


CASES = read("torch_functions.py")
MISTAKES = [(case, *mistake) for case in CASES for mistake in case.mistakes]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_right_functions_pass(case):
    report = check(case.build(), *case.inputs())
    assert report.ok, str(report)


def test_mistakes_are_named():
    refused = named = misnamed = 0
    for case, which, old, new, codes in MISTAKES:
        report = check(case.build(old, new), *case.inputs())
        one = report.inputs[case.names.index(which)]
        code = one.findings[0].code if one.findings else ""
        refused += not one.ok
        named += code in codes.split("|")
        misnamed += code not in (*codes.split("|"), "unexplained", "")
        if code not in codes.split("|"):
            print(case.name, which, repr(new), codes, "->", code, one.findings[:1])
    n = len(MISTAKES)
    print(n, refused, named, misnamed)
    assert n >= 40 and refused == n and named >= 0.92 * n and misnamed <= 0.01 * n
