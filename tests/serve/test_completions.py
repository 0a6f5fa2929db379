"""POST /v1/completions, against a running server."""

from __future__ import annotations

import numpy as np
import pytest

from tinyformer.generate import stream_text
from tinyformer.train import open_run

CHINESE = "人工智能"


@pytest.fixture(scope="module")
def generated(folder):
    """``generated(prompt, n, **how)``: what ``tinyformer generate`` adds to the prompt."""
    run = open_run(folder)
    return lambda prompt, n, **how: "".join(stream_text(run.model, run.tokenizer, prompt, n, **how))


@pytest.mark.parametrize("prompt, n", (("The cat", 20), (CHINESE, 40), ("The cat sat", 100), ("The cat", 0)))
def test_greedy_text_is_what_generate_writes(client, generated, prompt, n):
    choice, = client.complete(prompt, max_tokens=n, temperature=0)["choices"]
    assert choice == {"index": 0, "text": generated(prompt, n, temperature=0), "logprobs": None,
                      "finish_reason": "length"}


def test_a_seed_gives_the_text_of_generate(client, generated):
    asked = dict(temperature=0.9, top_p=0.95, top_k=40)
    text = client.complete("The cat", max_tokens=30, seed=5, **asked)["choices"][0]["text"]
    assert text == generated("The cat", 30, rng=5, **asked) != generated("The cat", 30, rng=6, **asked)


def test_a_stream_has_the_same_text_in_pieces(client, generated):
    events = client.stream(CHINESE, max_tokens=40, temperature=0, stream_options={"include_usage": True})
    *pieces, usage = events
    assert "".join(one["choices"][0]["text"] for one in pieces) == generated(CHINESE, 40, temperature=0)
    assert [one["choices"][0]["finish_reason"] for one in pieces] == [None] * (len(pieces) - 1) + ["length"]
    assert len({one["id"] for one in events}) == 1 and len(pieces) > 2
    assert all(one["usage"] is None for one in pieces)
    assert usage["choices"] == [] and usage["usage"]["completion_tokens"] == 40


def test_several_prompts_in_any_form_and_several_texts_of_each(client, generated, folder):
    tokenizer = open_run(folder).tokenizer
    prompts = ["The cat", CHINESE]
    ids = [tokenizer.encode(prompt).tolist() for prompt in prompts]
    body = client.complete(prompts, max_tokens=9, n=2, seed=7, temperature=1)
    texts = [choice["text"] for choice in body["choices"]]
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2, 3] and len(set(texts)) == 4
    assert texts[0] == generated("The cat", 9, rng=7)
    assert [one["text"] for one in client.complete(ids, max_tokens=9, n=2, seed=7)["choices"]] == texts
    assert client.complete(ids[0], max_tokens=9, n=2, seed=7)["choices"][1]["text"] == texts[1]
    assert body["usage"] == {"prompt_tokens": sum(map(len, ids)), "completion_tokens": 36,
                             "total_tokens": sum(map(len, ids)) + 36}


def test_streams_of_several_texts_have_an_index(client):
    asked = dict(max_tokens=12, n=3, seed=4)
    whole = [choice["text"] for choice in client.complete(["The", CHINESE], **asked)["choices"]]
    texts, reasons = [""] * 6, []
    for event in client.stream(["The", CHINESE], **asked):
        choice, = event["choices"]
        texts[choice["index"]] += choice["text"]
        reasons += [choice["index"]] * (choice["finish_reason"] is not None)
    assert texts == whole and sorted(reasons) == list(range(6))


def test_stop_texts_are_left_out_also_across_tokens(client, generated):
    free = generated("The cat", 40, temperature=0)
    for stop in (free[3:6], [free[9:11], "never"], free[4]):
        texts = [stop] if isinstance(stop, str) else stop
        expected = free[:min(place for place in map(free.find, texts) if place >= 0)]
        choice, = client.complete("The cat", max_tokens=40, temperature=0, stop=stop)["choices"]
        assert (choice["text"], choice["finish_reason"]) == (expected, "stop")
        events = client.stream("The cat", max_tokens=40, temperature=0, stop=stop)
        assert "".join(event["choices"][0]["text"] for event in events) == expected
        assert events[-1]["choices"][0]["finish_reason"] == "stop"


def test_log_probabilities_are_those_of_the_model(client, folder):
    run = open_run(folder)
    ids = run.tokenizer.encode("The cat sat")
    choice, = client.complete("The cat sat", max_tokens=6, temperature=0, logprobs=3, echo=True)["choices"]
    found, T = choice["logprobs"], len(ids)
    assert choice["text"].startswith("The cat sat") and len(found["tokens"]) == T + 6
    assert found["tokens"][:T] == run.tokenizer.pieces(ids) and found["token_logprobs"][0] is None
    full = run.model.generate(ids, 6, temperature=0)
    logits = run.model(full[None]).data[0].astype(float)
    logp = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = [logp[t, full[t + 1]] for t in range(T + 5)]
    assert found["token_logprobs"][1:] == pytest.approx(expected, abs=1e-4)
    for top, row in zip(found["top_logprobs"][1:], logp):
        assert max(top.values()) == pytest.approx(row.max(), abs=1e-4) and 3 <= len(top) <= 4  # and itself
    assert found["text_offset"][:2] == [0, len(found["tokens"][0])]
    streamed = client.stream("The cat sat", max_tokens=6, temperature=0, logprobs=3, echo=True)
    parts = [event["choices"][0]["logprobs"] for event in streamed]
    assert sum((part["tokens"] for part in parts), []) == found["tokens"]
    alone, = client.complete("The cat sat", max_tokens=0, logprobs=0, echo=True)["choices"]
    assert alone["text"] == "The cat sat" and len(alone["logprobs"]["tokens"]) == T


def test_offsets_are_places_in_the_text(client, folder):
    tokenizer, prompt = open_run(folder).tokenizer, "T人é 智"
    choice, = client.complete(prompt, max_tokens=0, logprobs=0, echo=True)["choices"]
    found, ids = choice["logprobs"], tokenizer.encode(prompt)
    for offset, token, t in zip(found["text_offset"], found["tokens"], range(len(ids))):
        before = tokenizer.decode(ids[:t])
        assert prompt.startswith(before.rstrip("\ufffd")) and offset == len(before.rstrip("\ufffd"))
        assert token.startswith("\\x") or prompt[offset:].startswith(token)
    assert found["text_offset"] == sorted(found["text_offset"])


def test_an_empty_prompt_begins_as_generate_does(client, generated):
    choice, = client.complete("", max_tokens=8, temperature=0)["choices"]
    assert choice["text"] == generated("\n", 8, temperature=0)


def test_top_p_0_is_greedy(client):
    greedy = client.complete("The", max_tokens=9, temperature=0)["choices"][0]["text"]
    assert client.complete("The", max_tokens=9, top_p=0)["choices"][0]["text"] == greedy
