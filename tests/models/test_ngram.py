"""N-gram models against the formulas written out with dictionaries, and against figures worked out by hand."""

import functools
import itertools
import json
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyformer.models import NGram, NGramConfig, load_model
from tinyformer.models.ngram_counts import Counts
from tinyformer.models.ngram_smoothing import SMOOTHINGS, masses, tables
from tinyformer.train.losses import bigram_loss, evaluate_loss

V = 4


class Oracle:
    """Every formula as the papers have it, one n-gram at a time."""

    def __init__(self, sequences, V, n, smoothing, k=1.0, alpha=0.4):
        self.V, self.n, self.smoothing, self.k, self.alpha = V, n, smoothing, k, alpha
        raw, lefts = Counter(), defaultdict(set)
        for number, text in enumerate(sequences):
            text = tuple(text)
            for m in range(1, n + 1):
                for i in range(len(text) - m + 1):
                    if i + m > 1:                                       # the first token is not predicted
                        raw[text[i:i + m]] += 1
                    if i or m > 1:
                        lefts[text[i:i + m]].add(text[i - 1] if i else ("beginning", number))
        self.c = dict(raw)
        if "kneser" in smoothing:
            self.c.update((gram, len(lefts[gram])) for gram in raw if len(gram) < n)
        self.after = defaultdict(dict)
        for gram, count in self.c.items():
            self.after[gram[:-1]][gram[-1]] = count

    @functools.cache
    def of_counts(self, m):
        return Counter(count for gram, count in self.c.items() if len(gram) == m)

    @functools.cache
    def discounts(self, m):
        n = self.of_counts(m)
        Y = n[1] / (n[1] + 2 * n[2]) if n[1] else None
        if self.smoothing == "kneser-ney":
            return [0.5 if Y is None else Y] * 3
        D = [0.5, 1.0, 1.5]
        for r in (1, 2, 3):
            if Y is not None and n[r]:
                estimate = r - (r + 1) * Y * n[r + 1] / n[r]
                if 0 < estimate <= r:
                    D[r - 1] = estimate
        return D

    @functools.cache
    def good_turing(self, m, r):
        if r > 5:
            return 1
        n = self.of_counts(m)
        if n[r] and n[1] and 6 * n[6] < n[1]:
            q = 6 * n[6] / n[1]
            estimate = ((r + 1) * n[r + 1] / n[r] / r - q) / (1 - q)
            if 0 < estimate < 1:
                return estimate
        return (r - 0.5) / r

    @functools.cache
    def p(self, w, h):
        """P(w | h), where h has at most n − 1 tokens."""
        after, m = self.after.get(h, {}), len(h) + 1
        total, c = sum(after.values()), after.get(w, 0)
        if self.smoothing == "add-k":
            return (c + self.k) / (total + self.k * self.V)
        if total == 0:
            return self.p(w, h[1:]) if h else 1 / self.V
        if self.smoothing == "none":
            return c / total
        if self.smoothing == "stupid":
            return self.score(w, h) / sum(self.score(v, h) for v in range(self.V))
        lower = {v: self.p(v, h[1:]) if h else 1 / self.V for v in range(self.V)}
        if self.smoothing == "katz":
            discounted = {v: self.good_turing(m, count) * count for v, count in after.items()}
            if len(after) == self.V:
                return discounted[w] / sum(discounted.values())
            if sum(discounted.values()) >= total:
                total += 1
            left = 1 - sum(discounted.values()) / total
            return discounted[w] / total if c else left * lower[w] / sum(q for v, q in lower.items() if v not in after)
        D = self.discounts(m)
        left = sum(D[min(count, 3) - 1] for count in after.values()) / total
        return (c - D[min(c, 3) - 1] if c else 0) / total + left * lower[w]

    @functools.cache
    def score(self, w, h):
        after = self.after.get(h, {})
        if w in after:
            return after[w] / sum(after.values())
        return self.alpha * self.score(w, h[1:]) if h else 0


texts = st.lists(st.lists(st.integers(0, V - 1), min_size=0, max_size=30), min_size=1, max_size=4).filter(
    lambda sequences: any(len(text) > 1 for text in sequences))
every = pytest.mark.parametrize("smoothing", SMOOTHINGS)


def fitted(sequences, n, smoothing, **how):
    return NGram(NGramConfig(V, n, smoothing, **how)).fit([np.array(text, int) for text in sequences])


@every
@settings(max_examples=25)
@given(texts, st.integers(1, 4))
def test_every_distribution_is_the_papers_and_sums_to_one(smoothing, sequences, n):
    model, oracle = fitted(sequences, n, smoothing, k=0.3), Oracle(sequences, V, n, smoothing, k=0.3)
    for length in range(n):
        for context in itertools.product(range(V), repeat=length):             # seen and unseen
            p = model.next_distribution(context)
            assert p.shape == (V,) and (p >= 0).all() and abs(p.sum() - 1) < 1e-12
            np.testing.assert_allclose(p, [oracle.p(w, context) for w in range(V)], rtol=1e-9, atol=1e-12)


@every
def test_larger_text(smoothing, rng):
    """Counts of counts that are all there, so that no discount falls back."""
    words = [rng.integers(0, 12, rng.integers(1, 5)) for _ in range(40)]
    text = np.concatenate([words[min(rng.zipf(1.3), 40) - 1] for _ in range(1500)])
    model, oracle = NGram(NGramConfig(13, 3, smoothing)).fit(text), Oracle([text], 13, 3, smoothing)
    for _ in range(150):
        context = tuple(rng.integers(0, 13, 2))
        p = model.next_distribution(context)
        assert abs(p.sum() - 1) < 1e-12
        np.testing.assert_allclose(p, [oracle.p(w, context) for w in range(13)], rtol=1e-9, atol=1e-13)
        if smoothing not in ("none", "stupid"):
            assert p.min() > 0                                                  # 12 never occurs


@every
def test_every_context_at_once(smoothing, rng):
    if smoothing == "add-k":
        pytest.skip("add-k has no lower orders to sum")
    counts = Counts(rng.zipf(1.5, 5000).clip(max=20) - 1, 5, 21)
    for sums in masses(counts, *tables(counts, NGramConfig(21, 5, smoothing))):
        np.testing.assert_allclose(sums, 1, atol=1e-12)


def test_stupid_backoff_scores_do_not_sum_to_one_by_themselves():
    oracle = Oracle(["abac".translate({97: 0, 98: 1, 99: 2}).encode()], V, 2, "stupid")
    assert sum(oracle.score(w, (0,)) for w in range(V)) == pytest.approx(1 + 0.4 / 3)


# ------------------------------------------------------------------------------------------------ by hand

TEXT = np.array([0, 1, 0, 1, 0, 2])         # a b a b a c: predicted are b a b a c


@pytest.mark.parametrize("smoothing, n, context, expected", (
    ("none", 1, (), [2 / 5, 2 / 5, 1 / 5, 0]),
    ("none", 2, (0,), [0, 2 / 3, 1 / 3, 0]),
    ("none", 2, (2,), [2 / 5, 2 / 5, 1 / 5, 0]),                   # nothing followed c
    ("add-k", 2, (0,), [1 / 7, 3 / 7, 2 / 7, 1 / 7]),
    ("add-k", 2, (2,), [1 / 4] * 4),
    # a → a 0.4 · 2/5, b 2/3, c 1/3, d 0: in all 1.16
    ("stupid", 2, (0,), [0.16 / 1.16, 2 / 3 / 1.16, 1 / 3 / 1.16, 0]),
    # Bigrams ab 2, ba 2, ac 1: n₁ = 1, n₂ = 2, D = 1/5. Left neighbors: a has {b}, b {a}, c {a}: n₁ = 3, D = 1.
    # Below all is left to 1/V: P(w) = 1/4. After a: (2 − 1/5)/3 and (1 − 1/5)/3, and 2 · 1/5 / 3 · 1/4 for each.
    ("kneser-ney", 2, (0,), [1 / 30, 3 / 5 + 1 / 30, 4 / 15 + 1 / 30, 1 / 30]),
    # Bigram counts 2, 2, 1: Y = 1/5; D(1) = 1 − 2 · 1/5 · 2 = 1/5, D(2) = 2 − 0. After a: (2 − 2)/3, (1 − 1/5)/3; 2.2/3
    # is left.
    ("modified-kneser-ney", 2, (0,), [2.2 / 12, 2.2 / 12, 4 / 15 + 2.2 / 12, 2.2 / 12]),
))
def test_by_hand(smoothing, n, context, expected):
    np.testing.assert_allclose(fitted([TEXT], n, smoothing).next_distribution(context), expected, atol=1e-15)


def test_katz_by_hand():
    """Bigrams: after 0 come 1 (once), 2 (twice), 3 (once); n₁ = 2, n₂ = 1: d(1) = 2 · 1/2 / 1 = 1, which is no
    discount, so ½; d(2) = 0 for want of n₃, so ¾. Seen in all: (½ + 1½ + ½)/4; what is left, 3/8, goes to the one
    unseen."""
    sequences = [[0, 1], [0, 2], [0, 2], [0, 3]]
    np.testing.assert_allclose(fitted(sequences, 2, "katz").next_distribution((0,)), [3 / 8, 1 / 8, 3 / 8, 1 / 8])


def test_no_ngram_reaches_into_the_next_text():
    counts = Counts([[0, 1], [2], [], [1, 0, 3]], 3, V)
    assert [level.keys.tolist() for level in counts.levels[1:]] == [[0 * V + 1, 0 * V + 3, 1 * V + 0], [2 * V + 3]]
    assert counts.levels[0].counts.tolist() == [1, 1, 0, 1]                     # the first tokens were not predicted


def test_a_beginning_counts_as_a_neighbor_of_its_own():
    """Names that begin with a token of their own: after it, the shorter context must keep the true counts."""
    names = [[3, 0, 1]] * 5 + [[3, 1, 0]]
    p = fitted(names, 4, "kneser-ney").next_distribution((3,))
    assert p[0] > 4 * p[1]


def test_the_order_of_texts_does_not_matter(rng):
    names = [rng.integers(0, V, rng.integers(2, 9)) for _ in range(30)]
    one, other = fitted(names, 3, "modified-kneser-ney"), fitted(names[::-1], 3, "modified-kneser-ney")
    for (_, a), (_, b) in zip(one.state_dict().items(), other.state_dict().items()):
        np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------------------------------------ use

@pytest.fixture
def text(rng):
    return rng.zipf(1.5, 3000).clip(max=9) - 1


@pytest.fixture
def model(text):
    return NGram(NGramConfig(10, 4)).fit(text)


@every
def test_log_prob_is_that_of_each_distribution(smoothing, text, rng):
    model, asked = NGram(NGramConfig(10, 4, smoothing)).fit(text), rng.integers(0, 10, 60)
    expected = [model.next_distribution(asked[:t])[asked[t]] for t in range(1, 60)]
    np.testing.assert_allclose(np.exp(model.log_prob(asked)), expected, rtol=1e-12)
    np.testing.assert_allclose(model.forward(asked[None]).data[0, :-1][np.arange(59), asked[1:]],
                               np.log(np.maximum(expected, np.finfo(float).tiny)), rtol=1e-12)


def test_perplexity_and_bits(model, text):
    log_p = model.log_prob(text)
    assert model.perplexity(text) == pytest.approx(math.exp(-log_p.mean()))
    assert model.bits_per_character(text) == pytest.approx(-log_p.mean() / math.log(2))
    assert model.bits_per_character(text, 5 * len(log_p)) == pytest.approx(-log_p.mean() / math.log(2) / 5)
    assert model.loss(text[None, :-1], text[None, 1:]).item() == pytest.approx(-log_p.mean())
    assert evaluate_loss(model, text) == pytest.approx(-log_p.mean())           # in one piece, not in windows of three
    assert NGram(NGramConfig(10)).perplexity(text) == pytest.approx(10)         # before any text


def test_what_was_never_seen_costs_everything_without_smoothing(text):
    model = NGram(NGramConfig(10, 2, "none")).fit(text)
    assert model.perplexity([0, 9]) == math.inf
    with pytest.raises(FloatingPointError, match="1 of 2 tokens have probability 0 with smoothing 'none'"):
        model.loss([[0, 1]], [[1, 9]])


def test_add_one_bigram_is_the_one_beside_every_run(text):
    model = NGram(NGramConfig(10, 2, "add-k")).fit(text[:2000])
    assert -model.log_prob(text[2000:]).mean() == pytest.approx(bigram_loss(text[:2000], text[2000:], 10))


def test_counts_are_made_once_for_all(text):
    counts = Counts(text, 5, 10)
    for n in (1, 2, 4, 5):
        for smoothing in SMOOTHINGS:
            config = NGramConfig(10, n, smoothing)
            one, other = NGram(config).fit(text).state_dict(), NGram(config).fit(counts).state_dict()
            assert all(np.array_equal(one[name], other[name]) for name in one)


def test_counting_by_table_and_by_sorting(rng):
    """A small vocabulary counts in tables, a large one sorts: the same counts under other names."""
    text = rng.zipf(1.3, 400).clip(max=20) - 1
    small, large = Counts(text, 4, 20), Counts(text * 1000, 4, 19001)
    for m, (one, other) in enumerate(zip(small.levels[1:], large.levels[1:]), 2):
        assert one.counts.tolist() == other.counts.tolist()
        assert (small.parents(m)[1] * 1000).tolist() == large.parents(m)[1].tolist()


@pytest.mark.parametrize("n", (1, 2, 5))
def test_generation_with_and_without_cache(text, n):
    model = NGram(NGramConfig(10, n)).fit(text)
    for start in ([3], [1, 2, 0, 0, 1, 3]):
        one = model.generate(np.array(start), 30, rng=1)
        assert one.tolist() == model.generate(np.array(start), 30, rng=1, use_cache=False).tolist()
        assert one[:len(start)].tolist() == start and len(one) == len(start) + 30


def test_samples_follow_the_model(text):
    model = NGram(NGramConfig(10, 3)).fit(text)
    drawn = model.generate(np.zeros(1, int), 4000, rng=0)
    assert model.perplexity(drawn) == pytest.approx(model.perplexity(text), rel=0.1)


@every
def test_saved_and_made_again(tmp_path, text, smoothing):
    model = NGram(NGramConfig(10, 3, smoothing, k=0.5)).fit(text)
    model.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert type(again) is NGram and again.config == model.config \
        and again.num_parameters() == model.num_parameters() > 100
    np.testing.assert_array_equal(again.log_prob(text), model.log_prob(text))


def damaged(name, change):
    def damage(state):
        state[name] = change(state[name])
    return damage


@pytest.mark.parametrize("damage, message", (
    (lambda state: state.pop("p2"), "missing: p2"),
    (lambda state: state.update(p9=np.ones(1)), "unexpected: p9"),
    (damaged("p2", lambda a: a[1:]), "p2 has shape"),
    (damaged("p1", lambda a: a[1:]), r"p1 has shape \(9,\), expected \(10,\)"),
    (damaged("keys2", lambda a: a[::-1].copy()), r"keys2 are not ascending numbers in 0…99"),
    (damaged("keys2", lambda a: a + 90), "keys2 are not ascending"),
    (damaged("keys2", lambda a: a.astype(float)), "keys2 is float64, expected int64"),
    (damaged("p3", lambda a: -a), "p3 has entries that are no probabilities"),
    (damaged("backoff2", lambda a: a * np.nan), "backoff2 has entries that are no probabilities"),
))
def test_damaged_tables(text, damage, message):
    model = NGram(NGramConfig(10, 3)).fit(text)
    state = {name: array.copy() for name, array in model.state_dict().items()}
    damage(state)
    with pytest.raises((ValueError, TypeError), match=message):
        model.load_state_dict(state)
    assert np.isfinite(model.log_prob(text)).all()


def test_the_config_is_readable(tmp_path, model):
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "architecture": "ngram", "vocab_size": 10, "n": 4, "smoothing": "modified-kneser-ney", "k": 1.0, "backoff": 0.4}


@pytest.mark.parametrize("call, message", (
    (lambda m: NGramConfig(0), "vocab_size is 0"),
    (lambda m: NGramConfig(5, n=0), "n is 0"),
    (lambda m: NGramConfig(5, n=2.0), "n is 2.0"),
    (lambda m: NGramConfig(5, smoothing="good"), "smoothing is 'good', expected one of none, add-k"),
    (lambda m: NGramConfig(5, k=0), "k is 0, expected a finite number above 0"),
    (lambda m: NGramConfig(5, backoff="x"), "backoff is 'x'"),
    (lambda m: m.fit([]), "no token that follows another"),
    (lambda m: m.fit(np.zeros(0, int)), "no token that follows another"),
    (lambda m: m.fit([[1], [2]]), "no token that follows another"),
    (lambda m: m.fit([3]), "no token that follows another"),
    (lambda m: m.fit([3, 10]), "an id is 10, expected 0…9"),
    (lambda m: m.fit([3, -1]), "an id is -1, expected 0…9"),
    (lambda m: m.fit([0.5, 1.0]), "ids are float64, expected integers"),
    (lambda m: m.fit(Counts([0, 1], 2, 10)), "the counts are of n up to 2 over 10 tokens, expected n of at least 4"),
    (lambda m: m.log_prob([[1, 2]]), r"ids have shape \(1, 2\), expected 1 axis"),
    (lambda m: m([1, 2]), r"ids have shape \(2,\), expected 2 axes"),
    (lambda m: m.perplexity([1]), "no token that follows another"),
    (lambda m: m.next_distribution([11]), "an id is 11"),
))
def test_bad_input(model, call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(model)
