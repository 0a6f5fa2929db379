"""POST /v1/embeddings and POST /v1/classify, against running servers."""

from __future__ import annotations

import base64

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.models import Bert, BertClassifier, BertClassifierConfig, BertConfig
from tinyformer.similar import sentence_vectors
from tinyformer.text import WordPieceTokenizer
from tinyformer.train.classes import save_classes
from tinyformer.train.explanation import explain_text
from tinyformer.train.predict import predict

TEXTS = ["a lovely film", "the film is dull and long", "a"]


@pytest.fixture(scope="module")
def berts(tmp_path_factory):
    """The folders of a BERT and of a BERT with two classes."""
    tokenizer = WordPieceTokenizer.train(" ".join(TEXTS) * 5, 60)
    sizes = dict(vocab_size=tokenizer.vocab_size, block_size=32, n_layer=1, n_head=2, n_embd=16, n_inner=32)
    tfm.seed(1)
    root = tmp_path_factory.mktemp("berts")
    for name, model in (("bert", Bert(BertConfig(**sizes))),
                        ("classifier", BertClassifier(BertClassifierConfig(n_classes=2, **sizes)))):
        model.save_pretrained(root / name)
        tokenizer.save(root / name / "tokenizer.json")
    save_classes(root / "classifier", ["bad", "good"])
    return root


def test_vectors_are_those_of_the_library(serving, berts):
    from tinyformer.train import open_run
    client, run = serving(berts / "bert"), open_run(berts / "bert")
    expected = sentence_vectors(run.model, run.tokenizer, TEXTS)
    body = client.post("/v1/embeddings", {"input": TEXTS, "model": "bert"}).body
    assert [one["index"] for one in body["data"]] == [0, 1, 2] and body["object"] == "list"
    np.testing.assert_array_equal(np.array([one["embedding"] for one in body["data"]], "f"), expected)
    assert body["usage"]["prompt_tokens"] == sum(len(run.tokenizer.encode(text, special=True)) for text in TEXTS)
    one, = client.post("/v1/embeddings", {"input": TEXTS[0], "encoding_format": "base64"}).body["data"]
    np.testing.assert_allclose(np.frombuffer(base64.b64decode(one["embedding"]), "<f4"), expected[0], atol=1e-6)
    assert client.post("/v1/embeddings", {"input": "a", "dimensions": 16}).status == 200
    assert "expected 16" in client.post("/v1/embeddings", {"input": "a", "dimensions": 8}).body["error"]["message"]
    assert client.post("/v1/completions", {"prompt": "a"}).body["error"]["code"] == "wrong_model"
    assert client.post("/v1/classify", {"input": "a"}).body["error"]["code"] == "wrong_model"


def test_classes_and_reasons_are_those_of_the_commands(serving, berts):
    folder = berts / "classifier"
    client = serving(folder)
    data = client.post("/v1/classify", {"input": TEXTS[:2], "explain": True, "target": "good"}).body["data"]
    for i, (text, one) in enumerate(zip(TEXTS, data)):
        assert one["index"] == i and one["target"] == "good" and one["label"] == predict(folder, text)["class"]
        assert one["probabilities"] == pytest.approx(predict(folder, text)["probabilities"])
        expected = explain_text(folder, text, target="good")
        assert one["tokens"] == expected["tokens"] and one["attributions"] == pytest.approx(expected["attributions"])
    plain, = client.post("/v1/classify", {"input": TEXTS[0]}).body["data"]
    assert "tokens" not in plain and plain["label"] in plain["probabilities"]
    answer = client.post("/v1/classify", {"input": TEXTS[0], "target": "fair"})
    assert answer.status == 400 and "one of bad, good" in answer.body["error"]["message"]
    assert client.post("/v1/classify", {"input": "  "}).status == 422


def test_a_long_text_is_not_explained(serving, berts, monkeypatch):
    client = serving(berts / "classifier")
    monkeypatch.setattr("tinyformer.serve.routes.classify.LONGEST", 3)
    answer = client.post("/v1/classify", {"input": TEXTS[1], "explain": True})
    assert answer.status == 422 and "expected at most 3" in answer.body["error"]["message"]
    assert client.post("/v1/classify", {"input": TEXTS[1]}).status == 200
    assert client.post("/v1/classify", {"input": TEXTS[0], "explain": True}).status == 200
