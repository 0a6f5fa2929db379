"""Models that generate pictures go through train, evaluate and sample; no test reads the real digits."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tinyformer.data import Dataset, Examples
from tinyformer.models import load_model
from tinyformer.train import evaluate, load_recipe, train
from tinyformer.train.tasks import generation

TINY = ("train.max_steps=60", "train.batch_size=20", "train.warmup_steps=2", "train.eval_every=30",
        "train.checkpoint_every=30", "model.n_hidden=16", "model.n_latent=3", "train.lr=0.01", "train.min_lr=0.001",
        "data.shift=0")


@pytest.fixture(autouse=True)
def strokes(monkeypatch):
    """Pictures of 4 × 4: a horizontal stroke or a vertical one, wherever, in a little noise."""
    rng = np.random.default_rng(0)

    def draw(n):
        x, y = 0.1 * rng.random((n, 4, 4)).astype(np.float32), rng.integers(0, 2, n)
        for picture, kind in zip(x, y):
            picture[(rng.integers(4), slice(None)) if kind else (slice(None), rng.integers(4))] += 0.9
        return Examples(x.reshape(n, 16), y)

    dataset = Dataset("mnist-5k", draw(300), draw(50), draw(100), ("vertical", "horizontal"))
    monkeypatch.setattr(generation, "load", lambda name: dataset)
    monkeypatch.setattr("tinyformer.train.judge.STEPS", 80)
    monkeypatch.setattr(generation, "SAMPLES", 200)
    monkeypatch.setattr("tinyformer.train.run.draw_losses", lambda *_, **__: None)
    return dataset


def is_png(path):
    return Path(path).read_bytes().startswith(b"\x89PNG")


def test_vae(cli):
    result = cli("train", "vae-mnist", "--set", *TINY, "train.max_steps=300")
    assert result.code == 0 and result.errors == []
    assert "300 pictures to train on, 50 to validate, 100 to test, 2 classes; VAE of" in result.out
    assert re.search(r"^class means, class known  +\d+\.\d{4} nats per picture on the same split$", result.out, re.M)
    assert is_png("runs/vae-mnist/samples/step-00000030.png") and "−ELBO" in result.out
    figures = json.loads(cli("evaluate", "runs/vae-mnist", "--json").out)
    assert figures["neg_log_likelihood"] < figures["neg_elbo"] < figures["baselines"]["pixel means"]
    assert figures["neg_elbo"] == pytest.approx(figures["reconstruction"] + figures["kl"])
    assert set(figures["baselines"]) == {"pixel means", "class means", "class means, class known", "PCA, 3 components"}
    assert figures["examples"] == 100 and figures["samples"] == 200 and 0 < figures["active_latents"] <= 3
    table = cli("evaluate", "runs/vae-mnist", "--plot").out
    assert "PCA, 3 components" in table and "Fréchet distance" in table and is_png("runs/vae-mnist/evaluation.png")
    for options in ((), ("--interpolate",), ("--plane",)):
        result = cli("sample", *options, "--n", 16, "--seed", 1, "--out", "sheet.png")
        assert result.code == 0 and result.lines == ["16 pictures of 4 × 4 pixels", "sheet.png"] and is_png("sheet.png")
        first = Path("sheet.png").read_bytes()
        cli("sample", *options, "--n", 16, "--seed", 1, "--out", "sheet.png")
        assert Path("sheet.png").read_bytes() == first


def test_gan(cli):
    result = cli("train", "gan-mnist", "--set", *TINY, "model.n_channels=4")
    assert result.code == 0 and result.errors == []
    assert "undecided D" in result.out and "2.0794" in result.out
    figures = json.loads(cli("evaluate", "runs/gan-mnist", "--json").out)
    assert sum(figures["class_shares"]) == pytest.approx(1) and 0 <= figures["classes_covered"] <= 2
    assert figures["frechet_distance"] > figures["training_frechet_distance"] >= 0
    assert 0 < figures["confidence"] <= 1 and figures["nearest_distance"] > 0 and "neg_elbo" not in figures
    result = cli("sample", "--model", "runs/gan-mnist")
    assert result.lines[-1] == str(Path("runs/gan-mnist/samples.png")) and is_png(result.lines[-1])


@pytest.mark.parametrize("recipe", ("vae-mnist", "gan-mnist"))         # the second with dropout and batch norm
def test_resume_gives_the_same_bits(tmp_path, recipe):
    whole, half = tmp_path / "whole", tmp_path / "half"
    constant = [*TINY, "train.min_lr=0.01"]
    train(load_recipe(recipe, constant), whole)
    train(load_recipe(recipe, [*constant, "train.max_steps=30"]), half)
    train(load_recipe(recipe, constant), half, resume=True)
    assert (whole / "model.safetensors").read_bytes() == (half / "model.safetensors").read_bytes()


def test_the_best_model_is_the_one_with_the_lowest_frechet_distance(tmp_path):
    train(load_recipe("gan-mnist", [*TINY, "train.eval_every=10", "train.patience=3"]), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    measured = [row["val_frechet_distance"] for row in rows if row["val_loss"] is not None]
    task = load_recipe("gan-mnist", TINY).task(load_recipe("gan-mnist", TINY).data)
    assert task.cost(task.measure(load_model(tmp_path))) == pytest.approx(min(measured), rel=1e-6)


def test_seeds(cli):
    result = cli("train", "vae-mnist", "--seeds", 2, "--set", *TINY)
    assert result.code == 0 and result.lines[-1].startswith("mean of 2 runs ") and "%" not in result.lines[-1]


def test_classes(cli, refused):
    assert cli("train", "vae-mnist", "--set", *TINY, "model.conditional=true", "train.max_steps=200").code == 0
    result = cli("sample", "--class", "horizontal", "--n", 4)
    assert result.code == 0 and is_png(result.lines[-1])
    refused(1, "--class 7: unknown class, expected one of vertical, horizontal", "sample", "--class", "7")
    figures = evaluate("runs/vae-mnist")
    assert figures["neg_elbo"] > 0 and figures["classes_covered"] == 2
    assert cli("train", "vae-mnist", "--out", "plain", "--set", *TINY).code == 0
    refused(1, "was trained without classes; train one with --set model.conditional=true", "sample", "--model", "plain",
            "--class", "vertical")


def test_one_class_only(cli, refused):
    assert cli("train", "vae-mnist", "--set", *TINY, "data.kind=vertical").code == 0
    figures = evaluate("runs/vae-mnist")
    assert figures["class_shares"][0] > 0.8 and list(figures["baselines"]) == ["pixel means", "PCA, 3 components"]
    refused(1, "data.kind: got 'oblique', expected one of vertical, horizontal", "train", "vae-mnist", "--set",
            "data.kind=oblique")


def test_what_it_cannot_do(cli, refused, tiny):
    refused(1, "no trained model that generates pictures under runs/; run `tinyformer train vae-mnist` first", "sample")
    assert cli("train", "vae-mnist", "--set", *TINY, "train.max_steps=2").code == 0
    refused(1, "--interpolate and --plane are two different sheets", "sample", "--interpolate", "--plane")
    refused(1, "expected a name that ends in .png", "sample", "--out", "sheet.jpg")
    for what in ("digit.png", "some words"):
        refused(1, "runs/vae-mnist: a VAE predicts no class, expected the folder of a trained classifier", "predict",
                what, "--model", "runs/vae-mnist")
    assert cli("train", "--out", "words", "--set", *tiny).code == 0
    refused(1, "words: a GPT draws no pictures, expected a VAE or GAN of pictures", "sample", "--model", "words")


def test_players_that_diverge_are_said_in_one_line(refused):
    """Each step is finite, batch norm's statistics are not."""
    refused(1, "the validation loss is nan: the first operation whose output is not finite is", "train", "gan-mnist",
            "--set", *TINY, "train.lr=1e9", "model.batch_norm=true")


def test_a_bound_that_is_not_finite_on_one_picture_is_explained_by_this_picture(strokes):
    recipe = load_recipe("vae-mnist", TINY)
    task = recipe.task(recipe.data)
    model = recipe.model_class(recipe.model_config(**task.sizes()))
    for part in (strokes.train, strokes.validation):
        part.x[:, 0] = 0
    strokes.validation.x[3, 0] = 1
    model.encoder[0].weight.data[:, 0] = 3e38
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=(
            "the validation loss is (nan|inf): the first operation whose output is not finite is")):
        task.measure(model)


def test_a_discriminator_that_wins_is_said_in_one_line(refused, monkeypatch):
    monkeypatch.setattr("tinyformer.models.gan.WON", 100.0)
    monkeypatch.setattr("tinyformer.models.gan.PATIENCE", 5)
    refused(1, "the discriminator's loss has been at its minimum for 5 steps", "train", "gan-mnist", "--set", *TINY)
