"""Every registered optimizer and schedule can train a recipe, and a run that broke off is resumed to the same bits."""

from __future__ import annotations

import pytest

from tinyformer.optim import OPTIMIZERS, SCHEDULES, Optimizer
from tinyformer.train.metrics import read_metrics

SETTINGS = [*(f"train.optimizer={name}" for name in OPTIMIZERS), *(f"train.schedule={name}" for name in SCHEDULES)]


class Broken(Exception):
    pass


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_run_and_its_resumption(train, outcome, tmp_path, setting, monkeypatch):
    settings = setting, "train.lr=0.01", "train.muon_lr=0.05", "train.max_steps=12", "train.checkpoint_every=4"
    train(tmp_path / "whole", *settings)
    losses = [record["train_loss"] for record in read_metrics(tmp_path / "whole" / "metrics.jsonl")]
    assert losses[-1] < losses[0]

    step, taken = Optimizer.step, []

    def six_steps(optimizer):
        taken.append(step(optimizer))
        if len(taken) == 6:
            raise Broken

    with monkeypatch.context() as patch:
        patch.setattr(Optimizer, "step", six_steps)
        with pytest.raises(Broken):
            train(tmp_path / "broken", *settings)
    train(tmp_path / "broken", *settings, resume=True)
    assert outcome(tmp_path / "broken") == outcome(tmp_path / "whole")
