"""Runs on texts of a line each: what is learned from, what is measured, what is refused."""

import json

import numpy as np
import pytest

from tinyformer.autograd import no_grad
from tinyformer.models import load_model
from tinyformer.train import load_recipe
from tinyformer.train import train as train_recipe
from tinyformer.train.losses import bigram_loss, evaluate_loss, in_one, kneser_ney_losses
from tinyformer.train.tasks import Language

NETWORKS = ("mlp-names", "rnn-names", "gru-names", "lstm-names", "gpt-names")


@pytest.fixture
def names(tmp_path, rng):
    """The settings of a blink of a run on 120 made-up names."""
    path = tmp_path / "names.txt"
    path.write_text("\n".join("".join(rng.choice(list("abcde"), rng.integers(1, 9))) + "xyz"[i % 3]
                              for i in range(120)) + "\n")
    return [f"data.corpus={path}"]


QUICK = ["train.max_steps=12", "train.eval_every=6", "train.checkpoint_every=12", "train.batch_size=8"]


def learned(name, settings, folder):
    return train_recipe(load_recipe(name, [*settings, *QUICK]), folder)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_learn_names(tmp_path, names, monkeypatch, name):
    monkeypatch.setattr("tinyformer.train.run.draw_losses", lambda *_, **__: None)
    result = learned(name, names, tmp_path / "run")
    assert result.val_loss < result.baselines["uniform"]
    task = Language(load_recipe(name, names).data, tmp_path / "run")
    model = load_model(tmp_path / "run")
    losses = []
    for line in task.validation:                            # each alone, one token after the other
        with no_grad():
            logits = model(line[None, :-1]).data[0].astype(np.float64)
        losses += list(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(line) - 1), line[1:]])
    assert result.val_loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_counting_names(tmp_path, names):
    result = train_recipe(load_recipe("bigram-names", names), tmp_path / "run")
    task = Language(load_recipe("bigram-names", names).data)
    assert result.val_loss == pytest.approx(kneser_ney_losses(task.train, task.validation,
                                                              task.tokenizer.vocab_size)[2])
    assert train_recipe(load_recipe("kn-names", names), tmp_path / "more").val_loss != result.val_loss


def test_baselines_count_within_a_line_and_stand_in_the_figures(tmp_path, names):
    task = Language(load_recipe("kn-names", names).data)
    V, first = task.tokenizer.vocab_size, task.train[0]
    pairs = [pair for line in task.train for pair in zip(line, line[1:])]
    asked = [pair for line in task.validation for pair in zip(line, line[1:])]
    naive = -np.mean([np.log((pairs.count(pair) + 1) / (sum(a == pair[0] for a, _ in pairs) + V)) for pair in asked])
    assert bigram_loss(task.train, task.validation, V) == pytest.approx(naive, rel=1e-12)
    np.testing.assert_array_equal(in_one([first, first]), [*first, *first[1:]])
    losses = kneser_ney_losses(task.train, task.validation, V)
    assert list(losses) == [1, 2, 3, 4, 5, 6] and task.baselines()["Kneser-Ney"] == min(losses.values())

    train_recipe(load_recipe("kn-names", names), tmp_path / "run")
    figures = task.evaluate(load_model(tmp_path / "run"))
    assert figures["tokens"] == len(asked) and figures["kneser_ney_loss"] == min(losses.values())
    assert figures["bits_per_character"] == pytest.approx(figures["bits_per_token"])
    assert json.dumps(figures)


def test_the_parts_are_lines_and_the_test_part_is_left_alone(names):
    task = Language(load_recipe("gpt-names", names).data)
    parts = [[task.tokenizer.decode(line) for line in part] for part in (task.train, task.validation, task.test)]
    assert all(line[0] == line[-1] == "\n" and line[1:-1].isalpha() for part in parts for line in part)
    assert sum(map(len, parts)) == len({*sum(parts, [])}) and task.describe().startswith(str(task.corpus))
    x, y = task.batch(None, 50, np.random.default_rng(0))
    drawn = {task.tokenizer.decode([*ids[targets != -100], targets[targets != -100][-1]]) for ids, targets in zip(x, y)}
    assert drawn <= set(parts[0])


def test_the_verdict_is_in_words():
    from tinyformer.train.tasks.language import verdict
    assert verdict(1.5, 1.65) == "better than counting by 0.150 nats"
    assert verdict(1.65, 1.5) == "LOSES to counting by 0.150 nats" and verdict(1.5, 1.5) == "as good as counting"


# ------------------------------------------------------------------------------------------------ bad input

def test_a_line_longer_than_the_block(tmp_path, names):
    with pytest.raises(ValueError, match=r"its longest line has \d+ tokens, expected at most model.block_size = 4"):
        learned("rnn-names", [*names, "model.block_size=4"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", ("ada\n", "ada"))
def test_too_few_lines(tmp_path, text):
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(ValueError, match="no line falls into its .* part; expected more lines"):
        learned("rnn-names", [f"data.corpus={tmp_path / 'names.txt'}"], tmp_path / "run")


@pytest.mark.parametrize("batch_size", (1, 7, 100))
def test_the_size_of_batches_does_not_matter(tmp_path, names, batch_size):
    train_recipe(load_recipe("kn-names", names), tmp_path / "run")
    task, model = Language(load_recipe("kn-names", names).data), load_model(tmp_path / "run")
    assert evaluate_loss(model, task.test,
                         batch_size=batch_size) == pytest.approx(evaluate_loss(model, task.test), rel=1e-12)
