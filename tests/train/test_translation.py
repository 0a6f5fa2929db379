"""Sequence to sequence: the data, what is measured, and a run from end to end."""

import json
import shutil

import numpy as np
import pytest

from tinyformer.data import Dataset, Examples
from tinyformer.text.pairs import BEGIN, END, PAD, UNKNOWN
from tinyformer.train import RecipeError, load_recipe
from tinyformer.train.tasks.translation import PairSettings, Translation, edit_distance, judged, one_unknown, \
    without_digits

TINY = ["data.examples=300", "data.length=3", "model.n_layer=1", "model.n_head=2", "model.n_embd=16",
        "train.max_steps=6",
        "train.batch_size=8", "train.eval_every=3", "train.checkpoint_every=3", "train.warmup_steps=2"]


def pairs(path, rows):
    path.write_text("".join(f"{x}\t{y}\n" for x, y in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def spelled(tmp_path):
    """Words of several lengths, each answered letter by letter in capitals; some have two answers."""
    rng = np.random.default_rng(0)
    words = sorted({"".join(rng.choice(list("abcde"), rng.integers(1, 8))) for _ in range(400)})
    rows = [(word, " ".join(word.upper())) for word in words] + [(word, "X") for word in words[::10]]
    return Translation(PairSettings(pairs(tmp_path / "words.tsv", rows), target="words"))


# ------------------------------------------------------------------------------------------------ data

@pytest.mark.parametrize("rule, answer", (("reverse", lambda x: x[::-1]), ("sort", lambda x: "".join(sorted(x))),
                                          ("copy", lambda x: x),
                                          ("add", lambda x: f"{sum(map(int, x.split('+'))):05d}"[::-1])))
def test_made_up_by_rule(rule, answer):
    task = Translation(PairSettings(rule, examples=500, length=4))
    parts = [set(part.x) for part in (task.train, task.validation, task.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) > 450                 # none stands on both sides
    for part in (task.train, task.validation, task.test):
        assert [answer(x) for x in part.x] == part.y


def test_batches_hold_texts_about_as_long_as_each_other(spelled):
    rng = np.random.default_rng(0)
    spread, lengths = [], set()
    for _ in range(50):
        source, target = spelled.batch(None, 6, rng)
        assert source.shape[0] == target.shape[0] == 6
        for x, y in zip(source, target):
            word = "".join(spelled.tokenizer.symbols[id - 4] for id in x if id != PAD)
            y = y[y != PAD]
            assert y[0] == BEGIN and y[-1] == END
            assert (word, spelled.tokenizer.decode(y)) in set(zip(*spelled.train))
        n = (source != PAD).sum(axis=1)
        spread.append(n.max() - n.min())
        lengths.update(n.tolist())
    assert np.mean(spread) < 1.5 and lengths == set(range(1, 8))


def test_symbols_made_unknown(tmp_path):
    task = Translation(PairSettings("copy", examples=300, length=6, unknown=0.5))
    source, target = task.batch(None, 200, np.random.default_rng(0))
    np.testing.assert_array_equal(source, target[:, 1:-1])
    share = (source == UNKNOWN).any(axis=1).mean()
    assert abs(share - 0.5) < 5 * 0.5 / 200 ** 0.5
    x, y = one_unknown(np.array([5, 6, 5]), np.array([BEGIN, 7, 5, END]), np.random.default_rng(0))
    assert x.tolist() == [UNKNOWN, 6, UNKNOWN] and y.tolist() == [BEGIN, 7, UNKNOWN, END]
    x, y = one_unknown(np.array([5, 6]), np.array([BEGIN, 7, END]), np.random.default_rng(0))
    assert x.tolist() == [5, 6] and y.tolist() == [BEGIN, 7, END]


def test_without_stress():
    train = Examples(["read", "read", "read", "r2"], ["R EH1 D", "R IY1 D", "R EH0 D", "AA1 R T UW2"])
    data = without_digits(Dataset("cmudict", train, Examples(["a"], ["AH0"]), Examples(["b"], ["B IY1"])))
    assert data.train == (["read", "read", "r2"], ["R EH D", "R IY D", "AA R T UW"])
    assert data.validation == (["a"], ["AH"]) and data.test == (["b"], ["B IY"])


# ------------------------------------------------------------------------------------------------ what is measured

@pytest.mark.parametrize("a, b, distance", (("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3),
                                            ("abc", "abc", 0), ("abcd", "bcda", 2), ("flaw", "lawn", 2)))
def test_edit_distance(a, b, distance):
    assert edit_distance(list(a), list(b)) == edit_distance(list(b), list(a)) == distance


def test_any_of_several_answers_is_right():
    figures = judged(["K A", "B", "C C"], {"one": ["X", "K A"], "two": ["B D"], "three": ["A B C D"]}, "words")
    assert figures["exact_match"] == pytest.approx(1 / 3)
    assert figures["error_rate"] == pytest.approx((0 + 1 + 3) / (2 + 2 + 4))
    assert figures["standard_error"] == pytest.approx((1 / 3 * 2 / 3 / 3) ** 0.5, rel=0.3)


class Oracle:
    """A model that knows the answers, but for every third word."""

    training = False

    def __init__(self, task):
        self.task = task
        self.answers = dict(zip(*task.test)) | dict(zip(*task.validation))
        self.asked = 0

    def translate(self, source, beams=1):
        found = []
        for row in source:
            word = "".join(self.task.tokenizer.symbols[id - 4] for id in row if id != PAD)
            self.asked += 1
            found.append([] if self.asked % 3 == 0 else self.task.tokenizer.encode_target(" ".join(word.upper()))[1:-1])
        return found

    def num_parameters(self):
        return 0

    def state_dict(self):
        return {}

    def train(self, mode=True):
        return self

    def eval(self):
        return self


def test_a_look_counts_any_listed_answer_as_right(spelled, monkeypatch):
    monkeypatch.setattr(spelled, "_loss", lambda *_: 0.0)
    said, listed = dict(zip(*spelled.validation)), spelled.listed("validation")     # of several answers the last one: X
    assert any(len(answers) == 2 for answers in listed.values())
    monkeypatch.setattr(spelled, "answers", lambda _, texts: [said[x] for x in texts])
    assert spelled.measure(None)["val_exact_match"] == 1.0
    monkeypatch.setattr(spelled, "answers", lambda _, texts: ["?" for _ in texts])
    assert spelled.measure(None)["val_exact_match"] == 0.0


def test_evaluation_asks_each_source_once(spelled, monkeypatch):
    monkeypatch.setattr(spelled, "_loss", lambda *_: 0.0)
    oracle = Oracle(spelled)
    figures = spelled.evaluate(oracle)
    n = len(set(spelled.test.x))
    assert figures["texts"] == oracle.asked == n < len(spelled.test.x)
    assert figures["exact_match"] == pytest.approx((n - n // 3) / n)
    assert figures["baseline_exact_match"] == 1.0           # letter by letter is right here


def test_the_baseline_replaces_symbol_by_symbol(tmp_path):
    rows = [(f"{c}{d}", f"{c.upper()}{d}") for c in "abcdefgh"
            for d in "0123456789"] + [(f"b{d}", f"Z{d}") for d in range(2)]
    task = Translation(PairSettings(pairs(tmp_path / "p.tsv", rows)))
    assert task.baseline("ab3?") == "AB3?"


# ------------------------------------------------------------------------------------------------ a run

def test_a_run_from_end_to_end(tmp_path, monkeypatch):
    from tinyformer.train import train
    from tinyformer.train.metrics import read_metrics
    monkeypatch.setattr("tinyformer.train.run.draw_losses", lambda *_, **__: None)
    recipe = load_recipe("seq2seq-reverse", TINY)
    train(recipe, tmp_path / "whole")
    records = read_metrics(tmp_path / "whole" / "metrics.jsonl")
    assert [r["step"] for r in records if r["val_loss"] is not None] == [3, 6]
    assert 0 <= records[-1]["val_exact_match"] <= 1
    stopped = tmp_path / "stopped"
    shutil.copytree(tmp_path / "whole", stopped)
    (stopped / "checkpoints" / "step-00000006.safetensors").unlink()
    train(recipe, stopped, resume=True)
    assert (stopped / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


def test_the_command_line(tmp_path, monkeypatch, capsys):
    import sys

    from tinyformer.cli import main

    def tinyformer(*arguments):
        monkeypatch.setattr(sys, "argv", ["tinyformer", *arguments])
        try:
            main()
        except SystemExit as left:
            assert left.code in (0, 1, 2)
        return capsys.readouterr()

    monkeypatch.chdir(tmp_path)
    shown = tinyformer("train", "seq2seq-add", "--set", *TINY, "train.schedule=inverse-sqrt")
    assert "exact match" in shown.out and "symbol by symbol" in shown.out, shown
    figures = json.loads(tinyformer("evaluate", "runs/seq2seq-add", "--json").out)
    assert {"exact_match", "standard_error", "error_rate", "baseline_exact_match", "test_loss"} <= set(figures)
    assert "exact match" in tinyformer("evaluate").out
    lines = tinyformer("translate", "123+456", "999+001", "--beams", "2").out.splitlines()
    assert len(lines) == 2 and all(set(line) <= set("0123456789+<unk>") for line in lines)
    assert "use `tinyformer translate`" in tinyformer("generate", "--model", "runs/seq2seq-add").err
    assert "the text has 0 tokens, expected 1 to" in tinyformer("translate", "").err
    assert "the text has 40 tokens, expected 1 to" in tinyformer("translate", "1" * 40).err
    assert "the training texts do not contain 'x', '?'; expected symbols that they contain, such as '+'" \
        in tinyformer("translate", "1x2?x").err


# ------------------------------------------------------------------------------------------------ bad input

@pytest.mark.parametrize("setting, message", (
    ("data.target=letters", "data.target: got 'letters', expected one of characters, words"),
    ("data.length=0", "data.length: got 0, expected an integer of at least 1"),
    ("data.stress=false", "data.stress: got false, but reverse has no stress; expected true"),
    ("data.unknown=1.5", "data.unknown: got 1.5, expected a finite number from 0 to 1"),
    ("train.schedule=step", "train.schedule: got 'step', expected one of cosine, inverse-sqrt, linear"),
))
def test_settings_that_cannot_be_used(setting, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe("seq2seq-reverse", [setting])


def test_data_that_cannot_be_used(tmp_path):
    with pytest.raises(ValueError, match="data.set: 'nowhere' is neither a file nor one of copy, reverse, sort, add"):
        Translation(PairSettings("nowhere"))
    with pytest.raises(ValueError, match="data.set: 'sms-spam' is neither a file nor one of"):
        Translation(PairSettings("sms-spam"))
    (tmp_path / "bad.tsv").write_text("a\tb\nc\n", encoding="utf-8")
    with pytest.raises(ValueError, match="bad.tsv: text 2 is 'c', expected a source, a tab and a target"):
        Translation(PairSettings(str(tmp_path / "bad.tsv")))
    with pytest.raises(ValueError, match="its (train|validation|test) part has no texts"):
        Translation(PairSettings(pairs(tmp_path / "one.tsv", [("a", "b")])))
    task = Translation(PairSettings("reverse", examples=300, length=10))
    recipe = load_recipe("seq2seq-reverse", ["model.block_size=8"])
    with pytest.raises(ValueError,
                       match="reverse: a text of its train part has 11 symbols, expected at most model.block"):
        task.check(recipe.model_config(**task.sizes()))
