"""Batches of arrays: each row once an epoch, pairs kept together, errors."""

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.data import Batches, Examples

X, Y = np.arange(20).reshape(10, 2), np.arange(10) * 2


def test_each_row_once_an_epoch_with_its_target():
    batches = Batches(X, Y, size=4, rng=0)
    assert len(batches) == 3
    epochs = [list(batches) for _ in range(2)]
    for epoch in epochs:
        assert [len(x) for x, _ in epoch] == [4, 4, 2]
        x, y = (np.concatenate(part) for part in zip(*epoch))
        np.testing.assert_array_equal(x[:, 0], y)
        assert sorted(y) == list(Y)
    assert not np.array_equal(epochs[0][0][1], epochs[1][0][1])


def test_without_shuffling_the_order_stays():
    np.testing.assert_array_equal(np.concatenate([y for _, y in Batches(X, Y, size=3, shuffle=False)]), Y)


def test_the_order_is_the_generators():
    tfm.seed(3)
    first = [y.tolist() for _, y in Batches(X, Y, size=3)]
    tfm.seed(3)
    assert [y.tolist() for _, y in Batches(X, Y, size=3)] == first
    assert [y.tolist() for _, y in Batches(X, Y, size=3, rng=3)] == first


@pytest.mark.parametrize("arrays, size, message", (
    ((X, Y[:9]), 2, "10 and 9 rows, expected equally many"), ((X[:0], Y[:0]), 2, "no rows"),
    ((), 2, "one or more arrays"),
    ((X, 3), 2, "one or more arrays"), ((X, Y), 0, "size is 0, expected an integer of at least 1")))
def test_what_cannot_be_used(arrays, size, message):
    with pytest.raises(ValueError, match=f"Batches: .*{message}"):
        Batches(*arrays, size=size)


def test_a_size_that_is_no_integer():
    with pytest.raises(TypeError, match="Batches: size is 2.0, expected an integer of at least 1"):
        Batches(X, Y, size=2.0)


def test_a_split_that_is_not_unpacked_is_named():
    with pytest.raises(TypeError, match=r"an argument is a tuple of arrays.*write Batches\(\*dataset.train, size=32\)"):
        Batches(Examples(X, Y), size=2)
    assert len(Batches([(1, 2), (3, 4)], size=1)) == 2                  # a list of rows is an array
