"""Checkpoints: whole or absent, the last two kept, and what is said of damaged ones."""

import json
import os

import numpy as np
import pytest

from tinyformer.interop.weights import write_weights
from tinyformer.train.checkpoint import checkpoints, load_checkpoint, save_checkpoint

ARRAYS = {"model.w": np.arange(6, dtype=np.float32).reshape(2, 3)}
STATE = {"step": 3, "random": {"state": 2 ** 127 + 1}, "lr": 0.1, "list": [1, None, True]}


def test_round_trip(tmp_path):
    save_checkpoint(tmp_path, 3, ARRAYS, STATE)
    assert os.listdir(tmp_path) == ["step-00000003.safetensors"]
    arrays, state = load_checkpoint(tmp_path / "step-00000003.safetensors")
    np.testing.assert_array_equal(arrays["model.w"], ARRAYS["model.w"])
    assert list(arrays) == ["model.w"] and state == STATE


def test_the_last_two_are_kept_in_order(tmp_path):
    assert checkpoints(tmp_path / "nothing") == []
    for step in (8, 9, 10, 11, 100):
        save_checkpoint(tmp_path, step, ARRAYS, STATE)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000011.safetensors", "step-00000100.safetensors"]


def test_files_of_other_names_are_neither_counted_nor_removed(tmp_path):
    others = ["step-best.safetensors", "step-00000001-mine.safetensors", "step-1.safetensors",
              "step-00000001.safetensors.bak",
              "my-step-00000001.safetensors", "step-00000099.safetensors.txt", "step-0000000x.safetensors"]
    for name in others:
        (tmp_path / name).write_text("mine")
    (tmp_path / "step-00000098.safetensors").mkdir()
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, ARRAYS, STATE)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000002.safetensors", "step-00000003.safetensors"]
    assert all((tmp_path / name).read_text() == "mine" for name in others)


def test_steps_are_ordered_as_numbers(tmp_path):
    for step in (99_999_999, 100_000_000):
        save_checkpoint(tmp_path, step, ARRAYS, STATE)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-99999999.safetensors", "step-100000000.safetensors"]


def test_a_save_never_removes_itself_or_a_later_step(tmp_path):
    # whatever the order of the steps, and whatever the clock says
    for step in (50, 60, 3, 4, 5):
        save_checkpoint(tmp_path, step, ARRAYS, STATE)
        os.utime(tmp_path / f"step-{step:08d}.safetensors", (step, 10 ** 9 - step))
        assert (tmp_path / f"step-{step:08d}.safetensors").is_file()
    assert [int(path.stem[5:]) for path in checkpoints(tmp_path)] == [4, 5, 50, 60]


def test_a_checkpoint_with_any_flipped_byte_is_refused(tmp_path, rng):
    """Arrays of the model and of the optimizer, random states, the header: 200 places."""
    save_checkpoint(tmp_path, 3, {**ARRAYS, "optimizer.0.exp_avg": rng.normal(size=500)}, STATE)
    path = tmp_path / "step-00000003.safetensors"
    whole = path.read_bytes()
    for place in rng.integers(0, len(whole), 200):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rng.integers(8)]) + whole[place + 1:])
        with pytest.raises(ValueError,
                           match="cannot resume from .*step-00000003.safetensors: .*; start again without --resume"):
            load_checkpoint(path)


def test_a_failed_save_leaves_all_earlier_ones(tmp_path, monkeypatch):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, ARRAYS, STATE)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="step-00000003"):
        save_checkpoint(tmp_path, 3, ARRAYS, STATE)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("damage, message", (
    (lambda path: path.write_bytes(path.read_bytes()[:-5]), "damaged or not a safetensors file"),
    (lambda path: path.write_bytes(b""), "damaged or not a safetensors file"),
    (lambda path: path.write_bytes(b"\0" * 8 + path.read_bytes()[8:]), "damaged or not a safetensors file"),
    (lambda path: path.write_bytes(path.read_bytes().replace(b'"F32"', b'"F33"')),
     "tensor '.*' is of type F33, which is not read"),
    (lambda path: write_weights(path, ARRAYS), "it holds no training state"),
    (lambda path: write_weights(path, ARRAYS, {"state": "[1]"}), "it holds no training state"),
    (lambda path: write_weights(path, ARRAYS, {"state": json.dumps(STATE)[:-3]}), "it holds no training state"),
), ids=("truncated", "empty", "header", "type", "no state", "list", "half a state"))
@pytest.mark.parametrize("others", (True, False))
def test_damage_is_named_with_what_to_do(tmp_path, damage, message, others):
    if others:
        save_checkpoint(tmp_path, 2, ARRAYS, STATE)
    save_checkpoint(tmp_path, 3, ARRAYS, STATE)
    path = tmp_path / "step-00000003.safetensors"
    damage(path)
    advice = "delete it to continue from step-00000002.safetensors" if others else "start again without --resume"
    with pytest.raises(ValueError, match=f"cannot resume from .*{message}.*; {advice}") as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
