"""Guesses by counting, against the same counts made slowly."""

import numpy as np

from tinyformer.data.masking import Lines
from tinyformer.train.counting_baselines import Neighbors, Shared


def slow_scores(tokens, V, left, right, kappa, unknown):
    """``Neighbors.scores``, one token at a time, from the formulas."""
    tokens = tokens.tolist()
    p = [(tokens.count(m) + 1) / (len(tokens) + V) for m in range(V)]
    pairs, triples = list(zip(tokens, tokens[1:])), list(zip(tokens, tokens[1:], tokens[2:]))
    starts = tokens[:-1]
    q = []
    for m in range(V):
        value = p[m] if left in unknown else (pairs.count((left, m)) + kappa * p[m]) / (starts.count(left) + kappa)
        if right not in unknown:
            value *= (pairs.count((m, right)) + kappa * p[right]) / (tokens.count(m) + kappa)
        q.append(value)
    both = left not in unknown and right not in unknown
    return [(triples.count((left, m, right)) if both else 0) + kappa * q[m] / sum(q) for m in range(V)]


def test_scores(rng):
    V, tokens = 7, rng.integers(0, 6, 200)                  # 6 never stands there
    guesses = Neighbors(tokens, V, unknown=[0])
    for left in range(V):
        for right in range(V):
            np.testing.assert_allclose(guesses.scores(left, right), slow_scores(tokens, V, left, right, 2.0, [0]),
                                       atol=1e-12)


def test_accuracy_on_a_text_that_repeats():
    tokens = np.tile([1, 2, 3, 4, 5], 20)
    guesses = Neighbors(tokens, 6, unknown=[0])
    ids, labels = tokens[None, :30].copy(), np.full((1, 30), -100)
    for place in (4, 10, 17):
        labels[0, place], ids[0, place] = ids[0, place], 0
    assert guesses.accuracy(ids, labels) == 1
    labels[0, 4] = 1                                        # which is not what stood there
    assert abs(guesses.accuracy(ids, labels) - 2 / 3) < 1e-12
    assert Neighbors(np.array([1, 2, 2, 3]), 4).most_frequent == 2


def test_pairs_by_what_they_share(rng):
    """Each document has a word of its own in every line."""
    documents = [[np.concatenate([[10 + d], rng.integers(30, 20000, 5)]) for _ in range(40)] for d in range(20)]
    lines = Lines(documents)
    pairs = [lines.pair(40, rng) for _ in range(400)]
    shared = Shared(lines.tokens, 20000, pairs[:200])
    assert shared.accuracy(pairs[200:]) > 0.95
    p = (np.bincount(lines.tokens, minlength=20000) + 1) / (len(lines.tokens) + 20000)
    np.testing.assert_allclose(shared.weight([13, 13, 44], [44, 13, 15]), -np.log(p[13] * p[44]))
