"""Hidden Markov models against every path of states, one by one."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyformer.models import HMM, HMMConfig, load_model

K, V = 3, 4


def path_probability(model, x, path):
    start, steps, emissions = (np.exp(a) for a in (model.log_start, model.log_transition, model.log_emission))
    p = start[path[0]] * emissions[path[0], x[0]]
    for t in range(1, len(x)):
        p *= steps[path[t - 1], path[t]] * emissions[path[t], x[t]]
    return p


def every_path(model, x):
    return {path: path_probability(model, x, path)
            for path in itertools.product(range(model.config.n_states), repeat=len(x))}


@pytest.fixture
def model(rng):
    return HMM(HMMConfig(K, V), rng)


@pytest.fixture
def sequences(rng):
    return [rng.integers(0, V, length) for length in (5, 1, 3, 6)]


def test_every_row_is_a_distribution(model):
    for table in (model.log_start, model.log_transition, model.log_emission):
        np.testing.assert_allclose(np.exp(table).sum(axis=-1), 1, atol=1e-14)


def test_likelihood_sums_over_all_paths(model, sequences):
    expected = [math.log(sum(every_path(model, x).values())) for x in sequences]
    np.testing.assert_allclose(model.log_likelihood(sequences), expected, rtol=1e-12)
    np.testing.assert_allclose([model.log_likelihood([x])[0] for x in sequences], expected, rtol=1e-12)


def test_all_sequences_together_have_probability_one(model):
    for T in (1, 2, 4):
        everything = [np.array(x) for x in itertools.product(range(V), repeat=T)]
        assert np.exp(model.log_likelihood(everything)).sum() == pytest.approx(1, abs=1e-12)


def test_posteriors_sum_over_the_paths_through_a_state(model, sequences):
    for x, found in zip(sequences, model.posteriors(sequences)):
        paths = every_path(model, x)
        expected = np.zeros((len(x), K))
        for path, p in paths.items():
            expected[np.arange(len(x)), path] += p / sum(paths.values())
        np.testing.assert_allclose(found, expected, atol=1e-13)


def test_viterbi_is_the_best_of_all_paths(model, sequences):
    found, log_p = model.viterbi(sequences)
    for x, path, value in zip(sequences, found, log_p):
        paths = every_path(model, x)
        assert tuple(path) == max(paths, key=paths.get)
        assert value == pytest.approx(math.log(max(paths.values())), rel=1e-12)


def test_one_iteration_counts_over_all_paths(model, sequences):
    """The definition of the M step: expected counts, path by path."""
    start, steps, emissions = np.zeros(K), np.zeros((K, K)), np.zeros((K, V))
    for x in sequences:
        paths = every_path(model, x)
        for path, p in paths.items():
            share = p / sum(paths.values())
            start[path[0]] += share
            for t, state in enumerate(path):
                emissions[state, x[t]] += share
                if t:
                    steps[path[t - 1], state] += share
    model.fit(sequences, iterations=1)
    for table, counts in ((model.log_start, start), (model.log_transition, steps), (model.log_emission, emissions)):
        np.testing.assert_allclose(np.exp(table), counts / counts.sum(axis=-1, keepdims=True), rtol=1e-10, atol=1e-14)


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, V - 1), min_size=1, max_size=12), min_size=1, max_size=5), st.integers(1, 4),
       st.integers(0, 1000))
def test_the_likelihood_never_falls(sequences, n_states, seed):
    history = HMM(HMMConfig(n_states, V), seed).fit(sequences, iterations=15, tolerance=-1)
    assert len(history) == 15
    assert (np.diff(history) >= -1e-9 * np.maximum(1, np.abs(history[:-1]))).all(), history


def test_long_sequences_do_not_underflow(model, rng):
    x = rng.integers(0, V, 3000)
    value = model.log_likelihood([x])[0]
    assert -math.inf < value < -2000
    np.testing.assert_allclose(model.posteriors([x])[0].sum(axis=1), 1, atol=1e-9)


def test_a_path_that_is_behind_by_more_than_a_float_holds():
    """State 0 is more likely by e^4000 until the last token, which only state 1 emits: in plain numbers state 1 is
    lost."""
    model = HMM(HMMConfig(2, 3))
    with np.errstate(divide="ignore"):
        model.log_start, model.log_transition = np.log([0.5, 0.5]), np.log(np.eye(2))
        model.log_emission = np.log([[1 - 1e-3, 1e-3, 0], [1e-9, 1 - 2e-9, 1e-9]])
    x = np.array([0] * 200 + [2])
    assert model.log_likelihood([x])[0] == pytest.approx(math.log(0.5) + 201 * math.log(1e-9))
    assert set(model.viterbi([x])[0][0]) == {1}


def test_counting_known_states():
    model = HMM(HMMConfig(2, 3)).fit_tagged([[0, 1, 2], [1]], [[0, 1, 1], [1]], k=0.5)
    np.testing.assert_allclose(np.exp(model.log_start), [1.5 / 3, 1.5 / 3])
    np.testing.assert_allclose(np.exp(model.log_transition), [[0.5 / 2, 1.5 / 2], [0.5 / 2, 1.5 / 2]])
    np.testing.assert_allclose(np.exp(model.log_emission),
                               [[1.5 / 2.5, 0.5 / 2.5, 0.5 / 2.5], [0.5 / 4.5, 2.5 / 4.5, 1.5 / 4.5]])


def test_what_was_drawn_is_found_again(rng):
    true = HMM(HMMConfig(2, 3))
    true.log_start = np.log([0.7, 0.3])
    true.log_transition = np.log([[0.9, 0.1], [0.2, 0.8]])
    true.log_emission = np.log([[0.8, 0.15, 0.05], [0.1, 0.2, 0.7]])
    drawn = [true.sample(60, rng) for _ in range(80)]
    sequences = [ids for ids, _ in drawn]
    model = HMM(HMMConfig(2, 3), 1)
    history = model.fit(sequences, iterations=200, tolerance=1e-8)
    assert history[-1] > true.log_likelihood(sequences).sum()                   # it fits what was drawn, not what drew
    order = np.argsort(-np.exp(model.log_emission[:, 0]))
    np.testing.assert_allclose(np.exp(model.log_emission[order]), np.exp(true.log_emission), atol=0.06)
    np.testing.assert_allclose(np.exp(model.log_transition[order][:, order]), np.exp(true.log_transition), atol=0.06)
    tagged = HMM(HMMConfig(2, 3)).fit_tagged(sequences, [states for _, states in drawn])
    right = [np.mean(path == states) for path, (_, states) in zip(tagged.viterbi(sequences)[0], drawn)]
    assert np.mean(right) > 0.85


def test_a_state_that_never_comes_keeps_its_rows():
    model = HMM(HMMConfig(2, V), 0)
    with np.errstate(divide="ignore"):
        model.log_start, model.log_transition = np.log([1.0, 0]), np.log([[1.0, 0], [0.5, 0.5]])
    kept = model.log_emission[1].copy()
    model.fit([[0, 1, 2]], iterations=3)
    np.testing.assert_array_equal(model.log_emission[1], kept)
    assert np.isfinite(model.log_likelihood([[0, 1, 2]])).all()


def test_saved_and_made_again(tmp_path, model, sequences):
    model.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert type(again) is HMM
    np.testing.assert_array_equal(again.log_likelihood(sequences), model.log_likelihood(sequences))


@pytest.mark.parametrize("call, message", (
    (lambda m: HMMConfig(0, 3), "n_states is 0"),
    (lambda m: m.fit([]), "no sequences"),
    (lambda m: m.fit([0, 1]), r"sequence 0 has shape \(\), expected \(T,\) with T ≥ 1; one sequence goes into a list"),
    (lambda m: m.fit([[0], []]), r"sequence 1 has shape \(0,\)"),
    (lambda m: m.viterbi([[0, V]]), f"sequence 0 has the id {V}, expected 0…{V - 1}"),
    (lambda m: m.viterbi([[0.5]]), "sequence 0 is float64"),
    (lambda m: m.fit_tagged([[0]], [[K]]), f"has the state {K}, expected 0…{K - 1}"),
    (lambda m: m.fit_tagged([[0, 1]], [[0]]), "differ in number or lengths"),
    (lambda m: m.fit_tagged([[0]], [[0]], k=-1), "k is -1"),
))
def test_bad_input(model, call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(model)


def test_an_impossible_sequence():
    model = HMM(HMMConfig(1, 2)).fit_tagged([[0]], [[0]], k=0)
    assert model.log_likelihood([[0], [0, 1]]).tolist()[1] == -math.inf
    with pytest.raises(ValueError, match="sequence 1 is impossible for the model"):
        model.fit([[0], [0, 1]])
