"""A run in its folder: what it leaves there, going on with it, and not losing an earlier one."""

import json
import os

import numpy as np
import pytest
import tomlkit

from tinyformer.data import split
from tinyformer.interop.weights import read_weights, write_weights
from tinyformer.models import load_model
from tinyformer.text import load_tokenizer
from tinyformer.train import load_recipe
from tinyformer.train.losses import evaluate_loss
from tinyformer.train.metrics import read_metrics
from tinyformer.train.tasks import Language

DROPOUT = ("model.dropout=0.2", "train.accumulate=2")


def test_what_a_run_leaves(tmp_path, train, tiny):
    folder = tmp_path / "run"
    result = train(folder)
    assert sorted(os.listdir(folder)) == ["checkpoints", "config.json", "metrics.jsonl", "model.safetensors",
                                          "recipe.toml", "tokenizer.json"]   # and loss.png, which tests leave out
    checkpoints = [path.name for path in sorted((folder / "checkpoints").iterdir())]
    assert checkpoints == [f"step-{step:08d}.safetensors" for step in (8, 12)]
    assert result.checkpoint == folder / "checkpoints" / "step-00000012.safetensors"
    assert load_recipe(folder / "recipe.toml") == load_recipe("pydocs-char", tiny)
    # a default, filled in
    assert tomlkit.parse((folder / "recipe.toml").read_text())["train"]["accumulate"] == 1

    records = read_metrics(folder / "metrics.jsonl")
    assert [list(r) for r in records] == [["step", "train_loss", "val_loss", "lr", "grad_norm", "tokens_per_s"]] * 12
    assert [r["step"] for r in records] == list(range(1, 13))
    assert [r["step"] for r in records if r["val_loss"] is not None] == [5, 10, 12]
    assert all(r[key] > 0 for r in records for key in ("train_loss", "lr", "grad_norm", "tokens_per_s"))
    assert records[-1]["train_loss"] < records[0]["train_loss"]


def test_the_result_is_about_the_whole_validation_split(tmp_path, train):
    folder = tmp_path / "run"
    result = train(folder, "train.eval_windows=1")
    corpus = Language(load_recipe(folder / "recipe.toml").data, folder)
    whole = evaluate_loss(load_model(folder), corpus.validation)
    assert result.val_loss == read_metrics(folder / "metrics.jsonl")[-1]["val_loss"] == whole
    assert result.baselines["uniform"] == pytest.approx(np.log(corpus.tokenizer.vocab_size))
    assert result.val_loss != pytest.approx(evaluate_loss(load_model(folder), corpus.validation, at_most=1), rel=1e-6)


def test_the_picture_is_drawn_with_both_baselines(tmp_path, train, monkeypatch):
    drawn = {}

    def draw(records, path, **how):
        drawn.update(how, n=len(records), path=path)

    monkeypatch.setattr("tinyformer.train.run.draw_losses", draw)
    result = train(tmp_path / "run")
    assert drawn == {"n": 12, "path": tmp_path / "run" / "loss.png", "title": "pydocs-char",
                     "final": (12, result.val_loss),
                     "levels": result.baselines, "ylabel": "cross-entropy (nats per token)"}


def test_the_same_seed_gives_the_same_bits_and_another_others(tmp_path, train, outcome):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        train(tmp_path / name, *DROPOUT, f"train.seed={seed}")
    assert outcome(tmp_path / "one") == outcome(tmp_path / "two")
    assert outcome(tmp_path / "one").model != outcome(tmp_path / "three").model


def test_bpe_learns_its_merges_from_the_training_part_alone(tmp_path, train):
    (tmp_path / "text.txt").write_text("ab " * 400 + "xyxyxyxy" * 20)
    train(tmp_path / "run", f"data.corpus={tmp_path / 'text.txt'}", "data.tokenizer=bpe", "data.vocab_size=260",
          "data.train_fraction=0.8", "train.max_steps=1", "model.block_size=4")
    tokens = load_tokenizer(tmp_path / "run" / "tokenizer.json").tokens
    assert b"ab" in tokens and b"xy" not in tokens


@pytest.mark.parametrize("tokenizer", ("char", "bpe", "word"))
def test_every_tokenizer_holds_out_the_same_characters(tmp_path, tokenizer):
    text = "a rose is a rose is a rose " * 20 + "zebras graze where roses rise and rain "
    (tmp_path / "text.txt").write_text(text)
    task = Language(load_recipe("pydocs-char", [f"data.corpus={tmp_path / 'text.txt'}", f"data.tokenizer={tokenizer}",
                                                "data.vocab_size=270", "data.train_fraction=0.9"]).data)
    train, held_out = split(text, 0.9)
    assert np.array_equal(task.train, task.tokenizer.encode(train))
    assert np.array_equal(task.validation, task.tokenizer.encode(held_out))


# ------------------------------------------------------------------------------------------------ an earlier run

def test_an_earlier_run_is_moved_aside_each_time(tmp_path, train, outcome, capsys):
    folder = tmp_path / "run"
    outcomes = []
    for seed in (1, 2, 3):
        train(folder, f"train.seed={seed}")
        outcomes.append(outcome(folder))
    assert [outcome(tmp_path / name) for name in ("run-1", "run-2", "run")] == outcomes
    assert f"the earlier run in {folder} is now in {tmp_path / 'run-2'}" in capsys.readouterr().out


def test_a_folder_without_a_run_is_used_as_it_is(tmp_path, train):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    train(tmp_path / "run")
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine" and not (tmp_path / "run-1").exists()


def test_a_corpus_that_cannot_be_used_leaves_the_earlier_run_where_it_is(tmp_path, train, outcome):
    train(tmp_path / "run")
    before = outcome(tmp_path / "run")
    with pytest.raises(ValueError, match="neither a file nor one of the corpora"):
        train(tmp_path / "run", "data.corpus=nosuch")
    assert outcome(tmp_path / "run") == before


def test_the_working_folder_cannot_be_moved_aside(tmp_path, train, outcome, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(".")                                              # a new run there is no trouble
    before = outcome(tmp_path)
    with pytest.raises(ValueError, match="holds a run and cannot be renamed, since it is the working"):
        train(".")
    assert outcome(tmp_path) == before


# ------------------------------------------------------------------------------------------------ going on

def test_a_finished_run_goes_on_with_more_steps(tmp_path, train, capsys):
    folder = tmp_path / "run"
    train(folder)
    result = train(folder, "train.max_steps=15", resume=True)
    assert result.step == 15 and [r["step"] for r in read_metrics(folder / "metrics.jsonl")] == list(range(1, 16))
    assert f"resuming {folder} at step 12 of 15\n" in capsys.readouterr().out
    assert load_recipe(folder / "recipe.toml").train.max_steps == 15 and not (tmp_path / "run-1").exists()


def test_a_finished_run_says_that_it_is_done(tmp_path, train, outcome, capsys):
    folder = tmp_path / "run"
    first = train(folder)
    before = outcome(folder)
    again = train(folder, resume=True)
    assert "at step 12 of 12; it is finished" in capsys.readouterr().out
    assert (again.step, again.val_loss, again.baselines) == (first.step, first.val_loss, first.baselines)
    assert outcome(folder) == before


def test_fewer_steps_than_were_done_are_done_too_and_the_loss_is_whole(tmp_path, train):
    """Step 10 has an estimate in metrics.jsonl; the result must not be that."""
    folder = tmp_path / "run"
    train(folder, "train.max_steps=20", "train.checkpoint_every=10")
    (folder / "checkpoints" / "step-00000020.safetensors").unlink()
    result = train(folder, "train.max_steps=5", resume=True)
    corpus = Language(load_recipe(folder / "recipe.toml").data, folder)
    assert result.step == 10 and result.val_loss == evaluate_loss(load_model(folder), corpus.validation)


def test_nothing_to_resume_starts_from_the_beginning(tmp_path, train, outcome, capsys):
    train(tmp_path / "plain")
    train(tmp_path / "resumed", resume=True)
    assert "holds no checkpoint to resume from, so the training starts" in capsys.readouterr().out
    assert outcome(tmp_path / "plain") == outcome(tmp_path / "resumed")


def test_a_run_whose_checkpoints_are_lost_is_moved_aside(tmp_path, train):
    folder = tmp_path / "run"
    train(folder)
    for path in (folder / "checkpoints").iterdir():
        path.unlink()
    model = (folder / "model.safetensors").read_bytes()
    train(folder, "train.seed=2", resume=True)
    assert (tmp_path / "run-1" / "model.safetensors").read_bytes() == model


def test_options_of_the_optimizer_may_be_changed(tmp_path, train, outcome):
    """They are the recipe's, not the checkpoint's: as if they had been changed while it ran."""
    for name, change in (("same", ()), ("decay", ("train.weight_decay=0.9",)), ("rate", ("train.lr=0.01",)),
                         ("beta", ("train.beta1=0.5",))):
        train(tmp_path / name, "train.max_steps=4")
        train(tmp_path / name, "train.max_steps=8", *change, resume=True)
    models = {outcome(tmp_path / name).model for name in ("same", "decay", "rate", "beta")}
    assert len(models) == 4


def test_files_lost_since_the_checkpoint_are_written_again(tmp_path, train, outcome):
    """A kill between the last checkpoint and the files next to it must not leave an older model, or none."""
    folder = tmp_path / "run"
    train(folder)
    before = outcome(folder)
    for name in ("model.safetensors", "config.json", "recipe.toml"):
        (folder / name).unlink()
    train(folder, resume=True)
    assert outcome(folder) == before and load_model(folder).config.n_layer == 1


def rewrite(folder, change):
    path = folder / "checkpoints" / "step-00000012.safetensors"
    arrays, metadata = read_weights(path)
    state = json.loads(metadata["state"])
    change(arrays, state)
    write_weights(path, arrays, {"state": json.dumps(state)})


@pytest.mark.parametrize("settings, change, message", (
    (("model.n_embd=32",), None, r"wte.weight has shape \(\d+, 16\), expected \(\d+, 32\)"),
    (("model.n_layer=2",), None, "missing: h.1"),
    (("model.bias=true",), None, "missing: .*bias"),
    (("data.train_fraction=0.5",), None, "trained on other data: the text, its tokenizer or its split changed"),
    ((), lambda arrays, state: state.pop("schedule"), "its state has no 'schedule'"),
    ((), lambda arrays, state: state.pop("data_sha256"), "its state has no 'data_sha256'"),
    ((), lambda arrays, state: state.update(optimizer=[1]), "list"),
    ((), lambda arrays, state: state["optimizer"].update(optimizer="SGD"), "it is of SGD"),
    ((), lambda arrays, state: state.update(random={"bit_generator": "MT19937"}), "PCG64"),
    ((), lambda arrays, state: state.update(step="many"), "'many'"),
    ((), lambda arrays, state: arrays.pop("optimizer.0.exp_avg"), "the array 0.exp_avg is missing"),
    ((), lambda arrays, state: arrays.pop("model.wpe.weight"), "missing: wpe.weight"),
))
def test_a_checkpoint_that_does_not_fit_is_named_and_nothing_is_lost(tmp_path, train, outcome, settings, change,
                                                                     message):
    folder = tmp_path / "run"
    train(folder)
    if change:
        rewrite(folder, change)
    before = outcome(folder)
    whole = f"cannot resume from .*step-00000012.safetensors: .*{message}.*start again without --resume"
    with pytest.raises(ValueError, match=whole) as caught:
        train(folder, "train.max_steps=20", *settings, resume=True)
    assert "\n" not in str(caught.value)
    assert outcome(folder) == before


def test_a_changed_text_is_another_corpus(tmp_path, train):
    train(tmp_path / "run")
    text = (tmp_path / "corpus.txt").read_text()
    (tmp_path / "corpus.txt").write_text(text[:-2] + text[0] + "\n")
    with pytest.raises(ValueError, match="trained on other data"):
        train(tmp_path / "run", resume=True)


@pytest.mark.parametrize("settings, message", (
    (("model.block_size=500",),
     r"corpus.txt: its validation part has \d+ tokens, expected more than model.block_size = 500"),
    (("model.block_size=5000",), "its training part has"),
))
def test_a_corpus_shorter_than_a_block(tmp_path, train, settings, message):
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", *settings)
    assert not (tmp_path / "run").exists()


# ------------------------------------------------------------------------------------------------ not finite

@pytest.mark.parametrize("settings", (
    ("train.lr=1e30",),
    ("train.lr=1e38",),
    ("train.lr=1e38", "train.eval_every=1"),
    ("train.lr=1e38", "train.checkpoint_every=1"),
    ("train.lr=1e38", "train.min_lr=1e38", "train.max_steps=5"),
))
def test_a_run_that_diverges_stops_and_keeps_what_was_good(tmp_path, train, outcome, settings):
    folder = tmp_path / "run"
    train(folder, "train.max_steps=4", "train.warmup_steps=0")
    before = outcome(folder)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError,
                                                  match=r"step \d: .*not finite.*try a lower learning rate"):
        train(folder, "train.max_steps=12", "train.warmup_steps=0", *settings, resume=True)
    assert "step-00000004.safetensors" in outcome(folder).checkpoints and outcome(folder).model == before.model
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} in metrics.jsonl"))
    train(folder, "train.max_steps=12", resume=True)        # and a sound rate goes on
    assert outcome(folder).checkpoints[-1] == "step-00000012.safetensors"


# ------------------------------------------------------------------------------------------------ patience

PATIENT = ("train.max_steps=60", "train.eval_every=2", "train.patience=2", "train.lr=0.1", "train.warmup_steps=0")


def test_patience_ends_a_run_and_keeps_its_best_model(tmp_path, train):
    folder = tmp_path / "run"
    result = train(folder, *PATIENT)
    looks = {r["step"]: r["val_loss"] for r in read_metrics(folder / "metrics.jsonl") if r["val_loss"] is not None}
    best = min(looks, key=looks.get)
    assert max(looks) == best + 4 < 60                      # two evaluations without a lower loss
    assert (result.step, result.val_loss) == (best, looks[best])
    assert evaluate_loss(load_model(folder),
                         Language(load_recipe(folder / "recipe.toml").data, folder).validation) == looks[best]


def test_a_patient_run_that_is_resumed_ends_alike(tmp_path, train, outcome, capsys):
    train(tmp_path / "whole", *PATIENT)
    whole = outcome(tmp_path / "whole")
    train(tmp_path / "parts", *PATIENT, "train.patience=1")
    for _ in range(2):
        train(tmp_path / "parts", *PATIENT, resume=True)
        assert (outcome(tmp_path / "parts").model, outcome(tmp_path / "parts").records) == (whole.model, whole.records)
    assert "it is finished" in capsys.readouterr().out
