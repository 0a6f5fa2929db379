"""tinyformer explain: every kind of model that reads text, its JSON, its pictures, and its refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.data.sparse import SparseRows
from tinyformer.explain.tokens import METHODS, token_attributions, words_of
from tinyformer.models import (GPT, MLP, MODELS, Average, AverageConfig, BagOfWords, BagOfWordsConfig, BertClassifier,
                               BertClassifierConfig, GPTConfig, Llama, LlamaConfig, MLPConfig, NeuralNGram,
                               NeuralNGramConfig, NGram, NGramConfig, Recurrent, RecurrentConfig)
from tinyformer.models.bag_of_words import BayesBag, BayesBagConfig
from tinyformer.models.encoder import EncoderClassifier, EncoderConfig
from tinyformer.models.lstm import AttentionLSTM, AttentionLSTMConfig
from tinyformer.text import BytePairTokenizer, CharTokenizer, NGramTokenizer, WordPieceTokenizer
from tinyformer.train.classes import save_classes
from tinyformer.viz import draw_attributions

TEXTS = ["a good film", "a bad film", "not good at all", "很好的酒店"]
LANGUAGE = {"gpt": lambda V: GPT(GPTConfig(V, 16, n_layer=1, n_head=2, n_embd=8)),
            "llama": lambda V: Llama(LlamaConfig(vocab_size=V, block_size=16, n_layer=1, n_head=2, n_kv_head=1,
                                                 n_embd=8, n_inner=8)),
            "lstm": lambda V: Recurrent(RecurrentConfig(V, 16, n_embd=4, n_hidden=4)),
            "neural-ngram": lambda V: NeuralNGram(NeuralNGramConfig(V, 16, n_context=3, n_embd=4, n_hidden=4))}
CLASSIFIERS = {"average": lambda V: Average(AverageConfig(V, 2, 16, 4, init_std=1.0)),
               "attention-lstm": lambda V: AttentionLSTM(AttentionLSTMConfig(V, 2, 16, 4, n_hidden=3, init_std=1.0)),
               "encoder": lambda V: EncoderClassifier(EncoderConfig(V, 2, 16, 8, n_head=2, n_layer=1, n_inner=8)),
               "bow": lambda V: BagOfWords(BagOfWordsConfig(V, 2)), "bayes": lambda V: BayesBag(BayesBagConfig(V, 2)),
               "bert": lambda V: BertClassifier(BertClassifierConfig(V, 16, n_layer=1, n_head=2, n_embd=8, n_inner=8))}


@pytest.fixture
def saved(tmp_path):
    """``saved(name)``: the folder of an untrained model of that kind."""
    def save(name):
        tfm.seed(0)
        tokenizer = (WordPieceTokenizer.train("a good film\na bad film\n" * 9, 34) if name == "bert" else
                     NGramTokenizer.train(TEXTS, "words", 1, 1) if name in CLASSIFIERS else
                     CharTokenizer.train(" ".join(TEXTS)))
        model = {**CLASSIFIERS, **LANGUAGE}[name](tokenizer.vocab_size)
        if hasattr(model, "terms"):
            model.weight.data[:] = np.random.default_rng(1).normal(size=model.weight.shape)
        if hasattr(model, "prepare"):
            model.prepare(SparseRows.of(map(tokenizer.tf_idf, TEXTS)), np.array([0, 1, 1, 0]))
        folder = tmp_path / name
        model.save_pretrained(folder)
        tokenizer.save(folder / "tokenizer.json")
        if name in CLASSIFIERS:
            save_classes(folder, ("good", "bad"))
        return folder
    return save


@pytest.mark.parametrize("name", (*CLASSIFIERS, *LANGUAGE))
def test_every_model_and_method(cli, saved, name):
    folder = saved(name)
    for method in METHODS:
        result = cli("explain", "a good bad film", "--model", folder, "--method", method, "--json")
        assert result.code == 0 and result.errors == [] and len(result.lines) == 1
        found = json.loads(result.out)
        assert found["method"] == method and len(found["tokens"]) == len(found["attributions"])
        assert found["class"] == found["target"] and found["probability"] == max(found["probabilities"].values())
        assert np.isfinite(found["attributions"]).all()
        total = sum(found["attributions"])
        parts = sum(one["attribution"] for one in found["words"] + found["special"])
        np.testing.assert_allclose(parts, total, atol=1e-6)
        np.testing.assert_allclose(total - (found["logit"] - found["baseline_logit"]), found["completeness_gap"],
                                   atol=1e-5)
        if method in ("integrated-gradients", "shapley"):
            assert abs(found["completeness_gap"]) < 2e-3
        if name not in LANGUAGE:
            np.testing.assert_allclose(sum(found["probabilities"].values()), 1, atol=1e-6)
    text = cli("explain", "a good bad film", "--model", folder)
    assert text.code == 0 and text.errors == [] and "\x1b" not in text.out
    assert any(line.startswith("sum of the attributions") for line in text.lines)


def test_the_attributions_are_those_of_the_predicted_logit(cli, saved):
    """A linear model: weight × value, whatever the method."""
    folder = saved("bow")
    model, tokenizer = BagOfWords.from_pretrained(folder), NGramTokenizer.from_dict(
        json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))
    x = SparseRows.of([tokenizer.tf_idf("a good film")])
    label = int(model(x).data.argmax())
    encoded = list(tokenizer.encode("a good film"))                 # the attributions are in the order of the text
    order = sorted(range(len(x.columns)), key=lambda i: encoded.index(x.columns[i]))
    columns, values = x.columns[order], x.values[order]
    assert tokenizer.pieces(columns)[:3] == ["a", "good", "film"] != tokenizer.pieces(x.columns)[:3]
    for method in ("integrated-gradients", "input-x-gradient", "occlusion", "shapley"):
        found = json.loads(cli("explain", "a good film", "--model", folder, "--method", method, "--json").out)
        assert found["class"] == ("good", "bad")[label] and found["tokens"] == tokenizer.pieces(columns)
        np.testing.assert_allclose(found["attributions"], model.weight.data[label, columns] * values, atol=1e-6)
        np.testing.assert_allclose(found["logit"], model(x).data[0, label], atol=1e-6)
        np.testing.assert_allclose(found["baseline_logit"], model.bias.data[label], atol=1e-6)
    other = cli("explain", "a good film", "--model", folder, "--target", ("bad", "good")[label], "--json")
    other = json.loads(other.out)
    assert other["class"] == found["class"] and other["target"] == ("bad", "good")[label]
    np.testing.assert_allclose(other["attributions"], model.weight.data[1 - label, columns] * values, atol=1e-6)


def test_special_tokens_stay_apart(cli, saved):
    """[CLS] and [SEP] are part of the baseline: nothing is attributed to them but sensitivities."""
    folder = saved("bert")
    for method in METHODS:
        found = json.loads(cli("explain", "a good film", "--model", folder, "--method", method, "--json").out)
        assert found["tokens"][0] == "[CLS]" and found["tokens"][-1] == "[SEP]"
        assert [one["token"] for one in found["special"]] == ["[CLS]", "[SEP]"]
        assert [one["word"] for one in found["words"]] == ["a", "good", "film"]
        assert (found["attributions"][0] == 0) == (method not in ("saliency", "smooth-grad"))
    assert "special tokens: [CLS] +0.00   [SEP] +0.00" in cli("explain", "a good film", "--model", folder).out


def test_the_next_token_of_a_language_model(cli, saved):
    folder = saved("gpt")
    found = json.loads(cli("explain", "a good", "--model", folder, "--target", "l", "--json").out)
    assert found["target"] == "l" and found["tokens"] == list("a good") and len(found["probabilities"]) == 10
    model = GPT.from_pretrained(folder)
    tokenizer = CharTokenizer.from_dict(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))
    logits = model(tokenizer.encode("a good")[None]).data[0, -1]
    np.testing.assert_allclose(found["logit"], logits[tokenizer.encode("l")[0]], atol=1e-6)
    assert [one["word"] for one in found["words"]] == ["a", " ", "good"]


def test_words_are_put_together():
    none = np.zeros(50, bool)

    def words(tokenizer, text, **how):
        ids = tokenizer.encode(text, **how)
        return [word for word, _ in words_of(tokenizer, ids, text, none[:len(ids)])]

    pieces = WordPieceTokenizer.train("unhappy happy un ##happy\n" * 4, 30)
    assert words(pieces, "unhappy happy") == ["unhappy", "happy"]
    assert words(CharTokenizer.train("a good 很好."), "a good. 很好") == ["a", " ", "good", ".", " ", "很", "好"]
    pair = BytePairTokenizer.train("low lower 很好 " * 9, 280)
    assert words(pair, "low lower 很") == ["low", "lower", "很"]
    assert words(pair, "好很") == ["好", "很"]
    grams = NGramTokenizer.train(["a good film"], "words", 2, 1)
    assert words(grams, "A bad film") == ["a", "bad", "film"]
    assert words(grams, "a good one") == ["a", "good", "one", "a good"]


def test_many_tokens_are_sampled(rng):
    """Beyond ten tokens, Shapley values come from random orders, and still add up."""
    w = rng.normal(size=(12, 3))

    def f(v):
        return (v * w).sum(axis=2).tanh()

    kept = np.zeros(12, bool)
    kept[3] = True
    found, gap = token_attributions(lambda v: f(v).sum(axis=1, keepdims=True), rng.normal(size=(12, 3)), 0, "shapley",
                                    kept)
    assert abs(gap) < 1e-9 and found[3] == 0 and np.count_nonzero(found) == 11
    with pytest.raises(ValueError, match="method is 'lime', expected one of integrated-gradients"):
        token_attributions(f, np.ones((2, 3)), 0, "lime")


# ------------------------------------------------------------------------------------------------ pictures

def test_pictures(cli, saved):
    folder = saved("average")
    result = cli("explain", "a good <film> 很", "--model", folder, "--plot", "text.png")
    assert result.code == 0 and result.lines[-1] == "picture  text.png"
    assert Path("text.png").read_bytes().startswith(b"\x89PNG")
    assert cli("explain", "a good <film>", "--model", folder, "--plot", "text.html", "--json").code == 0
    page = Path("text.html").read_text(encoding="utf-8")
    assert "&lt;" in page and "<film>" not in page and page.count("<small style") == 5
    assert re.findall(r"background:(#\w{6})", page)
    with pytest.raises(ValueError, match="expected a name that ends in .png or .html"):
        draw_attributions(["a"], [1.0], "text.gif")
    with pytest.raises(ValueError, match="2 words and 1 values"):
        draw_attributions(["a", "b"], [1.0], "text.png")


def test_colors_in_a_terminal(monkeypatch, capsys):
    from tinyformer.cli import explain
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    explain.colored(["good", "很好", "\n"], [1.0, -0.5, 0.0])
    out = capsys.readouterr().out
    assert "\x1b[30;48;2;64;149;197mgood\x1b[0m" in out and "↵" in out and "+1.00 -0.50 +0.00" in out


# ------------------------------------------------------------------------------------------------ bad input

@pytest.mark.parametrize("arguments, message", [
    (("",), "the text is empty"), ((" \n ",), "the text is empty"),
    (("good",), "the text has 1 token that the model reads, expected at least 2"),
    (("a good film", "--target", "fair"), "target is 'fair', expected one of the classes good, bad"),
    (("a good film", "--method", "lime"), "method is 'lime', expected one of integrated-gradients, saliency"),
    (("a good film", "--plot", "text.gif"), "expected a name that ends in .png or .html"),
])
def test_refusals(refused, saved, arguments, message):
    refused(1, message, "explain", *arguments, "--model", saved("average"))


def test_refusals_of_models(cli, refused, saved, tmp_path):
    folder = saved("gpt")
    refused(1, "target 'ab' has 2 tokens, expected one", "explain", "a good", "--model", folder, "--target", "ab")
    refused(1, "the text has 17 tokens, expected at most 16", "explain", "a good film a goo", "--model", folder)
    MLP(MLPConfig(4, 2, 1, 3)).save_pretrained(tmp_path / "mlp")
    refused(1, "MLP cannot be explained: it gives no text a class", "explain", "a good", "--model", tmp_path / "mlp")
    tokenizer = CharTokenizer.train("a good")
    NGram(NGramConfig(tokenizer.vocab_size, 2)).save_pretrained(tmp_path / "ngram")
    tokenizer.save(tmp_path / "ngram" / "tokenizer.json")
    refused(1, "NGram cannot be explained: its probabilities come from counts", "explain", "a good", "--model",
            tmp_path / "ngram")


@pytest.mark.parametrize("name", sorted(
    name for name, model in MODELS.items() if not (
        model.task in ("classification", "language") and (hasattr(model, "read") or hasattr(model, "terms")))))
def test_the_class_alone_decides(refused, tmp_path, name):
    """Before weights or a tokenizer are read: each other model is refused by its name."""
    (tmp_path / "config.json").write_text(json.dumps({"architecture": name}), encoding="utf-8")
    refused(1, f"{MODELS[name].__name__} cannot be explained", "explain", "a good", "--model", tmp_path)


def test_the_baseline_of_a_neural_ngram(cli, saved, rng):
    """It reads vectors as it reads ids, and tokens beyond its context get nothing."""
    folder = saved("neural-ngram")
    model = NeuralNGram.from_pretrained(folder)
    ids = rng.integers(0, model.config.vocab_size, (2, 9))
    np.testing.assert_allclose(model.read(model.embedding(ids)).data, model(ids).data, rtol=1e-5, atol=1e-6)
    found = json.loads(cli("explain", "a good film", "--model", folder, "--json").out)
    values = np.abs(found["attributions"])
    assert (values[:-3] == 0).all() and (values[-3:] > 0).all()
