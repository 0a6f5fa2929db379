"""tinyformer federated: what it prints and writes, and settings that are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from tinyformer.data import Dataset, Examples
from tinyformer.interop.weights import read_weights
from tinyformer.train.tasks import pictures

TINY = ("federated", "mlp-mnist-federated", "--clients", "4", "--rounds", "2", "--set", "model.n_hidden=4",
        "train.lr=0.2")


@pytest.fixture(autouse=True)
def strokes(monkeypatch):
    """Pictures of 4 × 4 with a stroke in one of four rows."""
    rng = np.random.default_rng(0)

    def draw(n):
        x, y = 0.2 * rng.random((n, 4, 4)).astype(np.float32), rng.integers(0, 4, n)
        x[np.arange(n), y] += 1
        return Examples(x.reshape(n, 16), y)

    dataset = Dataset("mnist-5k", draw(200), draw(40), draw(40), tuple("0123"))
    monkeypatch.setattr(pictures, "load", lambda name: dataset)


def test_a_federation(cli):
    result = cli(*TINY, "--split", "by-class", "--out", "run")
    assert result.code == 0 and result.errors == []
    assert [line.split(":")[0] for line in result.lines[:2]] == ["round 1", "round 2"]
    assert result.lines[-1].startswith("accuracy 0.") and result.lines[-1].endswith("after 2 rounds · run")
    assert {path.name for path in Path("run").iterdir()} >= {"model.safetensors", "recipe.toml", "config.json",
                                                             "metrics.jsonl", "rounds.png"}
    figures = json.loads(cli("evaluate", "run", "--json").out)
    assert f"accuracy {figures['accuracy']:.4f}" in result.lines[-1]


def test_no_round_writes_the_initial_model(cli):
    for folder, options in (("start", ()), ("moved", ("--rounds", "1")), ("again", ())):
        assert cli(*TINY, "--rounds", "0", *options, "--out", folder).code == 0
    start, moved, again = (read_weights(Path(folder) / "model.safetensors")[0] for folder in ("start", "moved",
                                                                                               "again"))
    assert all(np.array_equal(start[name], again[name]) for name in start)
    assert not all(np.array_equal(start[name], moved[name]) for name in start)


@pytest.mark.parametrize("code, message, options", [
    (1, "split is 'random', expected iid, by-class, or dirichlet:A", ["--split", "random"]),
    (1, "has no examples of the 200, expected at least one for each", ["--clients", "300"]),
    (1, "Federation: clients is 0, expected an integer of at least 1", ["--clients", "0"]),
    (1, "Federation: mu is -1.0", ["--mu", "-1"]), (2, "unknown setting 'train.rate'", ["--set", "train.rate=1"]),
    (2, "got gpt-names besides mlp-mnist-federated; expected one recipe", ["gpt-names"]),
    (1, "rounds is -1", ["--rounds", "-1"])])
def test_refused(refused, code, message, options):
    refused(code, message, *TINY, *options)


def test_an_earlier_run_is_renamed_by_a_federation_that_begins(cli):
    start = *TINY, "--rounds", "0", "--out", "run"
    assert cli(*start).code == 0
    assert cli(*start, "--clients", "300").code == 1        # more than there are examples
    assert [path.name for path in Path().iterdir()] == ["run"]
    result = cli(*start)
    assert result.code == 0 and result.lines[0] == "the earlier run in run is now in run-1"
    assert all((Path(folder) / "model.safetensors").exists() for folder in ("run", "run-1"))


def test_a_model_that_counts(refused):
    refused(2, "is trained by counting; expected one that is trained in steps", "federated", "bigram-names")
