"""Changes of pictures and texts: what they keep, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.data.augmentation import (cut_out, drawn_words, mixed_up, moved, randomly_moved, swapped_words,
                                          without_words, word_shares)


@pytest.fixture
def x(rng):
    """Three pictures of 9 × 9 with an empty border of two pixels."""
    return np.pad(rng.random((3, 5, 5)), ((0, 0), (2, 2), (2, 2))).reshape(3, 81).astype("f")


def test_nothing_moves_nothing(x):
    np.testing.assert_array_equal(moved(x), x)


def test_whole_pixels_shift_as_an_array_does(x):
    expected = np.roll(x.reshape(3, 9, 9), (1, -2), (1, 2)).reshape(3, 81)
    found = moved(x, down=1, right=-2)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_is_against_the_clock(x, turns):
    expected = np.rot90(x.reshape(3, 9, 9), turns, (1, 2)).reshape(3, 81)
    np.testing.assert_allclose(moved(x, angle=90 * turns), expected, atol=1e-5)


def test_half_the_scale_leaves_a_quarter_of_the_ink(rng):
    smooth = np.exp(-((np.arange(29) - 14)[:, None] ** 2 + (np.arange(29) - 14) ** 2) / 50).reshape(1, -1)
    assert moved(smooth, scale=0.5).sum() == pytest.approx(smooth.sum() / 4, rel=0.01)


def test_each_picture_has_its_own_move(x, rng):
    found = moved(x, down=np.array([0, 1, 2]))
    for i, row in enumerate(found):
        np.testing.assert_allclose(row, moved(x[i:i + 1], down=i)[0], atol=1e-6)
    assert not np.array_equal(randomly_moved(x, rng, rotate=20), x)
    np.testing.assert_allclose(randomly_moved(x, rng), x, atol=1e-6)


def test_a_square_is_cut_out(rng):
    x = np.ones((200, 81), "f")
    holes = (cut_out(x, 3, rng) == 0).reshape(200, 9, 9)
    assert holes.sum(axis=(1, 2)).max() == 9 and holes.any(axis=0).all()        # anywhere, and never more
    whole = holes[holes.sum(axis=(1, 2)) == 9]
    assert (whole.any(axis=1).sum(axis=1) == 3).all() and (whole.any(axis=2).sum(axis=1) == 3).all()
    np.testing.assert_array_equal(cut_out(x, 0, rng), x)


def test_labels_of_mixed_pictures_are_drawn_by_their_share(rng):
    y = np.arange(10000) % 2
    x = np.repeat(y[:, None], 3, axis=1).astype("f")
    mixed, labels = mixed_up(x, y, 1.0, rng)
    assert mixed.dtype == np.float32 and 0 <= mixed.min() < 0.2 < 0.8 < mixed.max() <= 1
    for low, high in ((0.2, 0.3), (0.7, 0.8)):              # the expected label is the mixture itself
        inside = (mixed[:, 0] > low) & (mixed[:, 0] < high)
        assert labels[inside].mean() == pytest.approx((low + high) / 2, abs=0.07)


def test_word_dropout_and_back_off_have_their_rates(rng):
    ids = np.full(20000, 5)
    assert (without_words(ids, 0.1, 1, rng) == 1).mean() == pytest.approx(0.1, abs=0.01)
    found = drawn_words(ids, 0.5, np.array([0, 0, 0.75, 0.25]), rng)
    assert (found == 2).mean() == pytest.approx(0.375, abs=0.02)
    assert (found == 3).mean() == pytest.approx(0.125, abs=0.02)
    np.testing.assert_array_equal(drawn_words(ids, 0.0, np.ones(4) / 4, rng), ids)


def test_swaps_keep_the_words(rng):
    ids = np.arange(50)
    found = swapped_words(ids, 0.2, rng)
    assert sorted(found) == list(ids) and 5 < (found != ids).sum() <= 20
    np.testing.assert_array_equal(ids, np.arange(50))
    np.testing.assert_array_equal(swapped_words(np.array([7]), 1.0, rng), [7])
    assert swapped_words(np.zeros(0, int), 1.0, rng).size == 0


def test_shares_leave_special_tokens_out():
    np.testing.assert_array_equal(word_shares([np.array([0, 1, 2, 2, 3]), np.array([2])], 5, 2), [0, 0, 0.75, 0.25, 0])
    np.testing.assert_array_equal(word_shares([], 3, 2), 0)


@pytest.mark.parametrize("call, error, message", [
    (lambda x, rng: moved(x[:, :8]), ValueError, "moved: pictures have shape"),
    (lambda x, rng: moved(x, scale=0), ValueError, "moved: scale is 0, expected a number above 0"),
    (lambda x, rng: randomly_moved(x, rng, scale=1.0), ValueError, "randomly_moved: scale is 1"),
    (lambda x, rng: cut_out(x, -1, rng), ValueError, "cut_out: size is -1"),
    (lambda x, rng: mixed_up(x, np.zeros(3), 0, rng), ValueError, "mixed_up: alpha is 0"),
    (lambda x, rng: without_words(np.zeros(3), 2, 1, rng), ValueError, "without_words: p is 2"),
    (lambda x, rng: swapped_words(np.zeros(3), "a", rng), TypeError, "swapped_words: p is 'a'")])
def test_what_is_refused(x, rng, call, error, message):
    with pytest.raises(error, match=message):
        call(x, rng)
