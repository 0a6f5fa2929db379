"""POST /v1/attention"""

import numpy as np
import pytest

from tinyformer.models.lstm import LSTMClassifier, LSTMConfig
from tinyformer.text.ngrams import NGramTokenizer
from tinyformer.train import open_run
from tinyformer.train.attention import attention_on
from tinyformer.train.classes import save_classes


def test_the_weights_are_those_of_the_model(client, folder):
    tokens, keys, weights = attention_on(open_run(folder), "The cat 改变")
    for layer, head in np.ndindex(weights.shape[:2]):
        answer = client.post("/v1/attention", {"prompt": "The cat 改变", "layer": layer, "head": head})
        assert answer.status == 200
        body = answer.body
        assert body["tokens"] == body["keys"] == tokens and (body["layer"], body["head"]) == (layer, head)
        np.testing.assert_allclose(body["weights"], weights[layer, head], rtol=1e-5, atol=1e-9)
        assert not np.triu(body["weights"], 1).any()
        np.testing.assert_allclose(np.sum(body["weights"], axis=1), 1, rtol=0, atol=1e-5)
    assert client.post("/v1/attention", {"prompt": "The cat 改变"}).body["layer"] == 0
    card, = client.get("/v1/models").body["data"]
    assert card["task"] == "completion" and card["attention"] == {"layers": 2, "heads": 2}
    assert card["vocab_size"] == open_run(folder).tokenizer.vocab_size


@pytest.mark.parametrize("body, status, param, said", (
    ({}, 400, "prompt", "the field prompt is missing"),
    ({"prompt": "a", "layer": 2}, 400, "layer", "layer is 2, but the model has layers 0 to 1"),
    ({"prompt": "a", "head": 9}, 400, "head", "head is 9, but the model has heads 0 to 1"),
    ({"prompt": "a", "head": -1}, 400, "head", "head is -1, expected an integer"),
    ({"prompt": "a", "heads": 1}, 400, "heads", "unknown field 'heads'"),
    ({"prompt": "a", "model": "other"}, 404, "model", "there is no model 'other'"),
    ({"prompt": ""}, 422, "prompt", "the text has 0 tokens, expected 1 to 64"),
    ({"prompt": "人工智能 " * 20}, 422, "prompt", "expected 1 to 64"),
    ({"prompt": "人工智能 " * 900}, 422, "prompt", "expected at most 512"),
))
def test_bad_requests(client, body, status, param, said):
    answer = client.post("/v1/attention", body)
    assert answer.status == status, answer.body
    assert answer.body["error"]["param"] == param and said in answer.body["error"]["message"]
    assert str(client.service.folder) not in answer.body["error"]["message"]


def test_a_model_without_attention(serving, tmp_path):
    words = NGramTokenizer.train(["a good film", "a bad film"], "words", 1, 1)
    LSTMClassifier(LSTMConfig(words.vocab_size, 2, 8, 8)).save_pretrained(tmp_path)
    words.save(tmp_path / "tokenizer.json")
    save_classes(tmp_path, ["bad", "good"])
    client = serving(tmp_path)
    answer = client.post("/v1/attention", {"prompt": "a film"})
    assert answer.status == 422 and answer.body["error"]["code"] == "wrong_model"
    assert answer.body["error"]["message"] == "a LSTMClassifier has no attention between tokens"
    card, = client.get("/v1/models").body["data"]
    assert card["task"] == "classification" and card["attention"] is None
