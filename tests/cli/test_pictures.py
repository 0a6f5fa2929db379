"""A classifier of pictures goes through the same commands as the others."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tinyformer.data import Dataset, Examples
from tinyformer.train.tasks import pictures

TINY = ("train.max_steps=60", "train.batch_size=20", "train.warmup_steps=2", "train.eval_every=20",
        "train.checkpoint_every=20",
        "model.n_hidden=16", "train.lr=0.01")


@pytest.fixture(autouse=True)
def strokes(monkeypatch):
    """Pictures of 4 × 4: a horizontal stroke or a vertical one, wherever, in noise. No test reads the real digits."""
    rng = np.random.default_rng(0)

    def draw(n):
        x, y = 0.2 * rng.random((n, 4, 4)).astype(np.float32), rng.integers(0, 2, n)
        for picture, kind in zip(x, y):
            picture[(rng.integers(4), slice(None)) if kind else (slice(None), rng.integers(4))] += 1
        return Examples(x.reshape(n, 16), y)

    dataset = Dataset("mnist-5k", draw(400), draw(50), draw(100), ("vertical", "horizontal"))
    monkeypatch.setattr(pictures, "load", lambda name: dataset)


def test_train_and_evaluate(cli):
    result = cli("train", "mlp-mnist", "--set", *TINY)
    assert result.code == 0 and result.errors == []
    assert "mnist-5k: 400 pictures to train on, 50 to validate, 100 to test, 2 classes" in result.out
    assert "a sample" not in result.out and "nats per picture on the same split" in result.out
    figures = json.loads(cli("evaluate", "runs/mlp-mnist", "--json").out)
    # no line tells strokes apart
    assert figures["accuracy"] > 0.9 > figures["baseline_accuracy"]
    assert (figures["examples"], figures["kind"], figures["baseline"]) == (100, "pictures", "logistic regression")
    assert 0 <= figures["against_baseline"]["p_exact"] < 0.05 and np.sum(figures["confusion"]) == 100
    table = cli("evaluate", "runs/mlp-mnist", "--plot")
    assert f"accuracy            {figures['accuracy']:.2%} ±" in table.out and "logistic regression" in table.out
    assert Path("runs/mlp-mnist/evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_resume_is_the_same_run(cli):
    assert cli("train", "mlp-mnist", "--set", *TINY).code == 0
    assert cli("train", "mlp-mnist", "--out", "half", "--set", *TINY, "train.max_steps=40").code == 0
    assert cli("train", "mlp-mnist", "--out", "half", "--resume", "--set", "train.max_steps=60").code == 0
    assert os.path.exists("half/checkpoints/step-00000060.safetensors")


def test_seeds(cli):
    result = cli("train", "mlp-mnist", "--seeds", 2, "--set", *TINY, "train.max_steps=20")
    assert result.code == 0 and "mean of 2 runs" in result.lines[-1] and "%" in result.lines[-1]
    assert result.out.count(", logistic regression 0.") == 2
    compared = cli("evaluate", "runs/mlp-mnist/seed-1", "runs/mlp-mnist/seed-2", "--json")
    assert set(json.loads(compared.out)["models"][1]["against_first"]) >= {"p_exact", "chi2"}


def test_folds(cli):
    result = cli("train", "mlp-mnist", "--folds", 3, "--set", *TINY, "train.max_steps=20")
    assert result.code == 0 and "mean of 3 runs" in result.lines[-1]
    parts = [json.loads(Path(f"runs/mlp-mnist/fold-{n}/evaluation.json").read_text()) for n in (1, 2, 3)]
    assert [part["split"] for part in parts] == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    assert sum(part["examples"] for part in parts) == 450                       # each once, and none of the test split


def test_the_speed_is_in_what_is_read(cli, monkeypatch):
    from tinyformer.train import progress
    monkeypatch.setattr(progress.PlainProgress, "every", 0.0)
    assert " pixels/s  " in cli("train", "mlp-mnist", "--set", *TINY, "train.max_steps=2").out


def test_what_it_cannot_do(cli, refused):
    assert cli("train", "mlp-mnist", "--set", *TINY, "train.max_steps=2").code == 0
    refused(1, "a MLP cannot continue a text; use `tinyformer evaluate`", "generate", "the", "--model",
            "runs/mlp-mnist")


@pytest.mark.parametrize("setting, message", (
    ("data.set=movie-snippets", "data.set: got 'movie-snippets', expected one of mnist-5k"),
    ("data.shift=9", "data.shift: got 9"),
    ("data.corpus=pydocs", "unknown setting 'data.corpus'"),
    ("model.activation=step", "activation is 'step', expected one of relu"),
    ("model.architecture=gpt", "which is for the task 'language'"),
))
def test_settings_that_cannot_be_used(refused, setting, message):
    refused(2, message, "train", "mlp-mnist", "--set", setting)


def test_predict_reads_a_png(cli, refused):
    from matplotlib.image import imsave
    assert cli("train", "mlp-mnist", "--set", *TINY).code == 0
    picture = np.zeros((4, 4))
    picture[:, 2] = 1
    imsave("dark.png", 1 - picture, cmap="gray", vmin=0, vmax=1)
    result = cli("predict", "dark.png")
    assert result.code == 0 and result.lines[0].startswith("vertical  ")
    assert "dark on light, so black and white were exchanged" in result.out
    found = json.loads(cli("predict", "dark.png", "--model", "runs/mlp-mnist", "--json").out)
    assert found["class"] == "vertical" and set(found["probabilities"]) == {"vertical", "horizontal"}
    refused(1, "gone.png: no such file; expected a PNG picture", "predict", "gone.png")
    Path("text.png").write_text("no picture")
    refused(1, "text.png: not a PNG picture", "predict", "text.png")
    refused(1, "a MLP does not read texts, expected the name of a file that ends in .png", "predict", "some words",
            "--model", "runs/mlp-mnist")


def test_lenet_needs_pictures_of_a_size(refused):
    refused(1, "LeNet: n_features is 16, expected the pixels of a square picture", "train", "lenet-mnist", "--set",
            "train.max_steps=2")
