"""The doctor on the blind set: mistakes and right functions whose author had not read the hypotheses."""

from __future__ import annotations

import collections
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from blind_mistakes import MISTAKES
from blind_numeric import error, gradients_of, is_float, is_wrong, wrong_right_gradients
from blind_right import DEGENERATE, DOUBLE, SINGLE, right_functions

from tinyformer.gradcheck.codes import table

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
PROGRAMS = list({id(mistake.program): mistake.program for mistake in MISTAKES}.values())
SAMPLE = MISTAKES[7::67]


@pytest.fixture(scope="module")
def rights():
    return list(right_functions())


def test_the_set_is_large_enough_and_speaks_of_known_codes():
    mistakes = {code.name for code in table().values() if code.is_mistake} - {"unexplained"}
    assert len(MISTAKES) >= 160 and sum(m.program.loops for m in MISTAKES) >= len(MISTAKES) / 3
    for mistake in MISTAKES:
        right, defensible = mistake.codes.split("|"), mistake.defensible.split("|") if mistake.defensible else []
        assert set(right + defensible) <= mistakes and not set(right) & set(defensible), mistake.name
        mistake.build()


def test_the_right_functions_are_as_many_as_promised(rights):
    counts = collections.Counter(right.kind for right in rights)
    assert counts == dict(double=DOUBLE, single=SINGLE, degenerate=DEGENERATE) and len(rights) == 2000
    sizes = [x.size for right in rights if right.kind == "degenerate" for x in right.inputs]
    assert sizes.count(0) > 20 and sizes.count(1) > 20


def test_a_sample_is_refused_and_a_sample_of_right_functions_is_accepted(rights):
    for mistake in SAMPLE:
        assert is_wrong(mistake), mistake.name
        assert mistake.outcome()[0] != "accepted", mistake.name
    for right in rights[3:DOUBLE:89] + rights[DOUBLE + SINGLE::17]:
        assert not wrong_right_gradients(right.function, right.inputs), right.name
        assert not right.alarm(), right.name


@pytest.mark.slow
def test_every_wrong_gradient_is_wrong_and_every_right_one_is_right(rights):
    assert [m.name for m in MISTAKES if not is_wrong(m)] == []
    assert [p.name for p in PROGRAMS if wrong_right_gradients(p.build(), p.draw())] == []
    assert [r.name for r in rights if r.kind != "single" and wrong_right_gradients(r.function, r.inputs)] == []


@pytest.mark.slow
def test_functions_in_float32_have_the_gradients_of_float64(rights):
    for right in rights:
        if right.kind == "single":
            _, _, gradients, _ = gradients_of(right.function, right.inputs)
            _, _, expected, _ = gradients_of(right.function.__wrapped__, right.inputs)
            for x, found, true in zip(right.inputs, gradients, expected):
                if is_float(x):
                    assert found.dtype == np.float64 and error(found, np.asarray(true)) < 1e-3, right.name


@pytest.fixture(scope="module")
def counts():
    return collections.Counter(mistake.outcome()[0] for mistake in MISTAKES)


@pytest.mark.slow
def test_mistakes_are_refused_and_mostly_named(counts):
    assert counts["accepted"] == 0, counts
    assert counts["named"] >= 0.88 * len(MISTAKES) and counts["misnamed"] <= 12, counts


@pytest.mark.slow
@pytest.mark.xfail(strict=False, reason="the goal; today 482 of 542 (88.9 %) are named and 12 (2.2 %) misnamed")
def test_nearly_all_mistakes_are_named(counts):
    assert counts["named"] >= 0.92 * len(MISTAKES) and counts["misnamed"] <= 0.01 * len(MISTAKES), counts


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["double", "degenerate", "single"])
def test_right_functions_are_not_accused(rights, kind):
    alarms = [f"{right.name}: {alarm}" for right in rights if right.kind == kind and (alarm := right.alarm())]
    assert alarms == []
