"""Training, measuring and asking classifiers of texts."""

import csv
import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from tinyformer.data import read_csv
from tinyformer.train import load_recipe, scores


@pytest.fixture
def reviews(tmp_path):
    """A table of texts that a good or a bad word decides, and settings of a run on it that takes a blink."""
    draw = random.Random(0)
    path = tmp_path / "reviews.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "review", "verdict"])
        for i in range(400):
            kind = draw.choice(["good", "bad"])
            words = draw.choices("the film was very long and has an old actor in it".split(), k=draw.randint(2, 9))
            words.insert(draw.randrange(len(words)), kind)
            table.writerow([i, " ".join([*words, str(i)]), kind.upper()])
    return path, [f"data.set={path}", "data.text=review", "data.label=verdict"]


SMALL = {"bow-movie": ["train.max_steps=20"], "bayes-movie": ["train.max_steps=20"],
         "average-movie": ["model.n_embd=8", "train.batch_size=16", "train.max_steps=40", "train.eval_every=10",
                           "train.lr=0.05"],
         "attention-lstm-movie": ["model.n_embd=8", "model.n_hidden=8", "train.batch_size=16", "train.max_steps=60",
                                  "train.eval_every=20", "train.warmup_steps=5", "train.lr=0.02", "model.dropout=0.1"],
         "transformer-movie": ["model.n_embd=8", "model.n_inner=8", "model.n_head=2", "train.batch_size=16",
                               "train.max_steps=60", "train.eval_every=20", "train.warmup_steps=5", "train.lr=0.02",
                               "model.dropout=0.0"]}


@pytest.fixture
def classifier(cli, reviews):
    """A bag of words in runs/bow-movie."""
    assert cli("train", "bow-movie", "--set", *reviews[1], *SMALL["bow-movie"]).code == 0
    return "runs/bow-movie"


@pytest.mark.parametrize("recipe", SMALL)
def test_one_command_each(cli, reviews, recipe):
    result = cli("train", recipe, "--set", *reviews[1], *SMALL[recipe])
    assert result.code == 0 and result.errors == []
    assert "classes" in result.lines[0] and result.lines[-1].startswith("val loss ")
    figures = json.loads(cli("evaluate", f"runs/{recipe}", "--json").out)
    assert figures["accuracy"] > 0.9 and figures["classes"] == ["BAD", "GOOD"]
    assert set(os.listdir(f"runs/{recipe}")) >= {"classes.json", "evaluation.json", "loss.png", "model.safetensors"}
    found = json.loads(cli("predict", "an old film that was GOOD", "--json").out)
    assert found["class"] == "GOOD" and found["probability"] > 0.5 and found["unknown"] == ["that"]
    assert max(found["contributions"], key=lambda part: part["value"])["token"] in ("good", "was good")


def test_the_figures_are_right(cli, reviews, classifier):
    figures = json.loads(cli("evaluate", "--json").out)
    texts, labels = read_csv(reviews[0], "review", "verdict").test
    assert figures == json.loads(Path(classifier,
                                      "evaluation.json").read_text()) | {"examples_per_s": figures["examples_per_s"]}
    assert figures["examples"] == len(texts) and figures["baseline_accuracy"] == figures["accuracy"]
    assert figures["standard_error"] == pytest.approx(scores.standard_error(figures["accuracy"], len(texts)))
    confusion = np.array(figures["confusion"])
    assert confusion.sum(axis=1).tolist() == np.bincount(labels).tolist()
    assert figures["accuracy"] == pytest.approx(np.trace(confusion)
                                                / len(texts)) == pytest.approx(figures["f1"]["micro"])
    assert figures["roc_auc"] > 0.9 and 0 <= figures["calibration_error"] <= 1
    low, high = figures["confidence_interval"]
    assert low <= figures["accuracy"] <= high and figures["cut"] == 0
    assert figures["baseline_standard_error"] == figures["standard_error"]
    table = cli("evaluate", classifier).out
    share = f"{figures['accuracy']:.2%} ± {figures['standard_error']:.2%}"
    assert f"accuracy            {share} (" in table and f"bag of words        {share} " in table \
        and "the same answers" in table and "\ncut " not in table


def test_a_picture(cli, refused, classifier):
    assert cli("evaluate", classifier, "--plot").lines[-1].endswith("evaluation.png")
    assert Path(classifier, "evaluation.png").read_bytes().startswith(b"\x89PNG")
    refused(1, "--plot: got 2 runs, expected one", "evaluate", classifier, classifier, "--plot")


def test_losing_to_the_baseline_is_said(cli, reviews):
    result = cli("train", "average-movie", "--set", *reviews[1], *SMALL["average-movie"], "train.max_steps=1")
    assert result.code == 0 and "this model LOSES to it by" in result.out


def test_seeds_folds_and_comparing(cli, reviews, monkeypatch):
    from tinyformer.train.tasks import classification
    beside, bag_of_words = [], classification.bag_of_words
    monkeypatch.setattr(classification, "bag_of_words", lambda *how: beside.append(True) or bag_of_words(*how))
    result = cli("train", "average-movie", "--seeds", 2, "--out", "s", "--set", *reviews[1], *SMALL["average-movie"])
    assert result.code == 0 and result.lines[-1].startswith("mean of 2 runs ")
    # trained once, said each time
    assert beside == [True] and result.out.count(", bag of words 1.0000 ± 0.0000") == 2
    saved = json.loads(Path("s/seeds.json").read_text())
    assert saved["models"] == [json.loads(Path(f"s/seed-{n}/evaluation.json").read_text()) for n in (1, 2)]
    assert saved["accuracy"] == scores.spread([one["accuracy"] for one in saved["models"]])
    one = saved["models"][1]
    assert f"seed-2: accuracy {one['accuracy']:.4f} ± {one['standard_error']:.4f}, bag of words" in result.out
    assert [load_recipe(f"s/seed-{n}/recipe.toml").train.seed for n in (1, 2)] == [1, 2]
    result = cli("train", "bow-movie", "--folds", 3, "--out", "f", "--set", *reviews[1], *SMALL["bow-movie"])
    assert result.code == 0 and result.lines[-1].startswith("mean of 3 runs ")
    sizes = [json.loads(Path(f"f/fold-{n}/evaluation.json").read_text())["examples"] for n in (1, 2, 3)]
    data = read_csv(reviews[0], "review", "verdict")
    assert sum(sizes) == len(data.train.y) + len(data.validation.y)             # each once, and none of the test split
    assert json.loads(Path("f/folds.json").read_text())["accuracy"]["n"] == 3
    folds = cli("evaluate", "f/fold-1", "f/fold-2").lines
    assert folds[2].endswith("on another test") and folds[-1].startswith("mean of 2 runs ")

    found = json.loads(cli("evaluate", "s/seed-1", "s/seed-2", "--json").out)
    assert found["accuracy"]["n"] == 2 and set(found["models"][1]["against_first"]) >= {"p_exact", "chi2"}
    assert found["baseline"]["model"] == "bag of words" and "against_first" in found["baseline"]
    table = cli("evaluate", "s/seed-1", "s/seed-2").lines
    assert table[-2].startswith("bag of words") and table[-1].startswith("mean of 2 runs ")
    settings = Path("s/seed-2/recipe.toml").read_text()
    Path("s/seed-2/recipe.toml").write_text(settings.replace("\nlr = ", "\nlr = 1"))
    # of unlike models there is no mean
    assert cli("evaluate", "s/seed-1", "s/seed-2").lines[-1].startswith("bag of words")
    assert "accuracy" not in json.loads(cli("evaluate", "s/seed-1", "s/seed-2", "--json").out)


def test_resuming_ends_with_the_same_bits(cli, reviews):
    settings = [*reviews[1], *SMALL["attention-lstm-movie"]]
    assert cli("train", "attention-lstm-movie", "--out", "whole", "--set", *settings).code == 0
    assert cli("train", "attention-lstm-movie", "--out", "parts", "--set", *settings, "train.max_steps=60",
               "train.checkpoint_every=20").code == 0
    for path in sorted(Path("parts/checkpoints").iterdir())[1:]:
        path.unlink()
    assert cli("train", "--resume", "--out", "parts").code == 0
    assert Path("parts/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


def test_a_text_longer_than_the_model_is_cut(cli, reviews):
    settings = [*reviews[1], *SMALL["average-movie"], "model.block_size=6", "data.ngrams=1"]
    result = cli("train", "average-movie", "--set", *settings)
    data = read_csv(reviews[0], "review", "verdict")
    long, long_tests = (sum(len(text.split()) > 6 for text in part.x) for part in (data.train, data.test))
    assert result.code == 0 and result.lines[1].startswith(f"{long} of the texts "
                                                           "to train on are longer than model.block_size = 6 ")
    assert f"cut                 {long_tests} texts, which are longer than the model reads\n" in result.out
    assert json.loads(cli("evaluate", "--json").out)["cut"] == long_tests > 0
    result = cli("predict", "good " * 50)
    assert result.code == 0 and "reads the first 6 tokens" in result.out
    assert not json.loads(cli("predict", "good " * 6, "--json").out)["cut"]


def test_the_newest_model_that_fits(cli, tiny, classifier):
    assert cli("train", "--set", *tiny).code == 0
    assert cli("predict", "good").out.startswith("GOOD")
    os.utime(f"{classifier}/model.safetensors", (2e9, 2e9))
    assert cli("generate", "the", "--seed", 1).code == 0


@pytest.fixture
def imdb(tmp_path):
    """A small folder as IMDb's is unpacked."""
    draw = random.Random(0)
    for part, n in (("train", 150), ("test", 40)):
        for kind, word in (("pos", "wonderful"), ("neg", "dreadful")):
            folder = tmp_path / "aclImdb" / part / kind
            folder.mkdir(parents=True)
            for i in range(n):
                words = draw.choices("the film was long and has an actor in it".split(), k=draw.randint(2, 9))
                (folder / f"{i}_7.txt").write_text(" ".join([word, *words, f"<br /><br />{part}{i}"]), encoding="utf-8")
    return tmp_path / "aclImdb"


def test_imdb_from_a_folder(cli, refused, imdb):
    result = cli("train", "bow-movie", "--set", f"data.set={imdb}", "train.max_steps=20")
    assert result.code == 0 and result.errors == [] and " 80 to test, 2 classes" in result.lines[0]
    assert json.loads(cli("evaluate", "--json").out)["accuracy"] > 0.9
    found = json.loads(cli("predict", "a dreadful film", "--json").out)
    assert found["class"] == "negative" and found["unknown"] == ["a"]
    assert "none: no word is in the vocabulary" in cli("predict", "br").out         # the breaks of lines are no words
    refused(1, f"no texts in {imdb / 'train' / 'train' / 'neg'}, expected the folder aclImdb", "train", "bow-movie",
            "--set",
            f"data.set={imdb / 'train'}")
    (imdb / "test" / "pos" / "0_7.txt").write_text(" <br />\n")
    refused(1, "0_7.txt is empty, expected a text", "evaluate")


# ------------------------------------------------------------------------------------------------ bad input

@pytest.mark.parametrize("content, message", (
    (b"review,verdict\ncaf\xe9,GOOD\n", "is not UTF-8: byte 0xe9 at offset 18"),
    (b"text,verdict\nfine,GOOD\n", "has no column 'review'"),
    (b"review,verdict\nfine,GOOD\nfiner,GOOD\n", "has only the class 'GOOD', expected at least two classes"),
    (b"review,verdict\n ,GOOD\n", "line 2: the column 'review' is empty"),
    (b"review,verdict\nfine,GOOD\nbad,BAD\n", "expected more texts"),
    (b"review,verdict\n", "no rows"),
))
def test_tables_that_cannot_be_used(refused, reviews, content, message):
    reviews[0].write_bytes(content)
    refused(1, message, "train", "bow-movie", "--set", *reviews[1])
    assert not os.path.exists("runs")


def test_a_label_that_the_model_does_not_know(refused, reviews, classifier):
    reviews[0].write_text(reviews[0].read_text() + "1000,so so,UGLY\n")
    refused(1, "unknown label 'UGLY', expected one of BAD, GOOD", "evaluate", classifier)


@pytest.mark.parametrize("text, message", (("", "the text is empty"), ("  \n", "the text is empty")))
def test_texts_without_a_word(refused, classifier, text, message):
    refused(1, message, "predict", text)


@pytest.mark.parametrize("settings, message", (
    (["data.set=nosuch"],
     "data.set: 'nosuch' is no set, file or folder; expected movie-snippets, chinese-reviews, sms-spam, "
                          "names, a .csv or .tsv file, or IMDb's folder"),
    (["data.set=cmudict"], "data.set: cmudict has no texts with classes; expected movie-snippets, "),
    (["data.set=minilm"], "data.set: minilm has no texts with classes; expected movie-snippets, "),
))
def test_sets_that_cannot_be_used(refused, settings, message, monkeypatch):
    monkeypatch.setattr("tinyformer.train.tasks.classification.load", None)     # nothing is fetched to find that out
    refused(1, message, "train", "bow-movie", "--set", *settings)


@pytest.mark.parametrize("settings, message", (
    (["data.unit=letters"], "data.unit: got 'letters', expected one of characters, words"),
    (["data.ngrams=0"], "data.ngrams: got 0, expected an integer from 1 to 9"),
    (["data.folds=2"], "data.folds: got 2, expected at least 3"),
    (["data.folds=4", "data.fold=5"], "data.fold: got 5, expected 1…4"),
    (["data.corpus=x"], "unknown setting 'data.corpus'"),
    (["model.architecture=gpt"], "which is for the task 'language'"),
))
def test_settings_that_cannot_be_used(refused, settings, message):
    refused(2, message, "train", "bow-movie", "--set", *settings)


def test_the_wrong_kind_of_model(cli, refused, tiny, classifier):
    refused(1, "a BagOfWords cannot continue a text; use `tinyformer predict`", "generate", "the", "--model",
            classifier)
    assert cli("train", "--set", *tiny, "train.max_steps=2").code == 0
    refused(1, "a GPT predicts no class, expected the folder of a trained classifier", "predict", "x", "--model",
            "runs/pydocs-char")
    refused(1, "only classifiers can be compared", "evaluate", "runs/pydocs-char", classifier)
    refused(2, "folds: pydocs-char is no classifier", "train", "--folds", 3)


def test_no_classifier_yet(refused):
    refused(1, "no trained classifier under runs/; run `tinyformer train bow-movie` first", "predict", "x")
