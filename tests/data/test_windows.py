"""Windows over a row of tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyformer.data import random_windows, split, windows


@given(n=st.integers(0, 200), fraction=st.floats(0.01, 0.99))
def test_split_keeps_every_token_in_order(n, fraction):
    tokens = np.arange(n)
    train, validation = split(tokens, fraction)
    np.testing.assert_array_equal(np.concatenate([train, validation]), tokens)
    assert len(train) == int(fraction * n)


@given(n=st.integers(1, 200), T=st.integers(1, 30), batch_size=st.integers(1, 9))
def test_windows_cover_every_token_once(n, T, batch_size):
    tokens = np.random.default_rng(n).integers(0, 50, n)
    xs, ys = [], []
    for x, y in windows(tokens, batch_size, T):
        assert x.shape == y.shape and x.shape[0] <= batch_size and 1 <= x.shape[1] <= T
        np.testing.assert_array_equal(x[:, 1:], y[:, :-1])              # y is x one token later
        xs.extend(x.reshape(-1))
        ys.extend(y.reshape(-1))
    np.testing.assert_array_equal(xs, tokens[:-1])
    np.testing.assert_array_equal(ys, tokens[1:])


@given(n=st.integers(2, 300), T=st.integers(1, 20), at_most=st.integers(1, 40))
def test_at_most_takes_whole_windows_spread_evenly(n, T, at_most):
    tokens = np.arange(n)
    batches = list(windows(tokens, 4, T, at_most))
    whole = (n - 1) // T
    starts = [int(row[0]) for x, _ in batches for row in x]
    assert len(starts) == min(whole, at_most) and len(set(starts)) == len(starts)
    assert all(start % T == 0 for start in starts) and starts == sorted(starts)
    assert all(row.tolist() == list(range(row[0], row[0] + T)) and (y == x + 1).all() for x, y in batches for row in x)
    if len(starts) > 1:
        assert starts[0] == 0 and starts[-1] == (whole - 1) * T
        gaps = np.diff(starts) // T
        assert gaps.max() - gaps.min() <= 1


def test_random_windows_come_from_everywhere(rng):
    tokens = np.arange(12) * 10
    x, y = random_windows(tokens, 2000, 4, rng)
    assert x.shape == y.shape == (2000, 4)
    np.testing.assert_array_equal(y, x + 10)
    np.testing.assert_array_equal(np.diff(x, axis=1), 10)
    starts, counts = np.unique(x[:, 0] // 10, return_counts=True)
    assert starts.tolist() == list(range(8))                            # the last window ends with the last token
    assert counts.min() > 180                                           # 250 expected; five standard deviations are 74


def test_random_windows_of_the_shortest_text(rng):
    x, y = random_windows(np.arange(5), 3, 4, rng)
    np.testing.assert_array_equal(x, [[0, 1, 2, 3]] * 3)
    np.testing.assert_array_equal(y, [[1, 2, 3, 4]] * 3)


@pytest.mark.parametrize("seed", (0, 1))
def test_the_same_generator_gives_the_same_batches(seed):
    one, two = (random_windows(np.arange(99), 5, 7, np.random.default_rng(seed))[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)
