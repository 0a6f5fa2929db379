"""tinyformer train: the contract that others script against."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tinyformer.train import load_recipe

FILES = ["checkpoints", "config.json", "loss.png", "metrics.jsonl", "model.safetensors", "recipe.toml",
         "tokenizer.json"]


def test_what_a_run_prints_and_leaves(cli, tiny):
    result = cli("train", "--set", *tiny)
    folder = Path("runs/pydocs-char")
    assert result.code == 0 and result.errors == []
    assert sorted(os.listdir(folder)) == FILES
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [list(r) for r in records] == [["step", "train_loss", "val_loss", "lr", "grad_norm", "tokens_per_s"]] * 12

    last = re.fullmatch(r"val loss (\d\.\d{4}) \(whole validation split\) · 12 steps · \d+ s · (.*)", result.lines[-1])
    assert last and last[2] == str(folder) and float(last[1]) == pytest.approx(records[-1]["val_loss"], abs=5e-5)

    text = result.out
    order = ("tokens to train on", "a sample:", "checkpoint  ", "loss curve  ", "uniform ", "bigram ", "this model",
             "val loss ")
    places = [text.index(what) for what in order]
    assert places == sorted(places) and all(text.count(what) == 1 for what in ("a sample:", "val loss ", "bigram "))
    assert f"checkpoint  {folder / 'checkpoints' / 'step-00000012.safetensors'}\n" in text
    assert f"loss curve  {folder / 'loss.png'}\n" in text
    sample = text.partition("a sample:\n\n")[2].partition("\n\ncheckpoint")[0]
    assert 250 <= len(sample) <= 301
    losses = dict(re.findall(r"^(uniform|bigram|this model) +(\d\.\d{4}) nats per token on the same split$", text,
                             re.M))
    assert losses["this model"] == last[1] and float(losses["uniform"]) > float(losses["bigram"]) > 0


def test_out_and_repeated_set(cli, tiny, tmp_path):
    arguments = [word for setting in [*tiny, "train.seed=5"] for word in ("--set", setting)]
    result = cli("train", "shakespeare-char-cpu", "--out", tmp_path / "there", *arguments)
    assert result.code == 0 and result.lines[-1].endswith(f" · 12 steps · 0 s · {tmp_path / 'there'}")
    assert sorted(os.listdir(tmp_path / "there")) == FILES and not os.path.exists("runs")
    recipe = load_recipe(tmp_path / "there" / "recipe.toml")
    assert recipe.name == "shakespeare-char-cpu" and recipe.train.seed == 5 and recipe.model["n_embd"] == 16


def test_a_recipe_of_ones_own(cli, tiny, tmp_path):
    (tmp_path / "mine.toml").write_text("[train]\nseed = 9\n")
    assert cli("train", "--set", *tiny, "train.max_steps=2", "--out", "x", tmp_path / "mine.toml").code == 0
    assert load_recipe("x/recipe.toml").train.seed == 9
    assert cli("train", tmp_path / "mine.toml", "--set", *tiny, "train.max_steps=2").code == 0
    assert sorted(os.listdir("runs/mine")) == FILES


def test_resume_goes_on_with_the_runs_own_settings(cli, tiny, tmp_path):
    assert cli("train", "--set", *tiny, "train.max_steps=4").code == 0
    result = cli("train", "--resume", "--set", "train.max_steps=9")
    assert result.code == 0 and result.lines[0] == f"resuming {Path('runs/pydocs-char')} at step 4 of 9"
    assert " · 9 steps · " in result.lines[-1]
    again = cli("train", "pydocs-char", "--resume")
    assert "it is finished" in again.lines[0]
    assert again.lines[-1].split(" · ")[:2] == result.lines[-1].split(" · ")[:2]
    assert os.listdir("runs") == ["pydocs-char"]


def test_resume_without_a_run_starts_from_the_beginning(cli, tiny):
    result = cli("train", "--resume", "--set", *tiny)
    assert result.code == 0 and "so the training starts from the beginning" in result.lines[0] \
        and " · 12 steps · " in result.lines[-1]


def test_an_earlier_run_is_moved_aside(cli, tiny, trained):
    model = Path(trained, "model.safetensors").read_bytes()
    result = cli("train", "--set", *tiny, "train.seed=2")
    assert result.code == 0
    assert result.lines[0] == f"the earlier run in {Path(trained)} is now in {Path(trained + '-1')}"
    assert Path(trained + "-1",
                "model.safetensors").read_bytes() == model != Path(trained, "model.safetensors").read_bytes()


# ------------------------------------------------------------------------------------------------ asked for wrongly: 2

@pytest.mark.parametrize("arguments, message", (
    (["nosuch"], "unknown recipe 'nosuch'; expected the path of a .toml file, or one of "),
    (["shakespear-char-cpu"], "did you mean shakespeare-char-cpu?"),
    (["nosuch.toml"], "nosuch.toml: no such file; expected a recipe"),
    (["--set", "train.max_step=3"], "unknown setting 'train.max_step' (did you mean train.max_steps?)"),
    (["--set", "train.max_steps=1", "model.heads=3"], "unknown setting 'model.heads'"),
    (["--set", "train.max_steps=many"], "train.max_steps: got 'many', expected an integer"),
    (["--set", "train.lr=-1"], "train.lr: got -1.0, expected a finite number of at least 0"),
    (["--set", "train.max_steps"], "--set train.max_steps: expected section.key=value"),
    (["--set", "model.n_head=3"], "n_embd 128 cannot be divided among n_head 3 heads"),
    (["nosuch", "--resume"], "unknown recipe 'nosuch'"),
))
def test_usage_errors(refused, arguments, message):
    refused(2, message, "train", *arguments)
    assert not os.path.exists("runs")


def test_out_that_is_a_file(refused, tiny, tmp_path):
    corpus = tmp_path / "corpus.txt"
    before = corpus.read_bytes()
    refused(2, "is a file", "train", "--set", *tiny, "--out", corpus)
    refused(1, "corpus.txt", "train", "--set", *tiny, "--out", corpus / "below")
    assert corpus.read_bytes() == before


def test_resume_of_another_recipe(refused, trained):
    refused(2, "holds a run of the recipe pydocs-char, not of shakespeare-char-cpu",
            "train", "shakespeare-char-cpu", "--out", trained, "--resume")


# ------------------------------------------------------------------------------------------------ could not be done: 1

@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0,
                    reason="nothing is forbidden to root")
def test_what_may_not_be_read_or_written(refused, tiny, tmp_path):
    os.chmod(tmp_path / "corpus.txt", 0)
    refused(1, "cannot read", "train", "--set", *tiny)
    os.chmod(tmp_path / "corpus.txt", 0o600)
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(1, "Permission denied", "train", "--set", *tiny, "--out", tmp_path / "locked" / "run")


@pytest.mark.parametrize("content, message", (
    (b"", "is empty"),
    (b"caf\xe9" * 100, "is not UTF-8: byte 0xe9 at offset 3"),
    (b"short", "tokens, expected more than model.block_size = 16"),
    (b"long enough to train on, by and by" * 4,
     "its validation part has 14 tokens, expected more than model.block_size = 16"),
))
def test_texts_that_cannot_be_used(refused, tiny, tmp_path, content, message):
    (tmp_path / "bad.txt").write_bytes(content)
    error = refused(1, message, "train", "--set", *tiny, f"data.corpus={tmp_path / 'bad.txt'}").errors[0]
    assert "bad.txt" in error and not os.path.exists("runs")


def test_texts_that_are_not_there(refused, tiny, tmp_path):
    refused(1, "'pydoc' is neither a file nor one of the corpora pydocs, pysource, shakespeare, shakespeare-plays, "
               "names, "
               "chinese, sanguo; did you mean pydocs?",
            "train", "--set", *tiny, "data.corpus=pydoc")
    refused(1, f"cannot read {tmp_path}", "train", "--set", *tiny, f"data.corpus={tmp_path}")


def test_a_loss_that_is_not_finite(refused, tiny, trained):
    result = refused(1, "not finite", "train", "--resume", "--set", "train.max_steps=20", "train.lr=1e30",
                     "train.min_lr=1e30")
    error = result.errors[0]
    assert re.match(r"tinyformer: step 1[3-9]: .*try a lower learning rate", error)
    assert "step-00000012.safetensors" in os.listdir(f"{trained}/checkpoints")


@pytest.mark.parametrize("damage, message", (
    (lambda path: path.write_bytes(path.read_bytes()[:2000]), "damaged or not a safetensors file"),
    (lambda path: path.write_bytes(b"\xff" * 9), "damaged or not a safetensors file"),
    (lambda path: path.write_bytes((path.parent.parent / "model.safetensors").read_bytes()),
     "it holds no training state"),
), ids=("truncated", "header", "model"))
def test_a_damaged_checkpoint(cli, refused, tiny, trained, damage, message):
    folder = Path(trained, "checkpoints")
    damage(folder / "step-00000012.safetensors")
    model = Path(trained, "model.safetensors").read_bytes()
    error = refused(1, message, "train", "--resume").errors[0]
    assert f"{folder / 'step-00000012.safetensors'}: " in error
    assert error.endswith("delete it to continue from step-00000008.safetensors")
    (folder / "step-00000012.safetensors").unlink()         # what it says can be done
    assert cli("train", "--resume").lines[0].endswith("at step 8 of 12")
    assert Path(trained, "model.safetensors").read_bytes() == model


def test_a_checkpoint_of_another_model(refused, trained):
    error = refused(1, "wte.weight has shape", "train", "--resume", "--set", "model.n_embd=32").errors[0]
    assert "step-00000012.safetensors" in error and "continue with the recipe that made it" in error
    assert load_recipe(f"{trained}/recipe.toml").model["n_embd"] == 16


@pytest.mark.parametrize("name, content, code", (("recipe.toml", "[train", 2), ("tokenizer.json", "{", 1)))
def test_damaged_files_beside_the_checkpoint(refused, trained, name, content, code):
    Path(trained, name).write_text(content)
    refused(code, name, "train", "--resume")


def test_ctrl_c_before_the_first_step(refused, tiny, monkeypatch):
    from tinyformer.train.tasks import language
    load = language.load_corpus
    monkeypatch.setattr(language, "load_corpus", lambda name: signal.raise_signal(signal.SIGINT) or load(name))
    refused(130, "tinyformer: stopped", "train", "--set", *tiny)
    assert not os.path.exists("runs")


def test_ctrl_c_while_training(cli, refused, tiny, monkeypatch):
    from tinyformer.train.tasks import language
    windows, calls = language.random_windows, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 6:
            signal.raise_signal(signal.SIGINT)
        return windows(*arguments)

    monkeypatch.setattr(language, "random_windows", interrupted)
    error = refused(130, "stopped at step 6, saved in", "train", "--set", *tiny).errors[0]
    assert error.endswith("the same command with --resume continues")
    assert cli("train", "--resume", "--set", *tiny).lines[0].endswith("at step 6 of 12")


# ------------------------------------------------------------------------------------------------ while it goes on

def test_plain_lines_without_a_terminal(cli, tiny, monkeypatch):
    """A clock that goes on half a second at each look makes the run seem long."""
    monkeypatch.setattr("tinyformer.train.progress.time.monotonic", itertools.count(0, 0.5).__next__)
    lines = [line for line in cli("train", "--set", *tiny).lines if line.startswith("step ")]
    assert 3 <= len(lines) <= 5
    for line in lines:
        assert re.fullmatch(r"step \d+/12  train \d\.\d{4}(  val \d\.\d{4})?  [\d,]+ tokens/s  \d+ s left", line), line
    assert "val" not in lines[0] and "val" in lines[-1]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals of this kind")
def test_a_bar_on_a_terminal(tiny, tmp_path):
    import pty
    keyboard, screen = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        environment.pop(name, None)
    process = subprocess.Popen([sys.executable, "-m", "tinyformer", "train", "--set", *tiny, "train.max_steps=200"],
                               cwd=tmp_path, stdin=screen, stdout=screen, stderr=screen, env=environment)
    os.close(screen)
    shown = b""
    while True:
        try:
            part = os.read(keyboard, 65536)
        except OSError:                                     # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(keyboard)
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    drawn = [line for line in re.split(r"[\r\n]+", text) if line.startswith("step")]
    assert len(drawn) >= 2 and len({line.split()[1] for line in drawn}) >= 2          # it moves
    facts = r"train \d\.\d{4}  val \d\.\d{4}  [\d,]+ tokens/s 00:00 left"
    assert re.fullmatch(rf"step 200/200 ━+ {facts} *", drawn[-1]), drawn
    assert all(len(line) <= 80 for line in drawn)
    assert " · 200 steps · " in text.rstrip().splitlines()[-1]
