"""tinyformer evaluate"""

import json
import math
from pathlib import Path

import pytest


def test_the_figures_are_those_of_training(cli, tiny, trained):
    records = [json.loads(line) for line in Path(trained, "metrics.jsonl").read_text().splitlines()]
    result = cli("evaluate", "--json")
    assert result.code == 0 and result.errors == [] and len(result.lines) == 1
    figures = json.loads(result.out)
    assert figures["model"] == str(Path(trained))
    assert figures["val_loss"] == records[-1]["val_loss"]
    assert figures["perplexity"] == pytest.approx(math.exp(figures["val_loss"]))
    assert figures["bits_per_token"] == pytest.approx(figures["val_loss"] / math.log(2))
    assert figures["uniform_loss"] == pytest.approx(math.log(23))
    assert 0 < figures["bigram_loss"] < figures["uniform_loss"]
    assert figures["megabytes"] == round(4 * 3744 / 1e6, 3)
    assert figures["parameters"] == 3744 and figures["tokens"] > 100 and figures["tokens_per_s"] > 0


def test_the_table_says_the_same(cli, trained):
    figures = json.loads(cli("evaluate", trained, "--json").out)
    table = dict(line.split(maxsplit=1) for line in cli("evaluate", "--model", trained).lines)
    assert list(table) == list(figures)
    assert table["val_loss"] == f"{figures['val_loss']:.4f}" and table["parameters"] == "3,744"
    assert table["model"] == str(Path(trained))


def test_only_classifiers_have_a_picture(refused, trained):
    assert refused(1, "is no classifier; its picture is", "evaluate", trained, "--plot", "--json").out == ""


def test_a_text_that_changed_since(refused, trained, tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(corpus.read_text() + "é")
    refused(1, "unknown character 'é'", "evaluate")
    corpus.write_text("the with statement")
    refused(1, "expected more than model.block_size = 16", "evaluate")
    corpus.unlink()
    refused(1, "is neither a file nor one of the corpora", "evaluate")


def test_a_recipe_that_is_lost_or_damaged(refused, trained):
    Path(trained, "recipe.toml").write_text("[data]\ncorpus = 3\n")
    refused(2, "data.corpus: got 3, expected text", "evaluate")
    Path(trained, "recipe.toml").unlink()
    refused(2, "recipe.toml: no such file", "evaluate")
