"""Named arrays in safetensors files."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file

from tinyformer.interop.weights import read_weights, write_weights

ARRAYS = {
    "b.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array([1.5, -2.5]),
    "ids": np.array([[1], [2]]),
    "flag": np.array([True, False]),
    "one": np.float32(3).reshape(()),
    "none": np.zeros((0, 4), np.float32),
}


def test_round_trip_keeps_values_shapes_types_and_metadata(tmp_path):
    write_weights(tmp_path / "w.safetensors", ARRAYS, {"state": "ein Käse"})
    for found, metadata in (read_weights(tmp_path / "w.safetensors"), (load_file(tmp_path / "w.safetensors"), None)):
        assert set(found) == set(ARRAYS)
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype and found[name].shape == array.shape
            np.testing.assert_array_equal(found[name], array)
        assert metadata in ({"state": "ein Käse"}, None)


def test_views_are_written_as_they_are_seen(tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    write_weights(tmp_path / "w", {"transposed": array.T, "every other": array[:, ::2]})
    found, metadata = read_weights(tmp_path / "w")
    np.testing.assert_array_equal(found["transposed"], array.T)
    np.testing.assert_array_equal(found["every other"], array[:, ::2])
    assert metadata == {}


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    write_weights(tmp_path / "one", ARRAYS)
    write_weights(tmp_path / "two", dict(reversed(ARRAYS.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def header(text, data=b""):
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize("content", (
    b"",
    b"short",
    b"\xff" * 64,
    header(b"{not json"),
    header(b"[1, 2]"),
    header(json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode(), b"\0" * 8),
    header(json.dumps({"a": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}).encode(), b"\0" * 4),
), ids=("empty", "short", "long header", "no json", "no object", "truncated", "unknown type"))
def test_damaged_files_are_named(tmp_path, content):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged or not a safetensors file") as caught:
        read_weights(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kept", (0.0, 0.1, 0.5, 0.99))
def test_a_truncated_file_is_damaged(tmp_path, kept):
    path = tmp_path / "w"
    write_weights(path, ARRAYS)
    data = path.read_bytes()
    path.write_bytes(data[:int(kept * len(data))])
    with pytest.raises(ValueError, match="damaged"):
        read_weights(path)


def test_missing_files_and_folders_are_named(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(FileNotFoundError, match="no such file") as caught:
            read_weights(path)
        assert str(path) in str(caught.value)
