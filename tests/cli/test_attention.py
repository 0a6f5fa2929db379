"""tinyformer attention"""

import os
from pathlib import Path

import numpy as np
import pytest

from tinyformer.interop.weights import read_weights, write_weights
from tinyformer.models import MLP, MLPConfig, Seq2Seq, Seq2SeqConfig
from tinyformer.models.encoder import EncoderClassifier, EncoderConfig
from tinyformer.models.lstm import LSTMClassifier, LSTMConfig
from tinyformer.text.ngrams import NGramTokenizer
from tinyformer.text.pairs import BEGIN, END, PairTokenizer
from tinyformer.train import open_run
from tinyformer.train.attention import attention_on
from tinyformer.viz import watch_attention


def size(path):
    return np.frombuffer(Path(path).read_bytes()[16:24], ">u4")


def test_a_picture_of_the_newest_run(cli, trained):
    result = cli("attention", "the with")
    assert result.code == 0 and result.errors == [] and result.lines == ["picture  attention.png"]
    whole = size("attention.png")
    assert cli("attention", "the with", "--model", trained, "--layer", 0, "--head", 1, "--out", "one.png").code == 0
    assert cli("attention", "the with", "--rollout", "--out", "sum.png").code == 0
    assert size("one.png")[0] < whole[0] and size("sum.png")[0] < whole[0]


def test_tokens_and_weights_are_those_of_the_model(trained):
    tokens, keys, weights = attention_on(open_run(trained), "the with")
    assert tokens == keys == list("the with") and weights.shape == (1, 2, 8, 8)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=0, atol=1e-6)


def test_what_is_drawn(cli, trained, monkeypatch):
    from tinyformer import viz
    drawn = []
    monkeypatch.setattr(viz, "draw_attention",
                        lambda weights, tokens, path, **how: drawn.append((weights, tokens, how)))
    *_, weights = attention_on(open_run(trained), "code")
    assert cli("attention", "code", "--head", 1).code == 0 and cli("attention", "code", "--rollout").code == 0
    np.testing.assert_array_equal(drawn[0][0], weights[:, 1:])
    assert drawn[0][1] == list("code") and drawn[0][2]["titles"] == ["layer 0, head 1"]
    np.testing.assert_allclose(drawn[1][0], (weights[0].mean(axis=0) + np.eye(4)) / 2, rtol=0, atol=1e-6)


def saved(model, folder, tokenizer):
    model.save_pretrained(folder)
    tokenizer.save(Path(folder, "tokenizer.json"))
    return folder


@pytest.fixture
def words():
    return NGramTokenizer.train(["a good film", "a bad film"], "words", 1, 1)


def test_a_classifier(cli, words):
    model = EncoderClassifier(EncoderConfig(words.vocab_size, 2, 8, 8, n_head=2, n_layer=2, n_inner=8)).eval()
    folder = saved(model, "runs/encoder", words)
    assert cli("attention", "a good new film", "--model", folder).code == 0 and os.path.exists("attention.png")
    tokens, _, weights = attention_on(open_run(folder), "a good new film")
    assert tokens == ["a", "good", "<unk>", "film"]
    with watch_attention(model) as maps:
        model(words.encode("a good new film")[None])
    np.testing.assert_allclose(weights, maps.stacked()[:, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("text, tokens", (("", "0 tokens"), ("abcabca", "7 tokens")))
def test_a_text_that_a_translator_cannot_read_at_once(refused, text, tokens):
    tokenizer = PairTokenizer(list("abc"))
    folder = saved(Seq2Seq(Seq2SeqConfig(tokenizer.vocab_size, block_size=6, n_layer=1, n_head=1, n_embd=8)),
                   "runs/pairs", tokenizer)
    said = f"the text has {tokens}, expected 1 to 6: the model in {folder} reads no longer text"
    refused(1, said, "translate", text, "--model", folder)
    refused(1, said, "attention", text, "--model", folder)


def test_a_translator(cli, refused):
    """The answer looks at the source; a row is what was written when it looked so."""
    tokenizer = PairTokenizer(list("abc"))
    model = Seq2Seq(Seq2SeqConfig(tokenizer.vocab_size, block_size=6, n_layer=2, n_head=2, n_embd=8)).eval()
    folder = saved(model, "runs/pairs", tokenizer)
    assert cli("attention", "cab", "--model", folder).code == 0 and os.path.exists("attention.png")
    tokens, keys, weights = attention_on(open_run(folder), "cab")
    answer = model.translate(tokenizer.encode("cab")[None])[0]
    assert keys == ["c", "a",
                    "b"] and tokens == tokenizer.pieces([*answer, END][:6]) and weights.shape == (2, 2, len(tokens), 3)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=0, atol=1e-6)
    logits = model(tokenizer.encode("cab")[None], np.array([[BEGIN, *answer][:6]])).data[0]
    assert tokenizer.pieces(logits.argmax(axis=-1)) == tokens
    refused(1, "--rollout: the model in", "attention", "cab", "--model", folder, "--rollout")


def test_models_without_attention(cli, refused, words):
    saved(LSTMClassifier(LSTMConfig(words.vocab_size, 2, 8, 8)), "runs/lstm", words)
    refused(1, "a LSTMClassifier has no attention between tokens to draw", "attention", "a film", "--model",
            "runs/lstm")
    MLP(MLPConfig(4, 2)).save_pretrained("runs/mlp")
    refused(1, "a MLP has no attention between tokens to draw", "attention", "a", "--model", "runs/mlp")


def test_weights_that_are_not_finite(refused, trained):
    path = Path(trained, "model.safetensors")
    arrays, _ = read_weights(path)
    write_weights(path, {name: array * np.float32(1e30 if "ln_1" in name else 1) for name, array in arrays.items()})
    refused(1, f"{Path(trained)}: the model's attention weights are not all finite", "attention", "the")
    assert not os.path.exists("attention.png")


def test_bad_input(refused, trained):
    refused(1, "the text has 0 tokens, expected 1 to 16", "attention", "")
    refused(1, "the text has 17 tokens, expected 1 to 16", "attention", "the with the with")
    refused(1, "unknown character 'é'", "attention", "thé")
    refused(1, "--head 2: the model has heads 0 to 1", "attention", "the", "--head", 2)
    refused(1, "--layer 1: the model has layers 0 to 0", "attention", "the", "--layer", 1)
    refused(1, "--rollout uses all layers", "attention", "the", "--rollout", "--head", 0)
    refused(1, "expected a name that ends in .png", "attention", "the", "--out", "a.jpg")
    refused(1, "no such file", "attention", "the", "--model", "nowhere")
    refused(2, "Invalid value for '--layer'", "attention", "the", "--layer", -1)
    assert not os.path.exists("a.jpg")
