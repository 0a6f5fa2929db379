"""BERT from the command line: pre-trained, asked, fine-tuned, searched with."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest

from tinyformer.interop.weights import read_weights, write_weights
from tinyformer.models import Bert, load_model
from tinyformer.text import load_tokenizer
from tinyformer.train import open_run
from tinyformer.train.attention import attention_on
from tinyformer.viz import watch_attention

TINY = ["model.n_layer=1", "model.n_head=2", "model.n_embd=16", "model.n_inner=16", "train.warmup_steps=2",
        "train.seed=3"]


@pytest.fixture
def corpus(tmp_path):
    """Documents, each about a word of its own; a name a line, as in a play."""
    draw, path = random.Random(0), tmp_path / "plays.txt"
    words = "to be or not that is the question whether it nobler in mind suffer".split()
    with open(path, "w", encoding="utf-8", newline="") as file:
        for name in "adam beth carl dora emil fred gina hans".split():
            file.write("ACT I\n" + "".join(f"{name} {' '.join(draw.choices(words, k=6))}\n" for _ in range(40)))
    return path


@pytest.fixture
def pretrained(cli, corpus):
    result = cli("train", "bert-tiny", "--set", f"data.corpus={corpus}", "data.train_fraction=0.8",
                 "data.vocab_size=80", *TINY,
                 "model.block_size=48", "train.batch_size=8", "train.max_steps=12", "train.eval_every=6",
                 "train.checkpoint_every=6")
    assert result.code == 0 and result.errors == []
    assert "7 documents to train on" in result.lines[0] and "in 1 to validate" in result.lines[0]
    return "runs/bert-tiny"


def test_pre_training_and_its_figures(cli, pretrained):
    figures = json.loads(cli("evaluate", "--json").out)
    assert {"masked_accuracy", "following_accuracy", "neighbors_accuracy", "most_frequent_accuracy",
            "shared_tokens_accuracy"} <= set(figures)
    assert figures["val_loss"] == pytest.approx(figures["masked_loss"] + figures["following_loss"])
    assert figures["val_loss"] < np.log(80) + np.log(2)
    assert "neighbors_accuracy" in cli("evaluate").out


def test_resuming_ends_with_the_same_bits(cli, pretrained):
    whole = Path(pretrained, "model.safetensors").read_bytes()
    for path in Path(pretrained, "checkpoints").glob("*12.*"):
        path.unlink()
    assert "resuming runs/bert-tiny at step 6 of 12" in cli("train", "--resume", "--out", pretrained).out
    assert Path(pretrained, "model.safetensors").read_bytes() == whole


def test_nothing_to_ask_yet(refused):
    refused(1, "no trained BERT under runs/; run `tinyformer train bert-tiny` first, or name one with --model DIR",
            "fill-mask", "a")


def test_whole_words(cli, corpus):
    assert cli("train", "bert-tiny", "--set", f"data.corpus={corpus}", "data.train_fraction=0.8", "data.vocab_size=60",
               "data.whole_words=true", *TINY, "model.block_size=32", "train.batch_size=4",
               "train.max_steps=2").code == 0


def test_fill_mask(cli, refused, pretrained):
    found = json.loads(cli("fill-mask", "to [MASK] or not to [MASK]", "--top", 3, "--json").out)
    assert len(found["masks"]) == 2 and all(len(words) == 3 for words in found["masks"])
    for words in found["masks"]:
        p = [share for _, share in words]
        assert p == sorted(p, reverse=True) and 0 < sum(p) <= 1
    shown = cli("fill-mask", "to [MASK] or not")
    assert shown.code == 0 and len(shown.lines) == 7 and shown.lines[0].split()[0].endswith("%")
    refused(1, "fill-mask: the text has no [MASK], expected one", "fill-mask", "to be")
    refused(1, "runs/bert-tiny: fill-mask: the text has 62 tokens, expected at most 48", "fill-mask", "[MASK] " * 60)
    refused(1, "BertForPreTraining cannot continue a text; use `tinyformer fill-mask`",
            "generate", "to", "--model", pretrained)


@pytest.mark.parametrize("setting, message", (
    ("data.masked=1.5", "data.masked: got 1.5, expected a finite number above 0 and below 1"),
    ("data.train_fraction=0", "data.train_fraction: got 0.0"),
    ("data.begins=PROLOGUE", "it has no document to validate on"),
    ("model.block_size=8", "model.block_size: got 8, expected at least 16"),
))
def test_settings_that_cannot_be(cli, corpus, setting, message):
    result = cli("train", "bert-tiny", "--set", f"data.corpus={corpus}", "data.train_fraction=0.8",
                 "data.vocab_size=60", *TINY,
                 setting)
    assert result.code in (1, 2) and len(result.errors) == 1 and message in result.errors[0]


# ------------------------------------------------------------------------------------------------ fine-tuning

@pytest.fixture
def reviews(tmp_path):
    draw, path = random.Random(0), tmp_path / "reviews.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for i in range(300):
            kind = draw.choice(["good", "bad"])
            words = draw.choices("to be or not that is the question".split(), k=draw.randint(1, 6))
            words.insert(draw.randrange(len(words)), "nobler" if kind == "good" else "suffer")
            table.writerow([" ".join([*words, *map(str, f"{i:03}")]), kind])
    return path


@pytest.fixture
def fine_tuned(cli, pretrained, reviews):
    """``fine_tuned(*settings)`` trains the recipe of MiniLM from ``pretrained`` and gives the output."""
    def run(*settings):
        return cli("train", "minilm-movie", "--set", f"data.set={reviews}", f"data.checkpoint={pretrained}", *TINY,
                   "model.block_size=48", "model.dropout=0.0", "train.batch_size=16", "train.lr=0.01",
                   "train.max_steps=40",
                   "train.eval_every=20", *settings)
    return run


def test_fine_tuning_starts_from_the_checkpoint(cli, fine_tuned, pretrained):
    result = fine_tuned("train.max_steps=150", "train.eval_every=50", "train.lr=0.003", "train.layer_decay=1.0")
    assert result.code == 0 and result.errors == [], result
    figures = json.loads(cli("evaluate", "runs/minilm-movie", "--json").out)
    assert figures["accuracy"] > 0.9 and 0 <= figures["baseline_accuracy"] <= 1
    found = json.loads(cli("predict", "to be NOBLER or not", "--json").out)
    assert found["class"] == "good" and found["unknown"] == []
    assert found["contributions"][0]["token"] == "[CLS]" and not found["cut"]
    assert json.loads(cli("predict", "to be " * 60, "--json").out)["cut"]
    assert load_model("runs/minilm-movie").config.n_classes == 2


@pytest.mark.parametrize("setting, message",
                         (("model.n_head=1", "has n_head 2, but the model has 1; set model.n_head=2"),
                          ("model.n_layer=2", "has n_layer 1, but the model has 2"),
                          ("model.n_inner=8", "has n_inner 16, but the model has 8")))
def test_a_checkpoint_of_other_sizes(fine_tuned, pretrained, setting, message):
    """Other heads would go unnoticed: the weights have the same shapes."""
    result = fine_tuned(setting, "train.max_steps=1")
    assert result.code == 1 and len(result.errors) == 1
    assert result.errors[0].startswith(f"tinyformer: data.checkpoint: {Path(pretrained)} {message}"), result


def moved(before, after):
    return {name for name, array in before.items() if not np.array_equal(array, after[name])}


def test_frozen_full_and_from_scratch(cli, fine_tuned, pretrained):
    start = Bert.from_pretrained(pretrained).state_dict()
    for settings, expected in ((("train.layer_decay=0",), {"pooler.dense.weight", "pooler.dense.bias"}),
                               (("train.layer_decay=0.9",), None)):
        assert fine_tuned(*settings, "train.max_steps=3").code == 0
        found = moved(start, load_model("runs/minilm-movie").bert.state_dict())
        assert found == expected if expected else len(found) > 15
    assert fine_tuned("data.scratch=true", "train.max_steps=1", "train.lr=0", "train.min_lr=0").code == 0
    assert "embeddings.word_embeddings.weight" in moved(start, load_model("runs/minilm-movie").bert.state_dict())


@pytest.mark.parametrize("arguments, message", (
    (("minilm-movie", "data.checkpoint="),
     "data.checkpoint: it is for model.architecture 'bert-classifier', which needs one"),
    (("minilm-movie", "data.checkpoint=nowhere"), "there is no file nowhere"),
    (("bow-movie", "train.layer_decay=0.5"),
     "train.layer_decay: got 0.5, but layer_decay works only with BERT classifiers; a bow "
                                             "has no layer groups; expected 1"),
    (("minilm-movie", "train.layer_decay=1.5"), "train.layer_decay: got 1.5, expected a finite number from 0 to 1"),
))
def test_fine_tuning_that_cannot_be(cli, reviews, arguments, message):
    recipe, *settings = arguments
    result = cli("train", recipe, "--set", f"data.set={reviews}", *settings)
    assert result.code in (1, 2) and len(result.errors) == 1 and message in result.errors[0], result


# ------------------------------------------------------------------------------------------------ similar

@pytest.fixture
def encoder(cli, pretrained, tmp_path):
    """A BERT without heads beside its tokenizer, as MiniLM is published."""
    folder = tmp_path / "encoder"
    Bert.from_pretrained(pretrained).save_pretrained(folder)
    tokens = load_tokenizer(Path(pretrained)).tokens
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder


def test_similar(cli, encoder, tmp_path):
    texts = ["to be or not to be", "the question", "suffer in mind"]
    found = json.loads(cli("similar", "The Question", *texts, "--model", encoder, "--json").out)["texts"]
    assert found[0] == {"text": "the question", "place": 1,
                        "similarity": pytest.approx(1, abs=1e-5)} and len(found) == 3
    assert [part["similarity"] for part in found] == sorted((part["similarity"] for part in found), reverse=True)
    (tmp_path / "lines.txt").write_text("\n".join(["", *texts, ""]), encoding="utf-8")
    nearest = cli("similar", "the question", tmp_path / "lines.txt", "--model", encoder, "--top", 1)
    assert nearest.lines == ["+1.0000  the question"]


def test_attention_between_the_marks(cli, encoder):
    text = "to be or not to be"
    assert cli("attention", text, "--model", encoder).code == 0 and Path("attention.png").exists()
    tokens, keys, weights = attention_on(open_run(encoder), text)
    ids = load_tokenizer(encoder).encode(text, special=True)
    assert tokens == keys and tokens[0] == "[CLS]" and tokens[-1] == "[SEP]" and len(tokens) == len(ids)
    model = Bert.from_pretrained(encoder)
    with watch_attention(model) as maps:
        model(ids[None])
    np.testing.assert_array_equal(weights, maps.stacked()[:, 0])


def test_vectors_and_logits_that_are_not_finite(cli, refused, encoder, pretrained, fine_tuned):
    """The weights are, but what they make is too large."""
    assert fine_tuned("train.max_steps=1").code == 0
    for folder in (encoder, Path(pretrained), Path("runs/minilm-movie")):
        arrays = {name: array.copy() for name, array in read_weights(folder / "model.safetensors")[0].items()}
        for name in arrays:
            if name.endswith("output.LayerNorm.weight"):
                arrays[name] *= np.float32(3e38)
        write_weights(folder / "model.safetensors", arrays)
    refused(1, f"{encoder}: similar: the model's vectors are not all finite", "similar", "to be", "or not", "--model",
            encoder)
    refused(1, f"{Path(pretrained)}: fill-mask: the model's logits are not all finite", "fill-mask", "to [MASK]",
            "--model",
            pretrained)
    for command in (("predict", "to be"), ("evaluate", "runs/minilm-movie", "runs/minilm-movie")):
        refused(1, f"{Path('runs/minilm-movie')}: the model's probabilities are not all finite", *command)


def test_similar_that_cannot_be(cli, refused, encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYFORMER_DATA", str(tmp_path / "empty"))
    refused(1, "minilm has not been fetched yet; `tinyformer data fetch minilm` downloads it (83.5 MB)", "similar", "a",
            "b")
    for command in ("attention", "fill-mask"):
        refused(1, "minilm has not been fetched yet", command, "a [MASK]", "--model", "minilm")
    refused(1, "the query is empty", "similar", " ", "b", "--model", encoder)
    refused(1, "config.json: no such file", "similar", "a", "b", "--model", tmp_path / "empty")
    (tmp_path / "blank.txt").write_text(" \n\n", encoding="utf-8")
    refused(1, "has no text, expected one per line", "similar", "a", tmp_path / "blank.txt", "--model", encoder)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    refused(1, "is not UTF-8: byte 0xe9 at offset 3", "similar", "a", tmp_path / "latin.txt", "--model", encoder)
