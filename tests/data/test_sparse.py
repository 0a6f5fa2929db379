"""Rows of which only what is not zero is kept."""

import numpy as np
import pytest

from tinyformer.data.sparse import SparseRows


def dense(rows, width):
    full = np.zeros((len(rows), width), np.float32)
    np.add.at(full, (rows.rows, rows.columns), rows.values)
    return full


@pytest.fixture
def table(rng):
    full = rng.standard_normal((7, 5)).astype(np.float32) * (rng.random((7, 5)) < 0.4)
    full[2] = 0                                             # a text without any known word
    return full, SparseRows.of((np.flatnonzero(row), row[row != 0]) for row in full)


def test_it_is_the_matrix(table):
    full, rows = table
    assert len(rows) == 7 and rows.size == (full != 0).sum()
    np.testing.assert_array_equal(dense(rows, 5), full)


@pytest.mark.parametrize("chosen", ([3, 2, 2, 0], [], slice(1, 5), [2]))
def test_some_of_the_rows(table, chosen):
    full, rows = table
    part = rows[np.array(chosen, int) if isinstance(chosen, list) else chosen]
    np.testing.assert_array_equal(dense(part, 5), full[chosen if chosen != [] else slice(0)])


def test_no_rows():
    assert len(SparseRows.of([])) == 0 and SparseRows.of([([], [])]).size == 0
