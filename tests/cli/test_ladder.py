"""tinyformer ladder, of made-up figures; and names, which are written one after the other."""

import json
from pathlib import Path

import pytest

from tinyformer.train.ladder import report, rung

NETWORKS = ["model.n_embd=8", "model.n_hidden=8", "train.max_steps=3", "train.eval_every=3", "train.checkpoint_every=3"]


@pytest.fixture
def climbed(monkeypatch):
    """What the ladder was asked for; nothing is trained."""
    asked = {}

    def climb(name, folder, seeds, given):
        asked.update(name=name, folder=folder, seeds=seeds, given=given)
        rungs = [rung("uniform", "guess", [3.3], 0, 0.0), {**rung("bigram", "counted", [2.0], 700, 0.1), "n": 2},
                 rung("MLP", "network", [2.2, 2.24], 10_203, 4.0)]
        return report(name, rungs, "names: 4 lines")

    monkeypatch.setattr("tinyformer.train.ladder.climb", climb)
    return asked


def test_a_table_a_picture_and_the_figures(cli, climbed):
    result = cli("ladder", "names", "--seeds", "2", "--run", "here", "--run", "there")
    assert result.code == 0 and result.errors == []
    assert climbed == {"name": "names", "folder": Path("runs/ladder-names"), "seeds": 2,
                       "given": [Path("here"), Path("there")]}
    rows = {line.split()[0]: line.split()[1:] for line in result.lines if line[:1].strip()}
    assert rows["uniform"] == ["3.3000", "0", "0.0"] and rows["bigram"] == ["2.0000", "700", "0.1"]
    assert rows["MLP"][0] in ("2.2200", "LOSES", "is") and "± 0.0283 (2 seeds)" in result.out
    assert "MLP is no better than bigram: 2.220 against 2.000" in result.lines
    assert "MLP LOSES to counting: Kneser-Ney with n = 2 has 2.000" in result.lines
    assert "the best n-gram, n = 2" in result.out and "makemore's bigram has 2.476" in result.out
    folder = Path("runs/ladder-names")
    assert (folder / "ladder.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "ladder.json").read_text())["rungs"][2]["nats"] == [2.2, 2.24]


def test_a_ladder_that_is_not_there(refused, climbed):
    refused(1, "unknown ladder 'numbers', expected one of names, shakespeare", "ladder", "numbers")
    assert not climbed


def test_names_are_written_one_after_the_other(cli, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join("abcde"[i % 5] + "xyz"[i % 3] * (1 + i % 7) for i in range(105)) + "\n")
    result = cli("train", "mlp-names", "--set", f"data.corpus={names}", *NETWORKS)
    assert result.code == 0 and "names.txt" in result.lines[0] and " lines to train on, " in result.lines[0]
    written = cli("generate", "ax", "--max-new-tokens", "60", "--seed", "3").out
    assert written.startswith("ax") and len(written) == 63 and written.count("\n") > 1
    figures = json.loads(cli("evaluate", "--json").out)
    assert figures["against_kneser_ney"].startswith("LOSES to counting by ")
