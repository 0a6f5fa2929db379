"""The validation loss and its baselines, against loops that count one token at a time."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyformer.models import GPT, GPTConfig, NGram, NGramConfig
from tinyformer.train.loop import not_finite
from tinyformer.train.losses import PIECE, bigram_loss, evaluate_loss, loss_interval, mean_loss, uniform_loss

V, T = 9, 8


@pytest.fixture
def model():
    model = GPT(GPTConfig(V, T, n_layer=1, n_head=2, n_embd=16, dropout=0.4))
    for parameter in model.parameters():
        parameter.data *= 8
    return model.to(np.float64).train()


def naive(model, tokens, starts):
    """Each token's −ln p from a forward pass of its own over the tokens of its window before it."""
    losses = []
    for start in starts:
        for end in range(start + 1, min(start + T, len(tokens) - 1) + 1):
            logits = model(tokens[None, start:end]).data[0, -1]
            losses.append(math.log(np.exp(logits).sum()) - logits[tokens[end]])
    return losses


@pytest.mark.parametrize("n", (2, T, T + 1, T + 2, 5 * T, 40 * T + 5))
def test_every_token_but_the_first_counts_once(model, rng, n):
    tokens = rng.integers(0, V, n)
    found = evaluate_loss(model, tokens)
    assert model.training
    losses = naive(model.eval(), tokens, range(0, n - 1, T))
    assert len(losses) == n - 1
    assert found == pytest.approx(np.mean(losses), rel=1e-12)


def test_a_part_of_the_windows(model, rng):
    tokens = rng.integers(0, V, 20 * T + 3)
    found = evaluate_loss(model, tokens, at_most=3)
    assert found == pytest.approx(np.mean(naive(model.eval(), tokens, (0, 9 * T, 19 * T))), rel=1e-12)
    assert evaluate_loss(model, tokens[:2 * T + 1], at_most=3) == evaluate_loss(model, tokens[:2 * T + 1])


def test_the_size_of_batches_does_not_matter(model, rng):
    tokens = rng.integers(0, V, 30 * T + 3)
    assert evaluate_loss(model, tokens,
                         batch_size=1) == pytest.approx(evaluate_loss(model, tokens, batch_size=64), rel=1e-12)


def test_dropout_is_off_no_graph_is_kept_and_the_mode_is_put_back(model, rng):
    tokens = rng.integers(0, V, 50)
    assert evaluate_loss(model, tokens) == evaluate_loss(model, tokens)
    with pytest.raises(ValueError):
        evaluate_loss(model, tokens + V)
    assert model.training and model.h[0].mlp.dropout.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_untrained_model_is_about_uniform(rng):
    model = GPT(GPTConfig(V, T, n_layer=1, n_head=2, n_embd=16))
    assert evaluate_loss(model, rng.integers(0, V, 500)) == pytest.approx(uniform_loss(V), abs=0.05)
    assert uniform_loss(V) == math.log(9)


def test_a_broken_parameter_is_named(model, rng):
    model.wpe.weight.data[3, 0] = np.nan
    with pytest.raises(FloatingPointError, match="the validation loss is nan: the parameter wpe.weight is not finite"):
        evaluate_loss(model, rng.integers(0, V, 50))


def test_a_broken_operation_is_named(model, rng):
    model.to(np.float32).h[0].mlp.c_fc.weight.data[:] = 1e38
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError,
                                                  match="whose output is not finite is linear, of shape"):
        evaluate_loss(model, rng.integers(0, V, 50))


def test_a_loss_that_is_finite_on_the_batch_shown_again(model):
    error = not_finite(model, model.wpe.weight.mean() + 1.5)
    assert str(error).startswith("the validation loss is not finite, but 1.") and "try a lower" in str(error)


# ------------------------------------------------------------------------------------------------ baselines

def naive_bigram(train, validation, V):
    pairs, firsts = Counter(zip(train, train[1:])), Counter(train[:-1])
    return -np.mean([math.log((pairs[a, b] + 1) / (firsts[a] + V)) for a, b in zip(validation, validation[1:])])


@given(st.lists(st.integers(0, 6), min_size=2, max_size=60), st.lists(st.integers(0, 6), min_size=2, max_size=60),
       st.integers(7, 12))
def test_bigram(train, validation, vocab_size):
    found = bigram_loss(np.array(train), np.array(validation), vocab_size)
    assert found == pytest.approx(naive_bigram(train, validation, vocab_size), rel=1e-12)


def test_bigram_of_a_large_vocabulary_does_not_overflow(rng):
    train, validation = (rng.integers(0, 70_000, 500).astype(np.int32) for _ in range(2))
    assert bigram_loss(train, validation,
                       70_000) == pytest.approx(naive_bigram(train.tolist(), validation.tolist(), 70_000))


def test_the_smoothed_bigram_is_a_distribution():
    train = np.array([0, 1, 0, 2, 0, 1, 1])
    for a in range(4):
        total = sum(math.exp(-bigram_loss(train, np.array([a, b]), 4)) for b in range(4))
        assert total == pytest.approx(1, rel=1e-12)


# ------------------------------------------------------------------------------------------------ how sure the loss is

def test_the_interval_of_independent_losses_is_that_of_their_mean(rng):
    losses = rng.normal(2.0, 1.0, (250, PIECE))
    low, high = loss_interval(np.array_split(losses, 7))
    expected = 1.96 / math.sqrt(losses.size)
    assert low < losses.mean() < high
    assert high - low == pytest.approx(2 * expected, rel=0.25)


def test_neighbors_that_are_alike_make_the_interval_wider(rng):
    # 250 independent numbers, each many times
    alike = np.repeat(rng.normal(2.0, 1.0, 250), PIECE)
    low, high = loss_interval([alike[None]])
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(250), rel=0.25)


def test_lines_are_drawn_whole(rng):
    # a line's losses are equal
    lines = [np.repeat(rng.normal(2.0, 1.0, (100, 1)), length, axis=1) for length in (2, 9)]
    low, high = loss_interval(lines, lines=True)
    each = np.concatenate([batch.sum(axis=1) for batch in lines])
    sizes = np.repeat([2, 9], 100)
    # of a ratio of two sums
    deviation = np.sqrt(((each - sizes * mean_loss(lines)) ** 2).sum()) / sizes.sum()
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.2)


def test_too_little_text_has_no_interval():
    assert loss_interval([np.ones((19, PIECE))]) is None and loss_interval([np.ones((19, 3))], lines=True) is None
    assert loss_interval([np.ones((20, 3))], lines=True) == (1.0, 1.0)


@pytest.mark.parametrize("smoothing", ("kneser-ney", "none"))
def test_each_loss_of_an_n_gram(rng, smoothing):
    model = NGram(NGramConfig(V, 3, smoothing)).fit(rng.integers(0, V, 300))
    ids = rng.integers(0, V, (2, 40))
    losses = model.losses(ids[:, :-1], ids[:, 1:]).data
    assert losses.shape == (2, 39)
    for row, text in zip(losses, ids):
        np.testing.assert_array_equal(row, -model.log_prob(text))
    assert np.isinf(losses).any() == (smoothing == "none")
