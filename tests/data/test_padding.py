import numpy as np

from tinyformer.data import alike, padded


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
