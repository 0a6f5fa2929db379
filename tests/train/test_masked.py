"""The examples of BERT's pre-training."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tinyformer.train.tasks.masked import DocumentSettings, Masked

MODEL = SimpleNamespace(config=SimpleNamespace(block_size=128))


def task(tmp_path, rng, **settings):
    words = "to be or not that is the question whether it nobler in mind suffer".split()
    lines = [" ".join(rng.choice(words, 6)) + "\n" for _ in range(400)]
    path = tmp_path / "plays.txt"
    path.write_text("".join("ACT I\n" * (i % 40 == 0) + line for i, line in enumerate(lines)), encoding="utf-8",
                    newline="\n")
    return Masked(DocumentSettings(str(path), vocab_size=80, train_fraction=0.8, **settings))


def test_short_batches_hold_as_many_tokens_in_more_texts(tmp_path, rng):
    shapes = [task(tmp_path, rng, short=share).batch(MODEL, 4, rng)[0].ids.shape for share in (0.0, 1.0)]
    assert shapes == [(4, 128), (32, 16)]
    both = task(tmp_path, rng, short=0.5)
    assert {both.batch(MODEL, 4, rng)[0].ids.shape for _ in range(30)} == {(4, 128), (32, 16)}


def test_a_block_that_is_short_already_stays_so(tmp_path, rng):
    model = SimpleNamespace(config=SimpleNamespace(block_size=20))
    assert task(tmp_path, rng, short=1.0).batch(model, 4, rng)[0].ids.shape == (5, 16)


def test_what_is_asked_is_hidden_and_the_pairs_are_half_and_half(tmp_path, rng):
    pairs, (labels, classes) = task(tmp_path, rng, short=1.0).batch(MODEL, 64, rng)
    asked = labels >= 0
    assert 0.1 < asked[pairs.mask].mean() < 0.2
    assert 0.75 < (pairs.ids != labels)[asked].mean() < 0.95
    assert 0.4 < classes.mean() < 0.6 and classes.shape == (512,)


@pytest.mark.parametrize("name, value", [("short", 1.5), ("short", -0.1), ("masked", 0.0), ("train_fraction", 1.0)])
def test_shares_that_are_none_are_refused(name, value):
    with pytest.raises(ValueError, match=f"data.{name}: got {value}"):
        DocumentSettings(**{name: value}).check()
