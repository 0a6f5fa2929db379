"""Models that are counted go through the same commands as those that are trained."""

import json
import os
from pathlib import Path

import pytest

FILES = ["config.json", "model.safetensors", "recipe.toml", "tokenizer.json"]


@pytest.fixture
def corpus(tiny):
    """The setting of the small text."""
    return next(setting for setting in tiny if setting.startswith("data.corpus="))


def test_train_evaluate_generate(cli, corpus):
    result = cli("train", "kn-pydocs", "--set", corpus, "model.n=3")
    folder = Path("runs/kn-pydocs")
    assert result.code == 0 and result.errors == [] and sorted(os.listdir(folder)) == FILES
    assert f"checkpoint  {folder / 'model.safetensors'}\n" in result.out and "loss curve" not in result.out
    assert result.lines[-1].endswith(f" (whole validation split) · 0 steps · 0 s · {folder}")
    figures = json.loads(cli("evaluate", folder, "--json").out)
    assert f"val loss {figures['val_loss']:.4f}" in result.lines[-1]
    assert figures["val_loss"] < figures["bigram_loss"] < figures["uniform_loss"] and figures["parameters"] > 100
    written = cli("generate", "the ", "--seed", "1", "--max-new-tokens", "20").out
    assert written.startswith("the ") and len(written.rstrip("\n")) == 24


def test_words(cli, refused, corpus):
    assert cli("train", "kn-pydocs", "--set", corpus, "model.n=2", "data.tokenizer=word").code == 0
    figures = json.loads(cli("evaluate", "--json").out)
    # the words do not say what the characters were
    assert figures["perplexity"] < 30 and "bits_per_character" not in figures
    words = cli("generate", "the with", "--seed", "1", "--max-new-tokens", "5").out.split()
    assert words[:2] == ["the", "with"] and len(words) == 7
    assert len(cli("generate", "--seed", "1", "--max-new-tokens", "5").out.split()) == 5
    refused(2, "its tokens do not say where a line ends", "train", "kn-names", "--set", "data.tokenizer=word")


def test_an_earlier_run_is_moved_aside(cli, corpus):
    for _ in range(2):
        assert cli("train", "kn-pydocs", "--set", corpus).code == 0
    assert sorted(os.listdir("runs")) == ["kn-pydocs", "kn-pydocs-1"]


def test_no_run_is_left_where_the_loss_is_infinite(cli, corpus):
    result = cli("train", "kn-pydocs", "--set", corpus, "model.smoothing=none", "model.n=6")
    assert result.code == 1 and "have probability 0 with smoothing 'none'" in result.errors[0]
    assert not os.path.exists("runs")


def test_every_seed_would_count_the_same(cli, corpus):
    result = cli("train", "kn-pydocs", "--seeds", 2, "--set", corpus)
    assert result.code == 2 and "seeds: kn-pydocs is trained by counting, so every seed gives the same model" \
        in result.errors[0]


@pytest.mark.parametrize("setting, message", (
    ("model.smoothing=good", "model.smoothing is 'good', expected one of none, add-k"),
    ("model.n=0", "model.n is 0"),
    ("model.k=-1", "model.k is -1.0"),
    ("model.n_layer=2", "unknown setting 'model.n_layer'"),
    ("train.max_steps=5", "train.max_steps: the model 'ngram' is trained by counting, not in steps"),
))
def test_settings_that_cannot_be_used(cli, corpus, setting, message):
    result = cli("train", "kn-pydocs", "--set", corpus, setting)
    assert result.code == 2 and message in result.errors[0]
