"""Texts of a line each: their split, their batches."""

import numpy as np
import pytest

from tinyformer.data import by_length, random_lines, split_lines
from tinyformer.data.dataset import tenth

LINES = [np.array(ids) for ids in ([0, 3, 0], [0, 1, 2, 3, 0], [0, 2, 0], [0, 4, 4, 0], [0, 1, 0])]


def test_the_content_of_a_line_says_where_it_goes():
    names = [f"name{i}" for i in range(200)]
    # an empty one, one twice
    parts = train, validation, test = split_lines("\n".join(names) + "\n\n" + names[0])
    assert sorted(line for part in parts for line in part) == sorted(f"\n{name}\n" for name in names)
    assert [{tenth(line.strip()) for line in part} for part in parts] == [set(range(2, 10)), {1}, {0}]
    assert split_lines("\n".join(reversed(names)))[2] == list(reversed(test))


def test_random_lines_are_lines_and_what_is_not_there_is_left_out(rng):
    known, met = {tuple(line) for line in LINES}, set()
    for _ in range(40):
        x, y = random_lines(LINES, 3, rng)
        assert x.shape == y.shape == (3, max((row != -100).sum() for row in y))
        for ids, targets in zip(x, y):
            T = (targets != -100).sum()
            assert (targets[T:] == -100).all() and (ids[T:] == 0).all()
            np.testing.assert_array_equal(ids[1:T], targets[:T - 1])
            met.add((*ids[:T], targets[T - 1]))
    assert met == known


@pytest.mark.parametrize("batch_size", (1, 2, 9))
def test_every_line_comes_once_and_nothing_is_filled_up(batch_size):
    batches = list(by_length(LINES, batch_size))
    assert all(x.shape == y.shape and len(x) <= batch_size for x, y in batches)
    found = [(*ids, targets[-1]) for x, y in batches for ids, targets in zip(x, y)]
    assert sorted(found) == sorted(tuple(line) for line in LINES)
    for x, y in batches:
        np.testing.assert_array_equal(x[:, 1:], y[:, :-1])


def test_some_of_the_lines():
    found = [(*x[0], y[0, -1]) for x, y in by_length(LINES, 1, at_most=3)]
    assert sorted(found) == sorted(tuple(LINES[i]) for i in (0, 2, 4))
    assert len(list(by_length(LINES, 1, at_most=50))) == 5
