"""Private recipes: what a training prints and saves, resumption to the bit, and settings that are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from tinyformer.data import Dataset, Examples
from tinyformer.interop.weights import read_weights
from tinyformer.privacy import epsilon
from tinyformer.train.metrics import read_metrics
from tinyformer.train.tasks import pictures

TINY = ("train.max_steps=12", "train.batch_size=100", "train.eval_every=4", "train.checkpoint_every=4",
        "privacy.delta=1e-3")


@pytest.fixture(autouse=True)
def strokes(monkeypatch):
    """400 pictures of 4 × 4 with a horizontal or a vertical stroke."""
    rng = np.random.default_rng(0)

    def draw(n):
        x, y = 0.2 * rng.random((n, 4, 4)).astype(np.float32), rng.integers(0, 2, n)
        for picture, kind in zip(x, y):
            picture[(1, slice(None)) if kind else (slice(None), 2)] += 1
        return Examples(x.reshape(n, 16), y)

    dataset = Dataset("mnist-5k", draw(400), draw(50), draw(100), ("vertical", "horizontal"))
    monkeypatch.setattr(pictures, "load", lambda name: dataset)


def test_the_cost_is_printed_and_saved(cli):
    result = cli("train", "mlp-mnist-private", "--set", *TINY)
    assert result.code == 0 and result.errors == []
    last = result.lines[-1]
    assert last.startswith("epsilon 3.00 at delta 0.001 (RDP accountant, Poisson sampling at rate 0.25, noise ")
    assert any(line.startswith("step 4: epsilon ") and "at delta 0.001 so far" in line for line in result.lines)
    figures = json.loads(cli("evaluate", "runs/mlp-mnist-private", "--json").out)
    cost = figures["privacy"]
    assert {"epsilon", "delta", "noise_multiplier", "max_grad_norm", "sample_rate", "steps"} <= set(cost)
    assert (cost["delta"], cost["max_grad_norm"], cost["sample_rate"], cost["steps"]) == (1e-3, 1.0, 0.25, 12)
    assert cost["epsilon"] == epsilon(cost["noise_multiplier"], 0.25, 12, 1e-3) <= 3
    assert figures["accuracy"] > 0.8
    assert f"privacy             {last}" in cli("evaluate", "runs/mlp-mnist-private").lines
    rows = read_metrics(Path("runs/mlp-mnist-private/metrics.jsonl"))
    sizes = [row["examples"] for row in rows]
    assert len(rows) == 12 and len(set(sizes)) > 3 and 60 < np.mean(sizes) < 140
    assert rows[3]["epsilon"] < rows[-1]["epsilon"] == cost["epsilon"]


def test_a_resumed_run_has_the_same_noise(cli):
    recipe = "mlp-mnist-private", "--set", *TINY, "privacy.target_epsilon=inf", "privacy.noise_multiplier=1.5"
    assert cli("train", *recipe, "--out", "whole").code == 0
    assert cli("train", *recipe, "train.max_steps=8", "--out", "half").code == 0
    result = cli("train", "--out", "half", "--resume", "--set", "train.max_steps=12", "train.lr=1.0")
    assert result.code == 0 and result.lines[-1].startswith("epsilon ")
    whole, half = (json.loads((Path(folder) / "privacy.json").read_text()) for folder in ("whole", "half"))
    assert whole == half and half["steps"] == 12


def test_a_resumed_run_ends_with_the_same_bits(cli, monkeypatch):
    from tinyformer.privacy import DPOptimizer
    recipe = "mlp-mnist-private", "--set", *TINY
    assert cli("train", *recipe, "--out", "whole").code == 0
    taken, step = [], DPOptimizer.step

    def six_steps(optimizer, gradients):
        taken.append(1)
        if len(taken) == 7:
            raise RuntimeError("broken")
        step(optimizer, gradients)

    with monkeypatch.context() as patch:
        patch.setattr(DPOptimizer, "step", six_steps)
        assert cli("train", *recipe, "--out", "broken").code == 1
    assert cli("train", "--out", "broken", "--resume").code == 0
    first, second = (read_weights(Path(folder) / "model.safetensors")[0] for folder in ("whole", "broken"))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_longer_run_must_not_exceed_its_target(cli, refused):
    assert cli("train", "mlp-mnist-private", "--set", *TINY, "--out", "run").code == 0
    noise = json.loads(Path("run/privacy.json").read_text())["noise_multiplier"]
    longer = "train", "--out", "run", "--resume", "--set", "train.max_steps=20"
    instead = "privacy.target_epsilon=inf", f"privacy.noise_multiplier={noise}"
    refused(1, "was solved for privacy.target_epsilon and the steps of that run", *longer)
    refused(1, f"expected the same settings, or {' '.join(instead)}", *longer)
    result = cli(*longer, *instead)                         # what the message names
    assert result.code == 0 and float(result.lines[-1].split()[1]) > 3


def test_empty_batches(cli):
    result = cli("train", "mlp-mnist-private", "--set", *TINY, "train.batch_size=1", "privacy.target_epsilon=inf",
                 "privacy.noise_multiplier=1.0")
    assert result.code == 0
    assert 0 in [row["examples"] for row in read_metrics(Path("runs/mlp-mnist-private/metrics.jsonl"))]


@pytest.mark.parametrize("setting", ["privacy.target_epsilon=inf", "privacy.noise_multiplier=0"])
def test_without_privacy_there_is_no_section(cli, setting):
    assert cli("train", "mlp-mnist-private", "--set", *TINY, setting).code == 0
    folder = Path("runs/mlp-mnist-private")
    assert "[privacy]" not in (folder / "recipe.toml").read_text() and not (folder / "privacy.json").exists()
    assert "privacy" not in json.loads(cli("evaluate", folder, "--json").out)


@pytest.mark.parametrize("code, message, settings", [
    (2, "privacy.target_epsilon: got 0.0, expected a number above 0", ["privacy.target_epsilon=0"]),
    (1, "privacy.delta: got 0.0025, expected less than 1/400 = 0.0025 for 400 training examples",
     ["privacy.delta=0.0025"]),
    (1, "train.batch_size: got 401, expected at most 400", ["train.batch_size=401"]),
    (2, "privacy.target_epsilon: got 3, and a noise_multiplier of 1; expected one", ["privacy.noise_multiplier=1"]),
    (1, "train.accumulate: got 2, expected 1 in private training", ["train.accumulate=2"]),
    (1, "its layer layers.1 is a batch norm, which mixes the examples",
     ["model.batch_norm=true", "model.n_layer=1"]),
    (2, "privacy.accountant: got 'prv', expected one of pld, rdp", ["privacy.accountant=prv"]),
    (2, "unknown setting 'privacy.sigma'", ["privacy.sigma=1"])])
def test_settings_that_cannot_be(refused, code, message, settings):
    refused(code, message, "train", "mlp-mnist-private", "--set", *TINY, *settings)


def test_a_model_that_counts_before_its_first_step(refused, table):
    refused(1, "a BayesBag is trained by counting, without noise, before its first step; expected a model that is "
               "trained in steps alone", "train", "bayes-movie", "--set", f"data.set={table}",
            "privacy.noise_multiplier=1")


def test_tasks_without_examples(refused, tmp_path):
    corpus = tmp_path / "text.txt"
    corpus.write_text("some words and more words " * 100)
    refused(1, "the task 'language' cannot be trained privately", "train", "pydocs-char", "--set",
            f"data.corpus={corpus}", "privacy.noise_multiplier=1", "model.block_size=8")


ROWS = [f"{word} {other} {n}" for n in range(40) for word, other in (("good", "film"), ("bad", "book"))]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("text,label\n" + "\n".join(f"{row},{row.split()[0]}" for row in ROWS))
    return path


@pytest.mark.parametrize("recipe, settings", [("gru-names", ["data.corpus={lines}", "model.n_hidden=8"]),
                                              ("bow-sms", ["data.set={table}"])])
def test_lines_and_texts(cli, tmp_path, table, recipe, settings):
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(ROWS))
    settings = [setting.format(lines=lines, table=table) for setting in settings]
    result = cli("train", recipe, "--set", *settings, "train.max_steps=2", "train.batch_size=8", "train.eval_every=2",
                 "privacy.noise_multiplier=1", "privacy.delta=1e-3")
    assert result.code == 0, result
    assert result.lines[-1].startswith("epsilon ")


def test_damaged_figures(refused, cli):
    assert cli("train", "mlp-mnist-private", "--set", *TINY).code == 0
    Path("runs/mlp-mnist-private/privacy.json").write_text("{")
    refused(1, "privacy.json: damaged, expected the figures of a private training", "evaluate",
            "runs/mlp-mnist-private")
