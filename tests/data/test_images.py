"""Pictures that are moved."""

import numpy as np
import pytest

from tinyformer.data.images import shifted


def test_every_picture_is_one_of_its_shifts(rng):
    x = rng.random((60, 16)).astype(np.float32)
    moved = shifted(x, 1, rng)
    assert moved.shape == x.shape and moved.dtype == np.float32
    seen = set()
    for picture, found in zip(x.reshape(-1, 4, 4), moved.reshape(-1, 4, 4)):
        ways = {}
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                way = np.zeros((4, 4), np.float32)
                way[max(down, 0):4 + min(down, 0), max(right, 0):4 + min(right, 0)] = \
                    picture[max(-down, 0):4 + min(-down, 0), max(-right, 0):4 + min(-right, 0)]
                ways[down, right] = way
        matches = [way for way, expected in ways.items() if np.array_equal(found, expected)]
        assert len(matches) == 1
        seen.update(matches)
    assert len(seen) == 9


def test_no_pixels_change_nothing_and_only_squares_are_taken(rng):
    x = rng.random((3, 9))
    np.testing.assert_array_equal(shifted(x, 0, rng), x)
    with pytest.raises(ValueError, match="pictures have shape .*, square pictures"):
        shifted(x[:, :8], 1, rng)
