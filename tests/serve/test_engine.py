"""The engine alone: every text gets the tokens that it gets alone, whatever comes and goes beside it."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import tinyformer as tfm
from tinyformer.generate import generate
from tinyformer.generate.choice import Choice
from tinyformer.models import GPT, GPTConfig, Llama, LlamaConfig, NGram, NGramConfig, Recurrent, RecurrentConfig
from tinyformer.serve import Busy, Closed, Engine, Generation

from .conftest import sharpened

V = 280
MODELS = {
    "gpt": lambda: GPT(GPTConfig(vocab_size=V, block_size=48, n_layer=2, n_head=2, n_embd=32)),
    "llama": lambda: Llama(LlamaConfig(vocab_size=V, block_size=48, n_layer=2, n_head=4, n_kv_head=2, n_embd=32,
                                       n_inner=48)),
    "lstm": lambda: Recurrent(RecurrentConfig(vocab_size=V, block_size=48, n_embd=16, n_hidden=24)),
    "n-gram": lambda: NGram(NGramConfig(vocab_size=V)).fit(np.random.default_rng(0).integers(0, V, 400)),
}


def made(name):
    tfm.seed(3)
    model = MODELS[name]()
    return model.eval() if name == "n-gram" else sharpened(model)


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return made(request.param)


@pytest.fixture(scope="module")
def gpt():
    return made("gpt")


class News:
    """Waits until generations are finished."""

    def __init__(self):
        self.condition = threading.Condition()

    def __call__(self, changed):
        with self.condition:
            self.condition.notify_all()

    def wait(self, generations, until=lambda one: one.finish_reason):
        with self.condition:
            assert self.condition.wait_for(lambda: all(map(until, generations)), 60)


@pytest.fixture
def engine(request, tokenizer):
    """``engine(model, …)`` and the news of it; closed behind the test."""
    engines = []

    def start(model, **options):
        news = News()
        engines.append(Engine(model, tokenizer, notify=news, **options))
        return engines[-1], news

    yield start
    for one in engines:
        one.close()


def ids_of(generation):
    return [token.id for token in generation.tokens]


def alone(model, prompt, n, choice, seed):
    """The tokens that ``generate`` gives."""
    return generate(model, np.array(prompt), n, rng=seed, temperature=choice.temperature, top_k=choice.top_k,
                    top_p=choice.top_p, repetition_penalty=choice.repetition_penalty)[len(prompt):].tolist()


CHOICES = (Choice(0), Choice(0.9, top_k=20), Choice(1.0, top_p=0.9), Choice(0.7, repetition_penalty=1.3))


def test_texts_that_come_and_go_get_the_tokens_that_they_get_alone(model, engine, rng):
    # some outgrow the context of 48, more than the four rows are asked for, some are canceled in the middle
    running, news = engine(model, max_batch=4)
    asked = []
    for i in range(24):
        prompt, n = rng.integers(0, V, rng.integers(1, 49)), int(rng.integers(0, 30))
        one = Generation(prompt, n, CHOICES[i % 4], rng=i)
        running.submit([one])
        asked.append(one)
        if i % 5 == 4:
            one.cancel()
        if i % 3 == 2:
            news.wait(asked[i - 2:i - 1])
    news.wait(asked)
    for i, one in enumerate(asked):
        expected = alone(model, one.prompt, one.max_tokens, one.choice, i)
        if one.finish_reason == "canceled":
            assert ids_of(one) == expected[:len(one.tokens)]
        else:
            assert one.finish_reason == "length" and ids_of(one) == expected
    assert sum(one.finish_reason == "canceled" for one in asked) > 1 and running.running == 0


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(1, 48), st.integers(1, 12), st.sampled_from(CHOICES), st.integers(0, 3)),
                min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_a_seed_gives_the_same_tokens_alone_and_in_a_batch(gpt, tokenizer, texts, random):
    news = News()
    running = Engine(gpt, tokenizer, max_batch=3, notify=news)
    asked = [Generation(np.array([random.randrange(V) for _ in range(T)]), n, choice, rng=seed)
             for T, n, choice, seed in texts]
    running.submit(asked)
    news.wait(asked)
    running.close()
    for one, (_, n, choice, seed) in zip(asked, texts):
        assert ids_of(one) == alone(gpt, one.prompt, n, choice, seed)


def test_a_long_prompt_does_not_stop_the_others(engine):
    model = GPT(GPTConfig(vocab_size=V, block_size=1024, n_layer=1, n_head=1, n_embd=16)).eval()
    running, news = engine(model)
    short, long = Generation(np.array([1]), 40), Generation(np.arange(1000) % V, 1)
    events = []
    notify = running.notify

    def record(changed):
        events.append([one is long for one in changed])
        notify(changed)

    running.notify = record
    running.submit([short, long])
    news.wait([short, long])
    first = next(i for i, those in enumerate(events) if True in those)
    assert 6 <= first <= 9                                  # 1,000 tokens in pieces of 128
    assert all(False in those for those in events[:first])  # and the other text got a token in each step


def test_end_tokens_stop_texts_and_lines(gpt, tokenizer, engine):
    prompt = tokenizer.encode("The cat")
    free = alone(gpt, prompt, 30, Choice(0), 0)
    end = free[10]
    running, news = engine(gpt, ends=[end])
    one = Generation(prompt, 30, Choice(0))
    running.submit([one])
    news.wait([one])
    assert ids_of(one) == free[:free.index(end)] and one.finish_reason == "stop"

    lines, news = engine(gpt, line_end=end)
    one = Generation(prompt, 30, Choice(0))
    lines.submit([one])
    news.wait([one])
    found = ids_of(one)
    first = free.index(end) + 1
    again = alone(gpt, [end], 30, Choice(0), 0)             # behind a line, the model sees its end alone
    assert found[:first] == free[:first] and found[first:first + 3] == again[:3]


@settings(max_examples=40)
@given(st.lists(st.integers(0, V - 1), min_size=1, max_size=60), st.lists(st.text("人工智 The.\n", min_size=1,
                                                                                  max_size=4), max_size=3))
def test_pieces_are_whole_characters_and_end_before_a_stop_text(tokenizer, ids, stop):
    from tinyformer.generate.pieces import Pieces
    pieces, shown = Pieces(tokenizer, stop), []
    for id in ids:
        shown.append(pieces.add(id))
        assert not shown[-1].endswith("\ufffd")
        if pieces.stopped:
            break
    shown.append(pieces.rest())
    whole = tokenizer.decode(ids)
    ends = [place for place in map(whole.find, stop) if place >= 0]
    assert "".join(shown) == whole[:min(ends)] if ends else "".join(shown) == whole


def test_a_full_queue_and_a_closed_engine(gpt, tokenizer):
    news = News()
    running = Engine(gpt, tokenizer, max_batch=1, queue=1, notify=news)
    asked = [Generation(np.array([1]), 3000) for _ in range(2)]
    running.submit(asked)
    with pytest.raises(Busy, match="the server is busy"):
        running.submit([Generation(np.array([1]))])
    asked[0].cancel()
    news.wait(asked[:1])
    asked[1].cancel()
    running.close()
    assert [one.finish_reason for one in asked] == ["canceled"] * 2
    with pytest.raises(Closed, match="shutting down"):
        running.submit([Generation(np.array([1]))])
    with pytest.raises(Closed):
        running.call(print)


def test_jobs_run_in_the_engines_thread_and_raise_where_they_are_waited_for(gpt, engine):
    running, _ = engine(gpt)
    assert running.call(threading.get_ident).result(10) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        running.call(lambda: 1 / 0).result(10)
    blocking = threading.Event()
    running.call(blocking.wait)
    late = running.call(threading.get_ident)
    assert late.cancel()
    blocking.set()
    with pytest.raises(CancelledError):
        late.result(10)


def test_a_model_that_fails_fails_its_texts_alone(gpt, engine):
    running, news = engine(gpt)
    good, bad = Generation(np.array([1]), 5, Choice(0)), Generation(np.array([V + 5]), 5, Choice(0))
    running.submit([good, bad])
    news.wait([good, bad])
    assert bad.finish_reason == "error" and isinstance(bad.error, (ValueError, IndexError))
    assert good.finish_reason == "length" and ids_of(good) == alone(gpt, [1], 5, Choice(0), 0)




def test_an_id_without_a_token_ends_its_text_alone(tokenizer, engine):
    model = GPT(GPTConfig(vocab_size=V + 8, block_size=48, n_layer=1, n_head=1, n_embd=16)).eval()
    logits = model.forward

    def beyond(ids, cache=None):
        found = logits(ids, cache)
        found.data[:, :, V + 1] = np.where(ids == 7, 9, -9)
        return found

    model.forward = beyond
    running, news = engine(model)
    good, bad = (Generation(np.array([id]), 3, Choice(0), logprobs=5) for id in (1, 7))
    running.submit([good, bad])
    news.wait([good, bad])
    assert bad.finish_reason == "error" and "281" in str(bad.error) and good.finish_reason == "length"
    assert all(max(token.top) < V for token in good.tokens)
