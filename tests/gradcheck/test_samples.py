"""Inputs to check at, and a learner's file."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from tinyformer.gradcheck import sample
from tinyformer.gradcheck.learner import LearnerError, load_function, shapes_of, within


def test_lengths_are_coprime_and_shared():
    x, w, b, s = sample("BTI", "OI", "O", "")
    assert x.shape[2] == w.shape[1] and w.shape[0] == b.shape[0] and s.shape == ()
    assert all(math.gcd(m, n) == 1 for m, n in combinations([*x.shape, len(w)], 2))


def test_square_and_seeds():
    assert {n for a in sample("BTI", "OI", square=True) for n in a.shape} == {4}
    np.testing.assert_array_equal(sample("BC", seed=3)[0], sample("BC", seed=3)[0])
    assert (sample("BC")[0] != sample("BC", seed=1)[0]).all()


def test_kinds():
    w, i, p, m, d = sample("VC", "BT<V", "C+", "BT?", "B2")
    assert i.dtype.kind == "i" and 0 <= i.min() and i.max() < len(w) and len(np.unique(i)) < i.size
    assert p.min() >= 0.5 and m.dtype == bool and 0 < m.sum() < m.size and d.shape[1] == 2


def test_bad_text():
    with pytest.raises(ValueError, match="expected a letter for each axis"):
        sample("B,C")


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text, encoding="utf-8")
        return path
    return write


def test_a_function_is_loaded(file):
    path = file('from __future__ import annotations\ndef f(x: "BC", w: "OC", p=0.5):\n    return x\n')
    assert shapes_of(load_function(path)) == ["BC", "OC"] and load_function(path, "f").__name__ == "f"
    assert shapes_of(load_function(file("def f(x):\n    return x\n"))) is None


@pytest.mark.parametrize("text, name, says", [
    ("import no_such_module\n", "f", r"does not import: ModuleNotFoundError.*\(line 1: import no_such_module\)"),
    ("def f(x:\n", "f", "line 1.*never closed"), ("x = 1\n", "f", "it defines no function"),
    ("def g(x):\n    pass\n", "f", "has no function f; it has g"), ("def g(): pass\ndef h(): pass\n", None,
                                                                    "say which function")])
def test_what_is_wrong_with_a_file_is_said(file, text, name, says):
    with pytest.raises(LearnerError, match=says):
        load_function(file(text), name)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(LearnerError, match="no such file"):
        load_function(tmp_path / "none.py")


def test_a_loop_without_end_is_named_by_its_line(file):
    function = load_function(file("import time\ndef f():\n    while True:\n        time.sleep(0.001)\n"))
    with pytest.raises(LearnerError, match=r"still running after 0.2 seconds, at mine.py, line [34]"):
        within(0.2, function)
    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)
