"""POST /v1/completions, against a running server."""

from __future__ import annotations

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
    assert usage["choices"] == [] and usage["usage"]["completion_tokens"] == 40
