"""Runs that take a blink."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from tinyformer.train import load_recipe
from tinyformer.train import train as train_recipe
from tinyformer.train.metrics import read_metrics


@pytest.fixture
def train(tiny, monkeypatch):
    """``train(folder, "section.key=value", …, resume=False)``: a tiny run without a picture, which takes longer than
    it."""
    monkeypatch.setattr("tinyformer.train.run.draw_losses", lambda *_, **__: None)

    def start(folder, *settings, resume=False):
        return train_recipe(load_recipe("pydocs-char", [*tiny, *settings]), folder, resume)

    return start


@pytest.fixture
def outcome():
    """``outcome(folder)``: all that two runs must have alike, which is everything but the clock."""
    def read(folder):
        records = read_metrics(folder / "metrics.jsonl")
        for record in records:
            del record["tokens_per_s"]
        return SimpleNamespace(model=(folder / "model.safetensors").read_bytes(), records=json.dumps(records),
                               tokenizer=(folder / "tokenizer.json").read_bytes(),
                               checkpoints=[path.name for path in sorted((folder / "checkpoints").iterdir())])
    return read
