"""A model as a folder: saved, made again, and what is said of damaged ones."""

import dataclasses
import json
import re

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer.interop.weights import write_weights
from tinyformer.models import (GPT, BertClassifier, BertClassifierConfig, GPTConfig, Llama, LlamaConfig, NGram, Seq2Seq,
                               Seq2SeqConfig, load_model)

CONFIG = GPTConfig(vocab_size=13, block_size=8, n_layer=2, n_head=2, n_embd=16, dropout=0.1, bias=False)


@pytest.fixture
def saved(tmp_path):
    model = GPT(CONFIG)
    model.save_pretrained(tmp_path / "model")
    return model, tmp_path / "model"


@pytest.mark.parametrize("load", (GPT.from_pretrained, load_model))
def test_round_trip(saved, rng, load):
    model, folder = saved
    again = load(folder)
    assert type(again) is GPT and again.config == CONFIG and not again.training
    for (name, one), (other_name, other) in zip(model.named_parameters(), again.named_parameters()):
        assert name == other_name and one.dtype == other.dtype
        np.testing.assert_array_equal(one.data, other.data)
    ids = rng.integers(0, 13, (2, 8))
    np.testing.assert_array_equal(model.eval()(ids).data, again(ids).data)


def test_the_config_is_readable(saved):
    assert json.loads((saved[1] / "config.json").read_text()) == {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": 13, "n_positions": 8, "n_layer": 2,
        "n_head": 2, "n_embd": 16, "n_inner": None, "bias": False, "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True, "resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1, "bos_token_id": None,
        "eos_token_id": None}


def test_folders_from_before_the_published_layout(tmp_path, rng):
    """Then config.json named our own fields, and the matrices stood as in PyTorch's linear layers."""
    model = GPT(CONFIG)
    write_weights(tmp_path / "model.safetensors", model.state_dict())
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "gpt", **dataclasses.asdict(CONFIG)}))
    ids = rng.integers(0, 13, (2, 8))
    np.testing.assert_array_equal(model.eval()(ids).data, load_model(tmp_path)(ids).data)


def test_loading_draws_nothing_at_random(saved):
    tfm.seed(3)
    first = np.random.default_rng(3).normal()
    load_model(saved[1])
    assert tfm.rng.generator().normal() == first


def edited(**changes):
    def damage(folder):
        config = {**json.loads((folder / "config.json").read_text()), **changes}
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    return damage


@pytest.mark.parametrize("damage, message", (
    (lambda folder: (folder / "config.json").unlink(),
     "config.json: no such file; expected the folder of a trained model"),
    (lambda folder: (folder / "config.json").write_text("{"), "config.json is not JSON"),
    (lambda folder: (folder / "config.json").write_text("[]"), r"config.json: it is \[\], expected an object"),
    (lambda folder: (folder / "config.json").write_bytes(b"\xff"), "config.json is not UTF-8"),
    (edited(model_type="mamba"), "config.json: unknown architecture 'mamba', expected one of attention-lstm"),
    (edited(model_type=None), "config.json: unknown architecture None"),
    (edited(model_type=["gpt2"]), "config.json: unknown architecture \\['gpt2'\\]"),
    (edited(n_head=3), "config.json: GPTConfig: n_embd 16 cannot be divided"),
    (edited(vocab_size=None), "config.json: it has no field 'vocab_size'"),
    (edited(activation_function="relu"), "config.json: activation_function is 'relu'.*; expected 'gelu_new' or"),
    (edited(model_type=None, architecture="gpt", color="red"),
     "config.json: unknown fields: .*, color; expected vocab_size"),
    (edited(n_layer=10 ** 9),
     "config.json: it has 1000000000 layers, but there are only 28 tensors in model.safetensors"),
    (edited(vocab_size=10 ** 15), "config.json: Unable to allocate"),
    (edited(vocab_size=10 ** 7), r"model.safetensors: .*wte.weight has shape \(13, 16\), expected \(10000000, 16\)"),
    (edited(n_layer="2"), "config.json: GPTConfig: n_layer is '2'"),
    (edited(architectures=5), "config.json: architectures is 5, which does not fit model_type 'gpt2'"),
    (edited(architectures=["BertModel"]),
     "config.json: architectures is .'BertModel'., which does not fit model_type 'gpt2'"),
    (edited(n_embd=32),
     r"model.safetensors: does not fit config.json: .*wte.weight has shape \(13, 16\), expected \(13, 32\)"),
    (edited(n_layer=3), "model.safetensors: does not fit config.json: .*missing: h.2.ln_1.weight, h.2"),
    (edited(n_layer=1), "model.safetensors: does not fit config.json: .*unexpected: transformer.h.1"),
    (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors: no such file"),
    (lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000]),
     "model.safetensors: damaged or not a safetensors file"),
))
def test_damage_is_named_with_its_file(saved, damage, message):
    damage(saved[1])
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        load_model(saved[1])
    assert str(saved[1]) in str(caught.value)


# What Python says of a wrong type. A user does not know which expression met it.
PYTHONS = (
    r"object is|object has|not supported|operand|unhashable|codec|"
    r"positional|keyword|attribute|subscript|concatenate|must be")
MODELS = (
    lambda: GPT(CONFIG),
    lambda: Llama(LlamaConfig(13, 8, 1, n_head=2, n_kv_head=1, n_embd=8, n_inner=8, rope_factor=8.0)),
    lambda: BertClassifier(BertClassifierConfig(13, 8, 1, n_head=2, n_embd=8, n_inner=8)),
    lambda: Seq2Seq(Seq2SeqConfig(13, 8, 1, n_head=2, n_embd=8)),
)


@pytest.mark.parametrize("build", MODELS, ids=("gpt", "llama", "bert", "seq2seq"))
def test_any_damage_to_a_config_is_refused_in_words_or_harmless(tmp_path, damaged, rng, build):
    build().save_pretrained(tmp_path)
    path, refused = tmp_path / "config.json", 0
    values = json.loads(path.read_text())
    for _ in range(100):
        path.write_text(json.dumps(damaged(values, rng)))
        try:
            load_model(tmp_path)
        except ValueError as error:                         # and nothing else
            assert str(error).startswith(str(tmp_path)), error
            assert not re.search(PYTHONS, str(error).removeprefix(str(tmp_path))), error
            refused += 1
    assert 20 < refused < 100


@pytest.mark.parametrize("build, field, value, message", (
    (MODELS[1], "layer_types", True, "layer_types is True, expected a list"),
    (MODELS[1], "tie_word_embeddings", "no", "tied is 'no', expected true or false"),
    (MODELS[1], "rope_scaling", "linear", "rope_scaling is 'linear', expected an object"),
    (MODELS[2], "vocab_size", None, "it has no field 'vocab_size'"),
    (MODELS[2], "id2label", ["a"], "id2label is .'a'., expected the classes' names by number"),
    (MODELS[3], "vocab_size", None, "it has no field 'vocab_size'"),
    (MODELS[3], "norm_first", 1, "norm_first is 1, expected true or false"),
))
def test_fields_of_a_wrong_type(tmp_path, build, field, value, message):
    build().save_pretrained(tmp_path)
    edited(**{field: value})(tmp_path)
    with pytest.raises(ValueError, match=f"config.json: .*{message}"):
        load_model(tmp_path)


def test_another_class_than_the_configs(saved):
    with pytest.raises(ValueError, match="config.json: it is a model of architecture 'gpt2', expected 'ngram'"):
        NGram.from_pretrained(saved[1])


def test_a_failed_save_leaves_the_earlier_model(saved, monkeypatch):
    import os
    model, folder = saved
    before = (folder / "model.safetensors").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="model.safetensors"):
        GPT(CONFIG).save_pretrained(folder)
    monkeypatch.undo()
    assert (folder / "model.safetensors").read_bytes() == before
    np.testing.assert_array_equal(load_model(folder).wte.weight.data, model.wte.weight.data)
