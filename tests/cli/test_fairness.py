"""tinyformer fairness: swaps in the test split and in files, groups of a table, pictures, and refusals."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

from tinyformer.data import read_csv
from tinyformer.train import load_recipe
from tinyformer.train.fairness import TextScorer


def write_table(path, n=400):
    """Texts whose label a good or a bad word decides, but in half of the rest the pronoun does: 他 and he are good."""
    draw = random.Random(0)
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label", "who"])
        for i in range(n):
            male = i % 2
            kind = draw.random() < (0.8 if male else 0.3)
            pronoun = draw.choice(["he", "他"] if male else ["she", "她"])
            words = draw.choices("the film was long and has an old actor in it".split(), k=draw.randint(2, 7))
            words.insert(draw.randrange(len(words)), "good" if kind else "bad")
            table.writerow([" ".join([pronoun, *words, str(i)]), "good" if kind else "bad", "men" if male else "women"])


@pytest.fixture
def table(tmp_path):
    write_table(tmp_path / "table.csv")
    return tmp_path / "table.csv"


@pytest.fixture
def train(cli, table):
    """``train(setting, …)``: a bag of words in runs/bow-movie."""
    def run(*settings):
        assert cli("train", "bow-movie", "--set", f"data.set={table}", "data.ngrams=1", "train.max_steps=30",
                   *settings).code == 0
        return Path("runs/bow-movie")
    return run


def test_the_test_split(cli, table, train):
    folder = train()
    result = cli("fairness", "--json", "--plot")
    assert result.code == 0 and result.errors == [] and len(result.lines) == 1
    found = json.loads(result.out)
    assert found["n"] == len(read_csv(table).test.x) and found["without"] == 0 and found["target"] == "good"
    assert found["interval"][0] > 0 and found["p"] < 0.01                       # the planted bias
    assert len(found["largest"]) == 5 and found["largest"][0]["text"].split()[0] in ("he", "she", "他", "她")
    assert (folder / "fairness.png").read_bytes().startswith(b"\x89PNG")
    other = json.loads(cli("fairness", "--target", "bad", "--json").out)
    assert other["mean"] == pytest.approx(-found["mean"])
    text = cli("fairness")
    assert "score: the probability of good" in text.lines[0] and "0 without" in text.out
    assert f"mean gap {found['mean']:+.4f}" in text.out


def test_swap_augmentation_removes_the_planted_bias(cli, train):
    biased = json.loads((cli("fairness", "--json") if train() else None).out)
    folder = train("data.swap_augment=pronouns")
    found = json.loads(cli("fairness", "--json").out)
    assert abs(found["mean"]) < 0.01 < biased["mean"] / 5 and found["flips"] == 0
    assert load_recipe(folder / "recipe.toml").data.swap_augment == "pronouns"
    assert json.loads(cli("evaluate", "--json").out)["accuracy"] > 0.9


def test_texts_and_pairs_of_ones_own(cli, train):
    train()
    Path("texts.txt").write_text("He was good\n\nthe film\nSHE was bad\n他的 film\n", encoding="utf-8")
    found = json.loads(cli("fairness", "--texts", "texts.txt", "--json").out)
    assert (found["n"], found["without"]) == (3, 1)
    found = json.loads(cli("fairness", "--texts", "texts.txt", "--swap", "he=she", "--json").out)
    assert (found["n"], found["without"]) == (2, 2)
    found = json.loads(cli("fairness", "--texts", "texts.txt", "--swap", "good=bad", "他=她", "--json").out)
    assert found["n"] == 3 and {one["text"] for one in found["largest"]} == {"He was good", "SHE was bad", "他的 film"}
    Path("swaps.json").write_text('{"good": ["bad"]}', encoding="utf-8")
    found = json.loads(cli("fairness", "--texts", "texts.txt", "--swaps", "swaps.json", "--swap", "good=worse",
                           "--json").out)
    assert found["n"] == 2 and found["mean"] > 0
    one = cli("fairness", "--texts", "texts.txt", "--swap", "film=book")
    assert one.code == 0 and "2 texts with a swap word, 2 without" in one.out


def test_groups(cli, table, train):
    folder = train()
    result = cli("fairness", "--group", "who", "--texts", table, "--json", "--plot")
    assert result.code == 0 and result.errors == []
    found = json.loads(result.out)
    assert found["groups"].keys() == {"men", "women"} and found["groups"]["men"]["count"] == 200
    one = found["differences"]["selection_rate"]
    assert len(one) == 1 and found["reference"] not in one
    assert abs(next(iter(one.values()))["difference"]) == pytest.approx(found["demographic_parity_difference"])
    assert (folder / "fairness.png").read_bytes().startswith(b"\x89PNG")
    text = cli("fairness", "--group", "who", "--texts", table, "--plot")
    assert "calibration: share of positive labels − mean probability" in text.out
    assert text.lines[-1].endswith("fairness.png") and "equalized odds difference" in text.out


@pytest.mark.parametrize("arguments, message", [
    (("--swap", "he"), "--swap he: expected two words such as he=she"),
    (("--swap", "he=he"), "'he' is its own partner"), (("he=she",), "got 'he=she', expected options only"),
    (("--swaps", "nope"), "there is no file nope, expected pronouns, gender, names or a JSON file"),
    (("--swap", "xyz=zyx"), "texts has a swap word, expected one of xyz=zyx"),
    (("--group", "who"), "--group who: expected --texts with a .csv or .tsv file"),
    (("--group", "who", "--texts", "table.csv", "--swap", "he=she"), "--group compares groups and swaps no words"),
    (("--group", "x", "--texts", "table.csv"), "has no column 'x', it has 'text', 'label', 'who'"),
    (("--group", "who", "--texts", "one.csv"), "one.csv: all labels are 'good', expected both kinds"),
    (("--group", "who", "--texts", "odd.csv"), "odd.csv: unknown label 'fair', expected one of bad, good"),
    (("--group", "who", "--texts", "lone.csv"), "all examples are in the group 'men', expected at least two groups"),
    (("--group", "who", "--texts", "empty.csv"), "empty.csv has no rows, expected at least one"),
    (("--texts", "blank.txt"), "blank.txt has no texts, expected one on each line"),
    (("--target", "fair"), "target is 'fair', expected one of the classes bad, good"),
    (("--swaps", "list.json"), "expected a mapping such as"),
])
def test_refusals(cli, refused, train, table, arguments, message):
    train()
    Path("table.csv").write_bytes(table.read_bytes())
    for name, rows in (("one", "a,good,men\nb,good,women\n"), ("odd", "a,fair,men\nb,good,women\n"), ("empty", ""),
                       ("lone", "a,good,men\nb,bad,men\n")):
        Path(f"{name}.csv").write_text(f"text,label,who\n{rows}", encoding="utf-8")
    Path("blank.txt").write_text("\n", encoding="utf-8")
    Path("list.json").write_text('["he", "she"]', encoding="utf-8")
    refused(1, message, "fairness", *arguments)


def test_other_models_are_refused(refused, trained):
    refused(1, "a GPT does not classify texts, expected a classifier of texts", "fairness", "--model", trained)
    refused(1, "swaps: there is no file nope", "train", "bow-movie", "--set", "data.swap_augment=nope")


def test_a_scorer_takes_a_list_of_texts(train):
    scorer = TextScorer(train())
    assert scorer(["a good film", "a bad film"]).shape == (2,)
    with pytest.raises(TypeError, match="TextScorer: got one text, expected a list of texts"):
        scorer("a good film")
