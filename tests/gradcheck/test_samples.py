"""Inputs to check at, and a learner's file."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from tinyformer.gradcheck import sample
from tinyformer.gradcheck.inputs import Unknown, find_inputs


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
    with pytest.raises(ValueError, match="expected one letter per axis"):
        sample("B;C")


def test_names_and_numbers_between_commas():
    x, w, t = sample("N,D_in", "D_in,12,", "N,<12")
    assert x.shape[1] == len(w) and w.shape[1] == 12 and t.shape == x.shape[:1] and t.dtype.kind == "i"


def test_shapes_are_read_from_annotations():
    def f(x: BC, w: OC, p=0.5):
        return x
    assert find_inputs(f, {}).texts == ["BC", "OC"]
    assert find_inputs(f, {"w": "5,4"}).texts == ["BC", "5,4"]
    assert find_inputs(lambda x: x, {}).guessed


def test_shapes_are_read_from_a_docstring():
    def affine(x, w, y, reg=0.1):
        """An affine layer.

        Inputs:
        - x: Input data, of shape (N, D)
        - w (D, M): weights
        - y: Labels of shape (N,), where y[i] is an integer
        """
    found = find_inputs(affine, {})
    assert found.texts == ["N,D,", "D,M,", "N,<3"] and found.source == "the docstring"


def test_unknown_inputs():
    for fn, stated, says in ((lambda x, w: x, {}, "unknown: x, w"), (lambda x, w: x, {"x": "BC"}, "unknown: w"),
                             (lambda x: x, {"y": "BC"}, "no such input")):
        with pytest.raises(Unknown, match=says):
            find_inputs(fn, stated)
