"""Pairs of texts and masks: what is chosen, how often, and what it becomes."""

import numpy as np
import pytest

from tinyformer.data.masking import Lines, join, mask_tokens

SPECIAL = [0, 1, 2, 3, 4]                                   # [PAD], [UNK], [CLS], [SEP], [MASK]


def documents(rng, n=4, lines=30):
    """Tokens count up through all documents, so that a run's place can be read off it."""
    sizes = [rng.integers(1, 9, lines) for _ in range(n)]
    start, result = 5, []
    for each in sizes:
        result.append([])
        for size in each:
            result[-1].append(np.arange(start, start + size))
            start += size
    return result


def test_the_second_text_follows_or_is_of_another_document(rng):
    given = documents(rng)
    lines = Lines(given)
    where = {int(token): (d, i) for d, document in enumerate(given) for i, line in enumerate(document)
             for token in line}
    begins = {int(line[0]) for document in given for line in document}
    follow = 0
    for _ in range(2000):
        first, second, follows = lines.pair(40, rng)
        assert 1 <= len(first) <= 20 and 1 <= len(second) and len(first) + len(second) <= 40
        assert (np.diff(first) == 1).all() and (np.diff(second) == 1).all()
        # lines of 8 tokens fit into half of the room
        assert first[0] in begins and second[0] in begins
        assert len({where[int(t)][0] for t in first}) == len({where[int(t)][0] for t in second}) == 1
        assert (where[int(first[0])][0] == where[int(second[0])][0]) == follows
        if follows:
            assert second[0] == first[-1] + 1
        follow += follows
        # no document's first line follows another
        assert where[int(second[0])][1] > 0
    assert abs(follow / 2000 - 0.5) < 0.04


def test_the_room_is_filled_to_the_end_of_the_document(rng):
    lines = Lines([[np.arange(5, 9), np.arange(9, 12), np.arange(12, 14)]])
    for _ in range(20):
        first, second, follows = lines.pair(60, rng)
        assert second[-1] == 13 and (not follows or first[0] in (5, 9))
    with pytest.raises(ValueError, match="2 documents of 2 lines, expected at least one with two lines"):
        Lines([[np.arange(3)], [np.arange(4)]])


def test_one_document_alone_with_more_than_a_line(rng):
    lines = Lines([[np.arange(5, 7), np.arange(7, 9)], [np.arange(9, 11)]])
    pairs = [lines.pair(20, rng) for _ in range(20)]
    assert {(*first, *second) for first, second, _ in pairs} == {(5, 6, 7, 8)}
    assert {follows for *_, follows in pairs} == {False, True}


def test_join():
    ids, types = join([(np.array([7, 8]), np.array([9]), True), (np.array([7]), np.array([8, 9, 10]), False)], 8, 2, 3,
                      0)
    np.testing.assert_array_equal(ids, [[2, 7, 8, 3, 9, 3, 0, 0], [2, 7, 3, 8, 9, 10, 3, 0]])
    np.testing.assert_array_equal(types, [[0, 0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 1, 0]])


def test_80_10_10(rng):
    V = 1000
    ids = rng.integers(0, V, (300, 100))
    masked, labels = mask_tokens(ids, 0.15, 4, SPECIAL, V, rng)
    asked, ordinary = labels != -100, ids >= 5
    assert not asked[~ordinary].any() and (masked[~asked] == ids[~asked]).all() and (labels[asked] == ids[asked]).all()
    n = asked.sum()
    assert abs(n / ordinary.sum() - 0.15) < 0.01
    hidden, same = (masked == 4) & asked, (masked == ids) & asked
    other = asked & ~hidden & ~same
    for part, share in ((hidden, 0.8), (same, 0.1), (other, 0.1)):
        assert abs(part.sum() / n - share) < 0.02
    assert (masked[other] >= 5).all() and len(np.unique(masked[other])) > 200


def test_whole_words(rng):
    V, continues = 50, np.arange(50) >= 30
    ids = rng.integers(5, V, (50, 40))
    _, labels = mask_tokens(ids, 0.3, 4, SPECIAL, V, rng, continues)
    asked = labels != -100
    goes_on = continues[ids[:, 1:]]
    np.testing.assert_array_equal(asked[:, 1:][goes_on], asked[:, :-1][goes_on])
    assert abs(asked.mean() - 0.3) < 0.05
    _, labels = mask_tokens(ids, 0.3, 4, SPECIAL, V, rng)
    asked = labels != -100
    assert (asked[:, 1:][goes_on] != asked[:, :-1][goes_on]).any()


def test_something_is_always_asked_for(rng):
    ids = np.array([[2, 9, 3, 8, 3, 0]])
    for _ in range(20):
        _, labels = mask_tokens(ids, 1e-9, 4, SPECIAL, 12, rng)
        assert labels.tolist() == [[-100, 9, -100, -100, -100, -100]]
