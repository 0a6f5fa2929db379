"""The doctor on mistakes in loops, cells, pairs and layers: ``loops_studied.py`` and ``loops_held_out.py``."""

from __future__ import annotations

import collections
import importlib.util
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from functions import functions

from tinyformer.gradcheck import check

HERE = Path(__file__).parent
NAMED, MISNAMED = {"studied": 0.90, "held_out": 0.86}, {"studied": 0.03, "held_out": 0.05}
BLOCK, = functions(HERE / "transformer_block.py")
HALVES = {name: functions(HERE / f"loops_{name}.py") for name in ("studied", "held_out")}
LIBRARIES = {name: importlib.util.find_spec(name) is not None for name in ("torch", "jax")}
FUNCTIONS = [pytest.param(one, id=one.name, marks=pytest.mark.skipif(
    not LIBRARIES.get(one.library, True), reason=f"{one.library} is not installed"))
    for half in HALVES.values() for one in half]


def outcome(function, which, old, new, codes):
    """"accepted", "named", "unexplained" or "misnamed"; the first code counts."""
    report = next(one for one in check(function.build(old, new), *function.draw()).inputs if one.name == which)
    if report.ok:
        return "accepted"
    first = next(finding.code for finding in report.findings if finding.is_mistake)
    return "named" if first in codes.split("|") else "unexplained" if first == "unexplained" else "misnamed"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_right_function_is_accepted(function):
    assert check(function.build(), *function.draw()).ok


def test_a_right_transformer_block_is_accepted():
    assert check(BLOCK.build(), *BLOCK.draw()).ok


@pytest.mark.slow
@pytest.mark.parametrize("edit", BLOCK.mistakes, ids=lambda edit: edit[-1])
def test_a_mistake_in_a_transformer_block_is_named_within_ten_seconds(edit):
    began = time.process_time()
    assert outcome(BLOCK, *edit) == "named"
    assert time.process_time() - began < 10


@pytest.mark.slow
@pytest.mark.parametrize("half", HALVES)
def test_mistakes_are_refused_and_mostly_named(half):
    cases = [(function, mistake) for function in HALVES[half] for mistake in function.mistakes
             if LIBRARIES.get(function.library, True)]
    counts = collections.Counter(outcome(function, *mistake) for function, mistake in cases)
    assert counts["accepted"] == 0, counts
    assert counts["named"] >= NAMED[half] * len(cases), counts
    assert counts["misnamed"] <= MISNAMED[half] * len(cases), counts
