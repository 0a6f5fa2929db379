"""What must hold of every exercise: the stub, the solution, the wrong answers, the words."""

from __future__ import annotations

import functools
import inspect
import re
from collections import Counter
from math import gcd

import numpy as np
import pytest

from tinyformer.gradcheck import check
from tinyformer.gradcheck.codes import pages
from tinyformer.learn import EXERCISES, grade, outcome, messages, wrong_answers
from tinyformer.learn.advice import ADVICE
from tinyformer.learn.folder import text

every = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))
WRONG = list(wrong_answers())
CODES = set(pages())


def test_there_are_enough():
    assert len(EXERCISES) >= 30
    assert len(WRONG) >= 200


@every
def test_the_stub_is_not_attempted(exercise):
    names = {}
    exec(compile(text(exercise.name), "learner.py", "exec"), names)
    verdict = grade(exercise, names[exercise.name], names["prediction"])
    assert verdict.state == "not attempted" and not verdict.ok
    assert verdict.predicted is None


@every
def test_the_stub_gives_the_way_forward_and_not_the_way_back(exercise):
    names = {}
    exec(compile(exercise.imports + exercise.stub, "learner.py", "exec"), names)
    assert exercise.stub.count("raise NotImplementedError") == 1
    if exercise.has_vjp:
        inputs = exercise.draw()
        value, expected = names[exercise.name](*inputs)[0], exercise.function(*inputs)[0]
        for one, other in zip(*(v if isinstance(v, tuple) else (v,) for v in (value, expected))):
            np.testing.assert_array_equal(one, other)
        assert re.search(r"def vjp\(\w+\):\n        raise NotImplementedError\n\n    return", exercise.stub)


@every
def test_the_solution_passes(exercise):
    verdict = grade(exercise, exercise.function)
    assert verdict.ok, verdict.message
    assert verdict.message == verdict.code == verdict.hint == ""


@every
def test_the_solution_passes_for_20_seeds(exercise):
    if not exercise.has_vjp:
        pytest.skip("there is no gradient; the value is the reference itself")
    for seed in range(20):
        for square in (False, True):
            g, arrays = exercise.differentiable_part(exercise.function, exercise.draw(seed, square))
            report = check(g, *arrays, seed=seed)
            assert report.ok, f"seed {seed}, square {square}:\n{report}"


@every
def test_sizes_are_coprime_and_then_equal(exercise):
    sizes = [p.default for p in inspect.signature(exercise.inputs).parameters.values() if p.default is not p.empty]
    assert all(gcd(a, b) == 1 for i, a in enumerate(sizes) for b in sizes[:i])
    squares = [a for a in exercise.draw(square=True) if isinstance(a, np.ndarray)]
    assert all(n % 3 == 0 or n in (1, 4) for a in squares for n in a.shape)


@every
def test_what_is_said(exercise):
    assert exercise.title[0].isupper() and len(exercise.title) <= 67
    assert len(exercise.hints) >= 2 and all(len(hint) > 15 for hint in exercise.hints)
    assert exercise.question.endswith(("?", ".")) and exercise.chapter[:2].isdigit()
    assert exercise.predicted(exercise.answer(exercise.function)) is True
    assert exercise.predicted(...) is None
    assert exercise.predicted("no idea") is False
    assert exercise.predicted(-17.5) is False
    assert 5 <= len(exercise.wrong) <= 10
    assert len({wrong.name for wrong in exercise.wrong}) == len(exercise.wrong)


@every
def test_the_answer_as_written_is_the_answer(exercise):
    assert exercise.predicted(eval(messages.answer(exercise), {})) is True


@functools.cache
def judged(i):
    exercise, _, function = WRONG[i]
    return grade(exercise, function, limit=60)


@pytest.mark.parametrize("i", range(len(WRONG)), ids=[f"{e.name}: {w.name}" for e, w, _ in WRONG])
def test_a_wrong_answer_is_refused_and_leads_to_its_hint(i):
    wrong, verdict = WRONG[i][1], judged(i)
    assert set(wrong.code.split("/")) <= CODES | {"case"}                  # a case is of the exercise alone
    assert len(wrong.hint) > 10
    assert not verdict.ok and verdict.message
    if wrong.code.startswith("nondeterministic"):
        assert verdict.hint == ADVICE[verdict.code]
    else:
        assert (verdict.mistake, verdict.hint) == (wrong.name, wrong.hint)


def test_the_doctor_names_the_wrong_answers():
    outcomes = Counter(outcome(wrong, judged(i)) for i, (_, wrong, _) in enumerate(WRONG))
    assert outcomes["accepted"] == outcomes["misnamed"] == 0, outcomes
    assert outcomes["named"] >= 0.95 * len(WRONG), outcomes


def test_advice_for_every_code():
    assert CODES - set(ADVICE) == {"flat", "float32", "kink", "straight-through"}     # these are no mistakes
    assert set(ADVICE) - CODES == {"case"}                                 # of an exercise, not of the doctor
    assert all(advice.endswith((".", "?")) for advice in ADVICE.values())
