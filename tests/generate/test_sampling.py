"""Sampling: the ways of choosing against brute force, and the cache against none."""

import numpy as np
import pytest

from tinyformer import memory
from tinyformer.generate import KVCache, beams, choose, generate, sampling, stream, stream_lines
from tinyformer.generate.choice import penalized
from tinyformer.models import GPT, GPTConfig, Llama, LlamaConfig, Recurrent, RecurrentConfig

LOGITS = np.array([0.3, -1.2, 2.0, 0.9, 2.0, -3.0])


def softmax(z):
    p = np.exp(z - z.max())
    return p / p.sum()


def expected(logits, temperature=1.0, top_k=None, top_p=None, min_p=None):
    """The probabilities by the definitions, one token at a time. Ties go to the earlier token."""
    p = softmax(logits / temperature)
    order = sorted(range(len(p)), key=lambda i: -p[i])
    kept, reached = [], 0.0
    ranked = order[:top_k]
    total = sum(p[i] for i in ranked)
    for i in ranked:
        if top_p is not None and reached >= top_p * total:
            break
        kept.append(i)
        reached += p[i]
    q = np.zeros(len(p))
    q[kept] = p[kept]
    if min_p is not None:
        q[q < min_p * q.max()] = 0
    return q / q.sum()


@pytest.mark.parametrize("how", (
    {}, {"temperature": 0.5}, {"temperature": 3.0}, {"top_k": 1}, {"top_k": 3}, {"top_k": 6}, {"top_k": 100},
    {"min_p": 0.0}, {"min_p": 0.2}, {"min_p": 0.35}, {"min_p": 1.0}, {"min_p": 0.2, "top_p": 0.8, "temperature": 2.0},
    {"top_p": 1e-9}, {"top_p": 0.35}, {"top_p": 0.8}, {"top_p": 1.0}, {"top_k": 4, "top_p": 0.9, "temperature": 1.7},
))
def test_tokens_are_drawn_with_the_probabilities_of_the_definition(how):
    n = 40_000
    p = expected(LOGITS, **how)
    counts = np.bincount(choose(np.tile(LOGITS, (n, 1)), **how, rng=1), minlength=6)
    assert (counts[p == 0] == 0).all()
    assert (np.abs(counts / n - p) <= 5 * np.sqrt(p * (1 - p) / n)).all(), (counts / n, p)


def test_temperature_zero_takes_the_most_likely():
    logits = np.random.default_rng(0).normal(size=(50, 9))
    np.testing.assert_array_equal(choose(logits, 0), logits.argmax(axis=1))
    np.testing.assert_array_equal(choose(logits, 1e-300), logits.argmax(axis=1))


def test_rows_are_drawn_by_themselves():
    logits = np.full((3, 4), -50.0)
    logits[[0, 1, 2], [3, 0, 2]] = 50
    assert choose(logits, rng=0).tolist() == [3, 0, 2]


def test_huge_logits_neither_overflow_nor_count_as_broken():
    assert choose(np.array([[1e30, -1e30, 3e30]]), 1e-3, rng=0).tolist() == [2]


def test_the_penalty_of_repetition():
    """What was said is divided by it, or multiplied where it is below 0, however often it was said."""
    logits = np.array([[1.0, -1.0, 2.0, 0.5], [3.0, 1.0, -2.0, 0.0]])
    ids = np.array([[2, 1, 2], [0, 0, 2]])
    np.testing.assert_allclose(penalized(logits, ids, 2.0), [[1.0, -2.0, 1.0, 0.5], [1.5, 1.0, -4.0, 0.0]])
    np.testing.assert_allclose(penalized(logits, ids, 0.5), [[1.0, -0.5, 4.0, 0.5], [6.0, 1.0, -1.0, 0.0]])
    assert logits[0, 2] == 2
    assert choose(logits, 0, ids=ids, repetition_penalty=4.0).tolist() == [0, 1]
    n = 20_000
    counts = np.bincount(choose(np.tile(logits[:1], (n, 1)), ids=np.tile(ids[:1], (n, 1)), repetition_penalty=2.0,
                                rng=1))
    p = softmax(np.array([1.0, -2.0, 1.0, 0.5]))
    assert (np.abs(counts / n - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()
    with pytest.raises(ValueError, match="repetition_penalty needs the tokens so far"):
        choose(logits, repetition_penalty=2.0)


@pytest.mark.parametrize("bad", (np.nan, np.inf, -np.inf))
def test_logits_that_are_not_finite_are_an_error(bad):
    with pytest.raises(ValueError, match="logits are not all finite"):
        choose(np.array([[0.0, bad]]))


@pytest.mark.parametrize("how, message", (
    ({"temperature": -0.1}, "temperature is -0.1, expected a finite number of at least 0"),
    ({"temperature": np.nan}, "temperature is nan"),
    ({"temperature": np.inf}, "temperature is inf"),
    ({"top_k": 0}, "top_k is 0, expected at least 1"),
    ({"top_p": 0.0}, "top_p is 0.0, expected 0 < top_p ≤ 1"),
    ({"top_p": 1.01}, "top_p is 1.01"),
    ({"top_p": np.nan}, "top_p is nan"),
    ({"min_p": -0.1}, "min_p is -0.1, expected 0 ≤ min_p ≤ 1"),
    ({"min_p": 1.5}, "min_p is 1.5"),
    ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0, expected a finite number above 0"),
    ({"repetition_penalty": np.inf}, "repetition_penalty is inf"),
))
def test_ways_out_of_range_are_errors_at_once(how, message):
    with pytest.raises(ValueError, match=f"generate: {message}"):
        choose(LOGITS[None], **how)
    with pytest.raises(ValueError, match=f"generate: {message}"):
        stream(None, [[0]], 5, **how)


# ------------------------------------------------------------------------------------------------ with a model

V, BLOCK = 11, 8


MODELS = {"gpt": lambda: GPT(GPTConfig(V, BLOCK, n_layer=2, n_head=2, n_embd=16)),
          "llama": lambda: Llama(LlamaConfig(V, BLOCK, n_layer=2, n_head=4, n_kv_head=2, n_embd=16, n_inner=24))}


@pytest.fixture(params=MODELS)
def model(request):
    """A model whose logits are far enough apart for tokens to depend on what was read."""
    model = MODELS[request.param]()
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data *= 15
    return model.eval()


WAYS = ({"temperature": 0}, {"temperature": 1.0, "rng": 3}, {"temperature": 1.5, "top_k": 5, "top_p": 0.9, "rng": 4})


@pytest.mark.parametrize("how", WAYS, ids=("greedy", "sampled", "cut"))
@pytest.mark.parametrize("T", (1, 3, BLOCK - 1, BLOCK))
@pytest.mark.parametrize("B", (1, 3))
def test_the_cache_changes_no_token(model, rng, B, T, how):
    ids = rng.integers(0, V, (B, T))
    with_cache = generate(model, ids, 2 * BLOCK, **how)
    without = generate(model, ids, 2 * BLOCK, use_cache=False, **how)
    np.testing.assert_array_equal(with_cache, without)
    assert with_cache.shape == (B, T + 2 * BLOCK)
    np.testing.assert_array_equal(with_cache[:, :T], ids)


def test_greedy_is_the_argmax_of_the_last_logits_again_and_again(model, rng):
    ids = rng.integers(0, V, 3)
    found = generate(model, ids, 12, temperature=0)
    for end in range(3, 15):
        assert model(found[None, max(0, end - BLOCK):end]).data[0, -1].argmax() == found[end]


@pytest.mark.parametrize("cuts", ((8,), (1,) * 8, (3, 5), (5, 2, 1), (1, 7)))
def test_logits_with_a_cache_equal_those_without(model, rng, cuts):
    """Read in pieces of any length: each piece sees what was read before it."""
    model.to(np.float64)
    ids = rng.integers(0, V, (2, BLOCK))
    cache, pieces, start = KVCache(BLOCK), [], 0
    for length in cuts:
        pieces.append(model(ids[:, start:start + length], cache).data)
        cache.advance(length)
        start += length
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), model(ids).data, rtol=0, atol=1e-12)


def test_a_full_cache_is_an_error(model):
    cache = KVCache(BLOCK)
    model(np.zeros((1, BLOCK), int), cache)
    cache.advance(BLOCK)
    with pytest.raises(ValueError, match=r"expected \(B, T\) with 1 ≤ T ≤ 0 beside 8 cached positions"):
        model(np.zeros((1, 1), int), cache)


def test_the_same_seed_gives_the_same_text_and_another_another(model):
    one, two, other = (generate(model, [1, 2], 20, rng=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_without_a_seed_the_frameworks_generator_draws(model):
    import tinyformer as tfm
    tfm.seed(9)
    one = generate(model, [1, 2], 20)
    tfm.seed(9)
    np.testing.assert_array_equal(generate(model, [1, 2], 20), one)
    assert (generate(model, [1, 2], 20) != one).any()


def test_rows_of_a_batch_do_not_touch_each_other(model, rng):
    ids = rng.integers(0, V, (3, 4))
    together = generate(model, ids, 10, temperature=0)
    for row, alone in zip(together, ids):
        np.testing.assert_array_equal(row, generate(model, alone, 10, temperature=0))


PROMPTS = [3, 1], [4, 1, 5, 9, 2], [6], [5, 3, 5, 8, 9, 7, 9, 3]


@pytest.mark.parametrize("how", ({}, {"repetition_penalty": 1.5}, {"end": 7}, {"use_cache": False}),
                         ids=("plain", "penalty", "end", "no cache"))
def test_prompts_of_different_lengths_give_what_each_gives_alone(model, how):
    together = generate(model, [np.array(p) for p in PROMPTS], 12, temperature=0, **how)
    for row, prompt in zip(together, PROMPTS):
        alone = generate(model, prompt, 12, temperature=0, **how)
        np.testing.assert_array_equal(row[:len(alone)], alone)
        assert (row[len(alone):] == how.get("end")).all()               # a row that has ended waits for the others


def test_with_a_seed_each_prompts_are_drawn_as_alone(model):
    together = generate(model, list(PROMPTS), 9, rng=[5, 6, 7, 8], temperature=1.3)
    for row, prompt, seed in zip(together, PROMPTS, (5, 6, 7, 8)):
        np.testing.assert_array_equal(row, generate(model, prompt, 9, rng=seed, temperature=1.3))
    with pytest.raises(ValueError, match="rng has 2 seeds, expected one for each of 4 prompts"):
        generate(model, list(PROMPTS), 9, rng=[5, 6])


def test_the_end_ends(model):
    free = generate(model, [1, 2], 15, temperature=0)
    end = int(free[5])
    stopped = generate(model, [1, 2], 15, temperature=0, end=end)
    first = 2 + list(free[2:]).index(end)
    np.testing.assert_array_equal(stopped, free[:first + 1])
    # in the prompt it ends nothing
    assert generate(model, [end, 2], 3, temperature=0, end=end).tolist()[:2] == [end, 2]
    assert len(list(stream(model, np.array([[1, 2]]), 15, temperature=0, end=end))) == first - 1


def test_no_prompts_give_no_texts(model):
    assert generate(model, np.empty((0, 3), int), 4) == []


def test_dropout_is_off_while_generating_and_the_mode_is_put_back():
    model = GPT(GPTConfig(V, BLOCK, n_layer=1, n_head=2, n_embd=16, dropout=0.5)).train()
    one, two = (generate(model, [1], 20, temperature=0) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert all(module.training for _, module in model.named_modules())
    with pytest.raises(ValueError):
        generate(model, [V], 1)                             # and put back when it fails
    assert model.training


def test_no_graph_is_recorded(model):
    seen = []
    forward = model.forward
    model.forward = lambda *args: seen.append(forward(*args)) or seen[-1]
    generate(model, [1], 3)
    assert len(seen) == 3 and all(logits.node is None for logits in seen)


def test_nothing_to_add(model):
    assert generate(model, [4, 2], 0).tolist() == [4, 2]


@pytest.mark.parametrize("ids, n, message", (
    ([], 1, r"float64 of shape \(0,\), expected integers \(T,\) or \(B, T\), or a list of such rows, with T ≥ 1"),
    ([[1], []], 1, r"float64 of shape \(0,\)"),
    ([[[1]]], 1, r"shape \(1, 1\)"),
    ([1] * (BLOCK + 1), 1, "the prompt has 9 tokens, but the model's context is 8; give it the last 8"),
    ([[1], [1] * (BLOCK + 1)], 1, "the prompt has 9 tokens"),
    ([1, V, 2], 1, "a token of the prompt is 11, expected 0…10"),
    ([[3], [1, -1]], 1, "a token of the prompt is -1, expected 0…10"),
    ([0.5], 1, "float64"),
    ([1], -1, "max_new_tokens is -1, expected an integer of at least 0"),
))
def test_bad_prompts_are_errors(model, ids, n, message):
    with pytest.raises(ValueError, match=message):
        generate(model, ids, n)


@pytest.mark.parametrize("n", (1.5, "3", None, True))
def test_a_number_of_tokens_is_an_integer(model, n):
    with pytest.raises(TypeError, match=f"generate: max_new_tokens is {n!r}, expected an integer of at least 0"):
        generate(model, [1], n)


@pytest.mark.parametrize("write", (generate, stream, lambda model, ids, n: generate(model, [ids[0]] * 2, n)))
def test_what_cannot_fit_into_the_memory_is_refused_before_it_is_written(model, monkeypatch, write):
    monkeypatch.setattr(memory, "physical_memory", lambda: 10 ** 9)
    with pytest.raises(ValueError,
                       match=r"generate: the text needs at least [0-9,.]+ [GT]B of memory \([0-9,.]+ [GT]B for tokens, "
                                         r"[0-9.]+ kB for the cache of keys and values\), but this machine has 1.0 GB; "
                                         r"use a smaller max_new_tokens"):
        write(model, np.array([[1]]), 10 ** 9)


def test_the_estimate_is_what_the_cache_takes(model, monkeypatch):
    """With less than that it is refused, and with that it is not."""
    caches = []
    monkeypatch.setattr(sampling, "KVCache", lambda room: caches.append(KVCache(room)) or caches[-1])
    generate(model, [[1, 2]] * 3, 4, temperature=0)
    taken = sum(keys.nbytes + values.nbytes for keys, values, _ in caches[0]._layers.values()) + 8 * 3 * 6
    monkeypatch.setattr(memory, "physical_memory", lambda: taken)
    generate(model, [[1, 2]] * 3, 4, temperature=0)
    monkeypatch.setattr(memory, "physical_memory", lambda: taken - 1)
    with pytest.raises(ValueError, match="for the cache of keys and values"):
        generate(model, [[1, 2]] * 3, 4, temperature=0)
    with pytest.raises(ValueError, match="for the cache of keys and values"):
        beams(model, np.array([1, 2]), 5, beams=3)


# ------------------------------------------------------------------------------------------------ lines

def test_each_line_is_written_as_if_it_were_the_first(rng):
    """Against a loop that begins every line from the end mark alone."""
    model = Recurrent(RecurrentConfig(5, 12, "gru", 1, 4, 6)).eval()
    for parameter in model.parameters():
        parameter.data *= 3
    start = np.array([[0, 2]])
    found = [int(token[0]) for token in stream_lines(model, start, 40, 0, rng=np.random.default_rng(1))]
    line, expected, draws = [0, 2], [], np.random.default_rng(1)
    while len(expected) < 40:
        expected.append(int(next(iter(stream(model, np.array([line[-12:]]), 1, rng=draws)))[0]))
        line = [0] if expected[-1] == 0 else line + [expected[-1]]
    assert found == expected and 2 < found.count(0) < 30
    assert list(stream_lines(model, start, 0, 0)) == []
