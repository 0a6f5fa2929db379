"""BERT: its parts, its published names old and new, and what is said of wrong input. Values: parity/test_hf_bert.py."""

import json

import numpy as np
import pytest

from tinyformer import nn
from tinyformer.interop.weights import read_weights, write_weights
from tinyformer.models import (Bert, BertClassifier, BertClassifierConfig, BertConfig, BertForPreTraining, GPT,
                               GPTConfig,
                               load_model)
from tinyformer.models.bert_heads import Pairs

SIZES = dict(vocab_size=19, block_size=8, n_layer=2, n_head=2, n_embd=12, n_inner=20)


@pytest.fixture
def ids(rng):
    return np.where(np.arange(7) < [[7], [4], [2]], rng.integers(1, 19, (3, 7)), 0)


def test_what_is_filled_in_changes_nothing(ids):
    bert = Bert(BertConfig(**SIZES)).eval()
    hidden, pooled = bert(ids)
    assert hidden.shape == (3, 7, 12) and pooled.shape == (3, 12)
    alone, pooled_alone = bert(ids[1:2, :4])
    np.testing.assert_allclose(hidden.data[1:2, :4], alone.data, atol=1e-6)
    np.testing.assert_allclose(pooled.data[1:2], pooled_alone.data, atol=1e-6)
    seen, _ = bert(ids, mask=np.ones_like(ids))
    assert np.abs(seen.data[1, :4] - alone.data[0]).max() > 1e-4
    other, _ = bert(ids, types=np.ones_like(ids))
    assert np.abs(other.data - hidden.data).max() > 1e-4


def test_the_head_sees_the_masked_places_alone_and_loses_nothing(ids, rng):
    model = BertForPreTraining(BertConfig(**SIZES)).eval()
    labels = np.where(rng.random(ids.shape) < 0.5, rng.integers(0, 19, ids.shape), -100)
    words, following = model.asked(Pairs(ids, ids != 0, np.zeros_like(ids)), labels)
    every, same = model(ids)
    np.testing.assert_allclose(words.data, every.data[labels != -100], atol=1e-6)
    np.testing.assert_array_equal(following.data, same.data)


def test_the_output_is_tied_to_the_words(ids):
    model = BertForPreTraining(BertConfig(**SIZES)).eval()
    before = model(ids)[0].data
    model.bert.embeddings.word_embeddings.weight.data[5] += np.random.default_rng(1).normal(size=12)
    changed = np.abs(model(ids)[0].data - before).max(axis=(0, 1))
    assert changed[5] > 0.1
    assert not any("decoder" in name for name in model.state_dict())


@pytest.mark.parametrize("rename", (
    lambda name: name, lambda name: name.removeprefix("bert."),
    lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
), ids=("as it is", "no prefix", "gamma and beta"))
@pytest.mark.parametrize("kind", (Bert, BertForPreTraining))
def test_old_and_new_names(tmp_path, ids, rename, kind):
    source = BertForPreTraining(BertConfig(**SIZES)).eval()
    source.save_pretrained(tmp_path)
    state = {rename(name): array for name, array in read_weights(tmp_path / "model.safetensors")[0].items()}
    state["bert.embeddings.position_ids"] = np.arange(8)[None]
    state["cls.predictions.decoder.weight"] = source.bert.embeddings.word_embeddings.weight.data
    write_weights(tmp_path / "model.safetensors", state)
    found = kind.from_pretrained(tmp_path)(ids)
    expected = (source.bert if kind is Bert else source)(ids)
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one.data, other.data)


def test_a_folder_says_what_it_holds(tmp_path):
    for kind, config in ((Bert, BertConfig(**SIZES)), (BertForPreTraining, BertConfig(**SIZES)),
                         (BertClassifier, BertClassifierConfig(**SIZES, n_classes=3))):
        kind(config).save_pretrained(tmp_path)
        again = load_model(tmp_path)
        assert type(again) is kind and again.config == config
        assert Bert.from_pretrained(tmp_path).config == BertConfig(**SIZES)


@pytest.mark.parametrize("names, found", ((None, 2), ({}, 2), ({"0": "bad", "1": "good", "2": "so so"}, 3)))
def test_how_many_classes_a_published_config_says(names, found):
    values = BertClassifier(BertClassifierConfig(**SIZES)).published_config() | {"id2label": names}
    assert BertClassifier.read_config(values).n_classes == found
    for wrong in (7, ["bad", "good"], "01"):
        with pytest.raises(ValueError, match="id2label is .*, expected the classes' names by number"):
            BertClassifier.read_config(values | {"id2label": wrong})


def edited(**changes):
    def damage(folder):
        values = {**json.loads((folder / "config.json").read_text(encoding="utf-8")), **changes}
        (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    return damage


def without(part):
    def damage(folder):
        state = read_weights(folder / "model.safetensors")[0]
        write_weights(folder / "model.safetensors", {k: np.array(v) for k, v in state.items() if part not in k})
    return damage


@pytest.mark.parametrize("damage, message", (
    (edited(hidden_act="relu"), "config.json: hidden_act is 'relu', which this model does not have; expected 'gelu'"),
    (edited(position_embedding_type="relative_key"), "config.json: position_embedding_type is 'relative_key'"),
    (edited(num_attention_heads=5), "config.json: BertConfig: n_embd 12 cannot be divided among n_head 5 heads"),
    (edited(intermediate_size="20"), "config.json: BertConfig: n_inner is '20'"),
    (edited(hidden_size=24),
     r"model.safetensors: does not fit config.json: .*has shape \(19, 12\), expected \(19, 24\)"),
    (edited(model_type="gpt2"), "config.json: it is a model of architecture 'gpt2', expected 'bert-pretraining'"),
    (without("layer.1.output.dense.bias"), "missing: bert.encoder.layer.1.output.dense.bias"),
    (without("cls."), "model.safetensors: does not fit config.json: these are weights of a BERT without heads"),
))
def test_damaged_folders(tmp_path, damage, message):
    BertForPreTraining(BertConfig(**SIZES)).save_pretrained(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=message):
        BertForPreTraining.from_pretrained(tmp_path)


@pytest.mark.parametrize("changes, message", (
    (dict(n_head=5), "BertConfig: n_embd 12 cannot be divided among n_head 5 heads"),
    (dict(n_layer=0), "BertConfig: n_layer is 0, expected an integer of at least 1"),
    (dict(dropout=1.5), "BertConfig: dropout is 1.5, expected 0 ≤ dropout ≤ 1"),
    (dict(pad=19), "BertConfig: pad is 19, expected an id below vocab_size 19"),
))
def test_wrong_configs(changes, message):
    with pytest.raises(ValueError, match=message):
        BertConfig(**{**SIZES, **changes})


@pytest.mark.parametrize("arguments, message", (
    ((np.zeros(3, int),), r"Bert: ids have shape \(3,\), expected \(B, T\) with 1 ≤ T ≤ 8"),
    ((np.zeros((2, 9), int),), r"Bert: ids have shape \(2, 9\)"),
    ((np.ones((2, 3), int), np.ones((2, 4))), r"Bert: mask has shape \(2, 4\), expected \(2, 3\), that of ids"),
    ((np.ones((2, 3), int), None, np.ones(3, int)), r"Bert: types has shape \(3,\), expected \(2, 3\)"),
    ((np.full((2, 3), 19),), "embedding: indices lie in 19…19, expected 0…18"),
))
def test_wrong_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        Bert(BertConfig(**SIZES))(*arguments)


# ------------------------------------------------------------------------------------------------ the classifier

class PrintedClassifier(nn.Module):
    """The classifier as an article prints it: its forward pass needs a mask, which its own call does not give."""

    def __init__(self, bert, n_classes):
        self.bert, self.dropout, self.fc = bert, nn.Dropout(0.1), nn.Linear(bert.config.n_embd, n_classes)

    def forward(self, input_ids, attention_mask):
        return self.fc(self.dropout(self.bert(input_ids, attention_mask)[1]))


def test_the_printed_call_raises_and_ours_makes_the_mask(ids):
    model = BertClassifier(BertClassifierConfig(**SIZES, n_classes=3)).eval()
    printed = PrintedClassifier(model.bert, 3).eval()
    with pytest.raises(TypeError, match="attention_mask"):
        printed(ids)
    printed.fc.load_state_dict(model.classifier.state_dict())
    np.testing.assert_array_equal(model(ids).data, printed(ids, ids != 0).data)
    np.testing.assert_array_equal(model(ids).data, model(ids, ids != 0).data)
    assert np.abs(model(ids).data - model(ids, np.ones_like(ids)).data).max() > 1e-5
    assert sum("word_embeddings" in name for name in model.state_dict()) == 1       # and the encoder is there once


def test_contributions_are_the_slope_of_the_log_odds(rng):
    model = BertClassifier(BertClassifierConfig(**{**SIZES, "n_classes": 3})).to("float64").eval()
    ids = rng.integers(1, 19, (1, 6))
    ids[0] = rng.permutation(np.arange(1, 19))[:6]          # each token once, so that a row of the table is a place
    found, table, step = model.contributions(ids, 1), model.embedding.weight.data, 1e-6

    def log_odds():
        p = model.probabilities(ids)[0]
        return np.log(p[1] / (1 - p[1]))

    for place, token in enumerate(ids[0]):
        row = table[token].copy()
        table[token] = row * (1 + step)
        up = log_odds()
        table[token] = row * (1 - step)
        slope = (up - log_odds()) / (2 * step)
        table[token] = row
        assert abs(found[place] - slope) < 1e-7


def test_levels_hold_each_parameter_once():
    model = BertClassifier(BertClassifierConfig(**SIZES))
    levels = model.levels()
    assert len(levels) == 4 and levels[0][0] is model.classifier.weight and levels[-1][0] is model.embedding.weight
    assert any(p is model.bert.encoder.layer[1].output.dense.weight for p in levels[1])
    every = [id(p) for level in levels for p in level]
    assert len(every) == len(set(every)) and set(every) == {id(p) for p in model.parameters()}


def test_another_kind_is_refused(tmp_path):
    GPT(GPTConfig(vocab_size=5, block_size=4, n_layer=1, n_head=1, n_embd=4)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="config.json: it is a model of architecture 'gpt2', expected 'bert'"):
        Bert.from_pretrained(tmp_path)
