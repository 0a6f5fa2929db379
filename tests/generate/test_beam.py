"""Beam search: wide enough it is exhaustive, with one beam it is greedy, and in between it is the definition."""

import itertools
import math

import numpy as np
import pytest

from tinyformer.generate import beam_search, beams, generate
from tinyformer.models import GPT, GPTConfig, Llama, LlamaConfig, Recurrent, RecurrentConfig

V, END = 5, 0


class Table:
    """Texts whose next token hangs on the last two: what ``beam_search`` asks, without a network."""

    def __init__(self, rng, rows):
        self.table = rng.normal(size=(V, V, V)) * 2
        self.texts = [[]] * rows
        self.asked = 0

    def after(self, text):
        padded = [1, 1, *text]
        return self.table[padded[-2], padded[-1]]

    def logits(self, tokens):
        assert len(tokens) == len(self.texts)
        self.texts = [[*text, int(token)] for text, token in zip(self.texts, tokens)]
        self.asked += len(tokens)
        return np.array([self.after(text) for text in self.texts])

    def pick(self, rows):
        self.texts = [self.texts[row] for row in rows]


def ln_p(table, first, text):
    total = 0.0
    for n, token in enumerate(text):
        logits = table.after([first, *text[:n]])
        total += logits[token] - math.log(np.exp(logits).sum())
    return total


def all_texts(most):
    """Every text that ends, or is cut off after ``most`` tokens, and its number of tokens with the end."""
    for n in range(most + 1):
        for text in itertools.product(range(1, V), repeat=n):
            if n < most:
                yield (*text, END)
            else:
                yield text


@pytest.mark.parametrize("alpha", (0.0, 0.6, 1.5, -1.0))
@pytest.mark.parametrize("seed", range(4))
def test_with_enough_beams_it_finds_the_best_of_all(seed, alpha):
    rng = np.random.default_rng(seed)
    table, most = Table(rng, 3), 4
    firsts = np.array([1, 2, 4])
    found = beam_search(table, firsts, most, beams=V ** most, end=END, length_penalty=alpha)
    for first, answer in zip(firsts, found):
        best = max(all_texts(most), key=lambda text: ln_p(table, int(first), text) / ((5 + len(text)) / 6) ** alpha)
        assert tuple(answer) == tuple(token for token in best if token != END)


@pytest.mark.parametrize("seed", range(5))
def test_one_beam_is_greedy(seed):
    table = Table(np.random.default_rng(seed), 4)
    for first, answer in zip(range(1, 5), beam_search(table, np.arange(1, 5), 6, beams=1, end=END)):
        text = [first]
        while len(text) <= 6 and (token := int(table.after(text).argmax())) != END:
            text.append(token)
        assert answer == text[1:]


def by_the_definition(table, first, most, k, alpha):
    """One row, with lists."""
    live, ended = [(0.0, ())], []
    for n in range(1, most + 1):
        longer = sorted(((ln_p(table, first, (*text, token)), (*text, token)) for _, text in live
                         for token in range(V)),
                        key=lambda one: -one[0])
        ended += [(score / ((5 + n) / 6) ** alpha, text[:-1]) for score, text in longer[:k] if text[-1] == END]
        live = [one for one in longer if one[1][-1] != END][:k]
        if len(ended) >= k:
            break
    else:
        ended += [(score / ((5 + most) / 6) ** alpha, text) for score, text in live]
    return list(max(ended, key=lambda one: one[0])[1])


@pytest.mark.parametrize("k", (2, 3, 4))
@pytest.mark.parametrize("seed", range(6))
def test_a_few_beams_by_the_definition(seed, k):
    table = Table(np.random.default_rng(seed), 4)
    found = beam_search(table, np.arange(1, 5), 7, beams=k, end=END, length_penalty=0.6)
    assert found == [by_the_definition(table, first, 7, k, 0.6) for first in range(1, 5)]


def test_one_of_several_ends():
    """As if all of them were one token that is as likely as they are together at best: the more likely of two
    ends a text."""
    for seed in range(4):
        tables = [Table(np.random.default_rng(seed), 1) for _ in range(3)]
        both, *each = (beam_search(table, np.array([2]), 4, beams=V ** 4, end=end, length_penalty=0.0)[0]
                       for table, end in zip(tables, ([0, 3], 0, 3)))
        assert not {0, 3} & {*both}
        texts = [text for text in all_texts(4) if 3 not in text[:-1]]
        texts += [(*text[:-1], 3) for text in texts if text[-1] == 0]
        best = max(texts, key=lambda text: ln_p(tables[0], 2, text))
        assert both == [token for token in best if token not in (0, 3)]


def test_rows_that_are_done_cost_no_more():
    table = Table(np.random.default_rng(0), 2)
    table.table[:, :, 4] = 20
    table.table[1, 2, END] = 50                             # the row that begins with 2 ends at once
    assert beam_search(table, np.array([2, 3]), 5, beams=1, end=END)[0] == []
    assert table.asked == 2 + 4


@pytest.mark.parametrize("change, message", (
    ({"beams": 0}, "beams is 0, expected at least 1"),
    ({"max_new_tokens": -1}, "max_new_tokens is -1"),
    ({"length_penalty": np.nan}, "length_penalty is nan, expected a finite number"),
))
def test_what_cannot_be(change, message):
    arguments = {"max_new_tokens": 3, "beams": 2, **change}
    with pytest.raises(ValueError, match=f"beam_search: {message}"):
        beam_search(Table(np.random.default_rng(0), 1), np.array([1]), **arguments)


def test_logits_that_are_not_finite():
    table = Table(np.random.default_rng(0), 1)
    table.table[:] = np.nan
    with pytest.raises(ValueError, match="logits are not all finite"):
        beam_search(table, np.array([1]), 3, beams=2)


# ------------------------------------------------------------------------------------------------ with a model

MODELS = {"gpt": lambda: GPT(GPTConfig(7, 12, n_layer=2, n_head=2, n_embd=16)),
          "llama": lambda: Llama(LlamaConfig(7, 12, n_layer=2, n_head=4, n_kv_head=2, n_embd=16, n_inner=24)),
          "lstm": lambda: Recurrent(RecurrentConfig(7, 12, "lstm", n_embd=8, n_hidden=8))}


@pytest.fixture(params=MODELS)
def model(request):
    model = MODELS[request.param]().to(np.float64)
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data *= 4 if request.param == "lstm" else 15
    return model.eval()


def total(model, ids, start):
    """ln p of ids[start:] after what stands before."""
    z = model(ids[None, :-1]).data[0]
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return sum(logp[t - 1, ids[t]] for t in range(start, len(ids)))


def test_one_beam_writes_what_greedy_sampling_does(model):
    np.testing.assert_array_equal(beams(model, [3, 1], 9, beams=1), generate(model, [3, 1], 9, temperature=0))


def test_all_beams_find_the_most_likely_text(model):
    found = beams(model, [3, 1, 4], 3, beams=7 ** 3)
    best = max((np.array([3, 1, 4, *rest]) for rest in itertools.product(range(7), repeat=3)),
               key=lambda ids: total(model, ids, 3))
    np.testing.assert_array_equal(found, best)


def test_more_beams_than_one_go_on_from_the_right_cache(model):
    """Beams change places at nearly every step: with a cache that did not, they would not be the best beginnings."""
    def by_hand(first, n, k):
        live = [np.array([first])]
        for _ in range(n):
            longer = [np.append(ids, token) for ids in live for token in range(7)]
            live = sorted(longer, key=lambda ids: -total(model, ids, 1))[:k]
        return live[0]

    for first in range(7):
        np.testing.assert_array_equal(beams(model, [first], 6, beams=3), by_hand(first, 6, 3))


def test_the_context_is_not_exceeded(model):
    assert len(beams(model, [1] * 12, 1, beams=2)) == 13
    with pytest.raises(ValueError, match="beams: 11 tokens and 3 more do not fit into the model's context of 12"):
        beams(model, [1] * 11, 3)
    with pytest.raises(ValueError,
                       match=r"beams: ids are float64 of shape \(0,\), expected integers \(T,\) with T ≥ 1"):
        beams(model, [], 3)


def test_the_mode_is_put_back(model):
    model.train()
    beams(model, [1], 3)
    assert model.training
