import numpy as np

from tinyformer.data import alike, draw_alike, padded


def test_shorter_texts_are_filled_up_behind():
    np.testing.assert_array_equal(padded([[5, 6], np.array([7]), []]), [[5, 6], [7, 0], [0, 0]])
    np.testing.assert_array_equal(padded([[5], [6, 7]], fill=9), [[5, 9], [6, 7]])
    assert padded([[]]).shape == (1, 1) and padded([[1]]).dtype == np.int64


def test_texts_of_about_one_length_come_together_each_once(rng):
    texts = [[0] * n for n in rng.integers(1, 50, 23)]
    batches = list(alike(texts, 5))
    assert [len(chosen) for chosen in batches] == [5, 5, 5, 5, 3]
    places = np.concatenate(batches)
    assert sorted(places) == list(range(23))
    lengths = [len(texts[i]) for i in places]
    assert lengths == sorted(lengths)
    assert list(alike([], 5)) == []


def test_a_draw_is_an_eighth_of_eight_times_as_many_by_the_first_length(rng):
    x, y = ([[0] * n for n in rng.integers(1, 50, 1000)] for _ in range(2))
    for sides in ((x,), (x, y), (y, x)):
        chosen = draw_alike(40, np.random.default_rng(1), *sides)
        drawn = np.random.default_rng(1).integers(0, 1000, 320)
        lengths = [tuple(len(side[i]) for side in sides) for i in chosen]
        assert lengths == sorted(lengths) and set(chosen) <= set(drawn)
        first = sorted(len(sides[0][i]) for i in drawn)
        assert [n for n, *_ in lengths] in [first[k * 40:][:40] for k in range(8)]
