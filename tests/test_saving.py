"""Arrays by name in a file and back."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import tinyformer as tfm
from tinyformer import nn, optim


def test_a_model_comes_back(tmp_path):
    model, again = nn.Linear(3, 2), nn.Linear(3, 2)
    tfm.save(model.state_dict(), tmp_path / "model.safetensors")
    again.load_state_dict(tfm.load(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(again.weight.data, model.weight.data)


def test_arrays_tensors_and_numbers_come_back_as_copies(tmp_path):
    path = str(tmp_path / "some.safetensors")
    tfm.save({"a": tfm.tensor([[1.0, 2.0]], requires_grad=True), "b": np.arange(3), "c": 2.5, "d": np.float32(1)}, path)
    state = tfm.load(path)
    assert state["a"].tolist() == [[1, 2]] and state["a"].dtype == state["d"].dtype == np.float32 and state["c"] == 2.5
    state["b"][0] = 9                                       # no window on the file
    assert tfm.load(path)["b"].tolist() == [0, 1, 2]


def test_pytorch_reads_and_writes_the_same_files(torch, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    layer = torch.nn.Linear(3, 2)
    safetensors.save_file(layer.state_dict(), tmp_path / "theirs.safetensors")
    ours = nn.Linear(3, 2)
    ours.load_state_dict(tfm.load(tmp_path / "theirs.safetensors"))
    np.testing.assert_array_equal(ours.weight.data, layer.weight.detach().numpy())
    tfm.save(ours.state_dict(), tmp_path / "ours.safetensors")
    assert torch.equal(safetensors.load_file(tmp_path / "ours.safetensors")["bias"], layer.bias)


@pytest.mark.parametrize("state, message", [
    (nn.Linear(1, 1), r"save: expected \{name: array\}, not Linear; pass its state_dict\(\)"),
    ([np.ones(2)], r"save: expected \{name: array\}, not list$"),
    (optim.SGD([nn.Parameter(np.ones(1))], lr=0.1).state_dict(), "save: 'optimizer' is str, expected an array"),
    ({1: np.ones(1)}, "a tensor is named 1, expected a str"), ({"a": np.ones(1, object)}, "a is object")])
def test_what_cannot_be_saved(state, message, tmp_path):
    with pytest.raises(TypeError, match=message):
        tfm.save(state, tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [pickle.dumps({"a": 1}, protocol=2), b"PK\x03\x04rest of a zip archive"])
def test_a_pickle_is_not_read(content, tmp_path):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"model.pt: a pickle of torch.save, .*not read; write it with safetensors"):
        tfm.load(tmp_path / "model.pt")


def test_files_that_are_missing_or_damaged(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        tfm.load(tmp_path / "none")
    (tmp_path / "short").write_bytes(b"abc")
    with pytest.raises(ValueError, match="damaged or not a safetensors file"):
        tfm.load(tmp_path / "short")
