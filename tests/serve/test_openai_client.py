"""OpenAI's own Python client, unchanged, against the server."""

from __future__ import annotations

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.models import Bert, BertConfig
from tinyformer.similar import sentence_vectors
from tinyformer.text import WordPieceTokenizer
from tinyformer.train import open_run

openai = pytest.importorskip("openai", reason="OpenAI's client is the oracle here and is not installed")


@pytest.fixture
def remote(client):
    with openai.OpenAI(base_url=f"{client.url}/v1", api_key="none", max_retries=0) as one:
        yield one


def test_models_and_completions(remote, client):
    name = remote.models.list().data[0].id
    assert remote.models.retrieve(name).owned_by == "tinyformer"
    answer = remote.completions.create(model=name, prompt="The cat", max_tokens=12, temperature=0, logprobs=2)
    expected = client.complete("The cat", max_tokens=12, temperature=0)
    assert answer.choices[0].text == expected["choices"][0]["text"] and answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 12 and len(answer.choices[0].logprobs.tokens) == 12


def test_streams(remote, client):
    with remote.completions.create(model="tinyformer", prompt="人工智能", max_tokens=30, temperature=0, stream=True,
                                   stream_options={"include_usage": True}) as stream:
        *pieces, usage = list(stream)
    expected = client.complete("人工智能", max_tokens=30, temperature=0)["choices"][0]["text"]
    assert "".join(piece.choices[0].text for piece in pieces) == expected and usage.usage.completion_tokens == 30
    with remote.completions.create(model="tinyformer", prompt="The", max_tokens=4000, stream=True) as stream:
        next(iter(stream))                                  # and then the client leaves


def test_embeddings(serving, tmp_path):
    texts = ["a lovely film", "the film is dull"]
    tokenizer = WordPieceTokenizer.train(" ".join(texts) * 5, 60)
    tfm.seed(1)
    Bert(BertConfig(vocab_size=tokenizer.vocab_size, block_size=32, n_layer=1, n_head=2, n_embd=16,
                    n_inner=32)).save_pretrained(tmp_path)
    tokenizer.save(tmp_path / "tokenizer.json")
    run = open_run(tmp_path)
    with openai.OpenAI(base_url=f"{serving(tmp_path).url}/v1", api_key="none") as remote:
        data = remote.embeddings.create(model="tinyformer", input=texts).data
    expected = sentence_vectors(run.model, run.tokenizer, texts)
    np.testing.assert_allclose([one.embedding for one in data], expected, atol=1e-6)


@pytest.mark.parametrize("error, asked", ((openai.BadRequestError, {"temperature": 9}),
                                          (openai.NotFoundError, {"model": "gpt-9"}),
                                          (openai.BadRequestError, {"prompt": []})))
def test_errors_are_the_clients(remote, error, asked):
    with pytest.raises(error) as caught:
        remote.completions.create(**{"model": "tinyformer", "prompt": "The", **asked})
    assert caught.value.body["param"] == next(iter(asked))


def test_a_wrong_key_is_the_clients_error(serving, folder):
    url = serving(folder, api_key="right").url
    with openai.OpenAI(base_url=f"{url}/v1", api_key="wrong") as remote, pytest.raises(openai.AuthenticationError):
        remote.models.list()
    with openai.OpenAI(base_url=f"{url}/v1", api_key="right") as remote:
        assert len(remote.models.list().data) == 1
