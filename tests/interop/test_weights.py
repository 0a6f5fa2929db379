"""Named arrays in safetensors files."""

import json
import os
import struct
import subprocess
import sys
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from tinyformer.interop.weights import read_weights, write_weights
from tinyformer.models.linear import LinearConfig, LinearRegression

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
), ids=("empty", "short", "long header", "no json", "no object", "truncated"))
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
    for path, said in ((tmp_path / "nothing", "no such file"), (tmp_path, "it is a folder")):
        with pytest.raises(FileNotFoundError, match=said) as caught:
            read_weights(path)
        assert str(path) in str(caught.value)


# -- what is in a file that others wrote


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def written(path, tensors, data, length=None):
    text = (tensors if isinstance(tensors, str) else json.dumps(tensors)).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


@pytest.mark.parametrize("tensors, data, message", (
    ({"a": entry(), "b": entry(offsets=(4, 12))}, 12, "tensor 'b': its bytes start at 4, but those before it end at 8"),
    ({"a": entry(), "b": entry(offsets=(12, 20))}, 20,
     "tensor 'b': its bytes start at 12, but those before it end at 8"),
    ({"a": entry(offsets=(0, 16))}, 8, "tensor 'a': its bytes 0…16 lie outside the 8 that the file has"),
    ({"a": entry(offsets=(8, 0))}, 8, "tensor 'a': its bytes 8…0 lie outside"),
    ({"a": entry(shape=(3,))}, 8, r"tensor 'a': it has 8 bytes, but \(3,\) of F32 takes 12"),
    ({"a": entry(shape=(2 ** 40, 2 ** 40))}, 8, "tensor 'a': it has 8 bytes"),
    ({"a": entry(shape=[1] * 33)}, 8, "tensor 'a': expected a dtype, a shape of at most 32 axes and two data_offsets"),
    ({"a": entry(shape=(-1, -2))}, 8, "tensor 'a': expected"),
    ({"a": entry(shape=(2.0,))}, 8, "tensor 'a': expected"),
    ({"a": entry(offsets=(0, 4, 8))}, 8, "tensor 'a': expected"),
    ({"a": {"dtype": "F32"}}, 8, "tensor 'a': expected"),
    ({"a": entry()}, 12, "4 bytes at its end belong to no tensor"),
    ('{"a": %s, "a": %s}' % (2 * (json.dumps(entry()),)), 8, "its header has the name 'a' twice"),
    ({"__metadata__": {"n": 3}}, 0, "its __metadata__ is not an object of texts"),
    ("[" * 100_000, 0, ""),
    ('{"a": ' + "9" * 5000 + "}", 0, ""),
))
def test_a_header_that_does_not_fit_its_data(tmp_path, tensors, data, message):
    path = written(tmp_path / "w", tensors, bytes(data))
    with pytest.raises(ValueError, match="damaged or not a safetensors file .*" + message) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)


def test_a_type_that_is_not_read(tmp_path):
    with pytest.raises(ValueError,
                       match="w: tensor 'a' is of type F8_E4M3, which is not read; expected one of F64, F32"):
        read_weights(written(tmp_path / "w", {"a": entry("F8_E4M3", (8,))}, bytes(8)))


@pytest.mark.parametrize("length, message",
                         ((2 ** 31, "its header has 2,147,483,648 bytes, expected at most 25,000,000"),
                          (2 ** 63, "too few for its header of 9,223,372,036,854,775,808")))
def test_a_huge_header_is_refused_unread(tmp_path, length, message):
    path = written(tmp_path / "w", {}, b"", length)
    if length < 2 ** 40:
        os.truncate(path, length + 100)                     # a hole in the file: it takes no space on the disk
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            read_weights(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("code, dtype", (("F16", np.float16), ("BF16", ml_dtypes.bfloat16), ("F64", np.float64),
                                         ("I8", np.int8), ("U32", np.uint32)))
@pytest.mark.parametrize("padding", (0, 1))
def test_types_and_places_that_are_not_aligned(tmp_path, rng, code, dtype, padding):
    array = (rng.normal(size=(3, 5)) * 50).astype(dtype)
    text = json.dumps({"a": entry(code, (3, 5), (0, array.nbytes))}) + " " * padding
    found, _ = read_weights(written(tmp_path / "w", text, array.tobytes()))
    assert found["a"].dtype == dtype
    np.testing.assert_array_equal(found["a"].astype(np.float64), array.astype(np.float64))
    ours = np.empty((3, 5), np.float32)
    np.copyto(ours, found["a"], casting="same_kind")        # as a model loads it
    np.testing.assert_array_equal(ours, array.astype(np.float32))


def test_bfloat16_is_the_upper_half_of_float32(tmp_path, rng):
    bits = rng.integers(0, 2 ** 16, 1000, dtype=np.uint16)
    found, _ = read_weights(written(tmp_path / "w", {"a": entry("BF16", (1000,), (0, 2000))}, bits.tobytes()))
    np.testing.assert_array_equal(found["a"].astype(np.float32), (bits.astype(np.uint32) << 16).view(np.float32))


def test_nothing_is_read_before_it_is_looked_at(tmp_path):
    path = written(tmp_path / "w", {"a": entry(shape=(2 ** 28,), offsets=(0, 2 ** 30))}, b"")
    os.truncate(path, path.stat().st_size + 2 ** 30)
    tracemalloc.start()
    try:
        array = read_weights(path)[0]["a"]
        assert array.nbytes == 2 ** 30 and not array.flags.writeable and array[-1] == 0
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


# -- whatever the bytes, the answer is arrays inside the file, or a ValueError that names it


def read_or_refuse(path):
    try:
        arrays, metadata = read_weights(path)
    except ValueError as error:
        assert str(path) in str(error)
        return None
    assert sum(array.nbytes for array in arrays.values()) <= path.stat().st_size
    for array in arrays.values():
        np.array(array)                                     # every byte is there
    return arrays


def agrees_with_the_library(path):
    """What we read, the library reads alike."""
    ours = read_or_refuse(path)
    if ours is not None:
        theirs = load_file(path)
        assert set(theirs) == set(ours)
        for name, array in theirs.items():
            assert ours[name].dtype == array.dtype and ours[name].tobytes() == array.tobytes(), name


numbers = st.one_of(st.integers(-2, 20), st.sampled_from([2 ** 31, 2 ** 63, 2 ** 64, 0.5, True, None, "1"]))
entries = st.one_of(
    st.fixed_dictionaries({"dtype": st.sampled_from(["F32", "F16", "I64", "BOOL", "U8", "X", 3]),
                           "shape": st.lists(numbers, max_size=3),
                           "data_offsets": st.lists(numbers, min_size=1, max_size=3)}),
    st.sampled_from([entry(), entry(offsets=(8, 16)), entry("F16", (4, 1)), entry("U8", (0,), (0, 0))]), numbers)


@given(st.dictionaries(st.sampled_from(["a", "b", "c", "__metadata__"]), entries), st.integers(0, 24))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_header(tmp_path, tensors, size):
    read_or_refuse(written(tmp_path / "w", tensors, bytes(size)))


@given(st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bits_and_lost_ends(tmp_path, data):
    if not (tmp_path / "whole").exists():
        write_weights(tmp_path / "whole", ARRAYS, {"k": "v"})
    content = bytearray((tmp_path / "whole").read_bytes())
    for place in data.draw(st.lists(st.integers(0, 8 * 600), max_size=3)):
        content[place // 8 % len(content)] ^= 1 << place % 8
    path = tmp_path / "damaged"
    path.write_bytes(content[:data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    agrees_with_the_library(path)


@pytest.mark.slow
def test_fuzz(tmp_path, rng):
    """5,000 damaged files: bits flipped, bytes changed, pieces cut out, doubled or put elsewhere."""
    write_weights(tmp_path / "whole", ARRAYS, {"k": "v"})
    whole, path, read = (tmp_path / "whole").read_bytes(), tmp_path / "damaged", 0
    header = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(5000):
        content = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            a, b = sorted(rng.integers(0, rng.choice([8, header, len(content)]) + 1, 2))
            piece = content[a:b]
            match rng.integers(5):
                case 0:
                    content[a:a + 1] = bytes([content[min(a, len(content) - 1)] ^ 1 << rng.integers(8)])
                case 1:
                    content[a:a + 1] = bytes([rng.choice(list(b'0123456789-.,:[]{}"eFUI \0\xff'))])
                case 2:
                    del content[a:b]
                case 3:
                    content[a:a] = piece
                case 4:
                    del content[a:b]
                    content[rng.integers(len(content) + 1):0] = piece
            content = content or bytearray(b"x")
        path.write_bytes(content)
        read += read_or_refuse(path) is not None
    assert read > 25


# -- the checksum


def flipped(path, place, bits):
    content = bytearray(path.read_bytes())
    content[place] ^= bits
    path.write_bytes(content)


@pytest.mark.parametrize("metadata", (None, {"format": "pt"}), ids=("bare", "with metadata"))
def test_no_flipped_byte_is_read(tmp_path, metadata):
    """At every place of the file: its length, its header, the name and the value of the checksum, padding and
    arrays."""
    path = tmp_path / "w.safetensors"
    write_weights(path, ARRAYS, metadata)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bits in (1, 0x29, 0xff):                        # 0x29: a blank of the padding becomes a tab
            flipped(path, place, bits)
            with pytest.raises(ValueError, match="w.safetensors"):
                read_weights(path)
            path.write_bytes(whole)
    found, read = read_weights(path)
    assert read == (metadata or {}) and set(found) == set(ARRAYS)


def test_a_checksum_is_said_with_what_to_do(tmp_path):
    write_weights(tmp_path / "w", ARRAYS)
    flipped(tmp_path / "w", -1, 1)
    with pytest.raises(ValueError,
                       match="w: the checksum does not match: the file is damaged, .*; use a copy of the file"):
        read_weights(tmp_path / "w")


def test_files_of_others_have_no_checksum_and_are_read(tmp_path):
    save_file({name: np.asarray(array) for name, array in ARRAYS.items()}, tmp_path / "theirs", {"format": "pt"})
    found, metadata = read_weights(tmp_path / "theirs")
    assert set(found) == set(ARRAYS) and metadata == {"format": "pt"}
    flipped(tmp_path / "theirs", -1, 1)
    read_weights(tmp_path / "theirs")                       # nothing says that it was otherwise


def test_a_file_rewritten_with_the_old_checksum_is_refused(tmp_path):
    write_weights(tmp_path / "w", ARRAYS, {"format": "pt"})
    with safe_open(tmp_path / "w", "np") as file:
        metadata = file.metadata()
    assert metadata["format"] == "pt"
    save_file({"a": np.ones(3)}, tmp_path / "w", metadata)
    with pytest.raises(ValueError, match="or another program changed it and kept tinyformer_checksum in its metadata"):
        read_weights(tmp_path / "w")


# -- everything that can be written comes back, everything else is refused


@pytest.mark.parametrize("array", (
    np.arange(4, dtype=">f4"), np.arange(4, dtype=">i8"), np.zeros((0,)), np.zeros((3, 0, 2), bool),
    np.array(7, np.uint16),
    np.arange(24.).reshape(2, 3, 4)[:, ::-1, ::2], np.asfortranarray(np.arange(6).reshape(2, 3)),
    np.arange(3).astype(ml_dtypes.bfloat16), np.broadcast_to(np.float16(2), (2, 3)), np.array([True, False])),
    ids=lambda array: f"{array.dtype.str}{array.shape}")
def test_arrays_of_all_kinds(tmp_path, array):
    write_weights(tmp_path / "w", {"x": array})
    found = read_weights(tmp_path / "w")[0]["x"]
    assert found.shape == array.shape and found.dtype == array.dtype.newbyteorder("<")
    np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(load_file(tmp_path / "w")["x"], array)


@pytest.mark.parametrize("name", ("", " ", '"', "\\", "\n", "\0", "ü/..\\x", "漢字", "🙂", "}", '{"',
                                  "tinyformer_checksum", "crc32:"))
def test_names_of_all_kinds(tmp_path, name):
    write_weights(tmp_path / "w", {name: np.ones(2), "other": np.zeros(1)})
    found = read_weights(tmp_path / "w")[0]
    assert set(found) == {name, "other"} and found[name].tolist() == [1, 1]
    assert set(load_file(tmp_path / "w")) == {name, "other"}
    if name != "tinyformer_checksum":
        write_weights(tmp_path / "w", {}, {name: name})
        assert read_weights(tmp_path / "w") == ({}, {name: name})


@pytest.mark.parametrize("arrays, metadata, kind, message", (
    ({"__metadata__": np.ones(2)}, None, ValueError,
     "a tensor is named '__metadata__', which the file needs for itself"),
    ({}, {"tinyformer_checksum": "x"}, ValueError, "an entry of the metadata is named 'tinyformer_checksum', which"),
    ({"\ud800": np.ones(2)}, None, ValueError, r"a tensor is named '\\ud800', which is not valid Unicode"),
    ({3: np.ones(2)}, None, TypeError, "a tensor is named 3, expected a str"),
    ({"x": np.ones(2, complex)}, None, TypeError, "x is complex128, expected a type that safetensors has: F64, F32"),
    ({"x": np.array([None])}, None, TypeError, "x is object"),
    ({"x": np.array(["a"])}, None, TypeError, "x is <U1"),
    ({"x": np.array("2020", "datetime64[D]")}, None, TypeError, "x is datetime64"),
    ({}, {"n": 3}, TypeError, "the metadata 'n' is int, expected str"),
))
def test_what_cannot_be_written_is_refused(tmp_path, arrays, metadata, kind, message):
    with pytest.raises(kind, match="write_weights: " + message):
        write_weights(tmp_path / "w", arrays, metadata)
    assert not (tmp_path / "w").exists()


SHORTENED = """
import os, sys
from tinyformer.models import load_model
model = load_model(sys.argv[1])
os.truncate(os.path.join(sys.argv[1], "model.safetensors"), 0)
print(sum(float(p.data.sum()) for p in model.parameters()) == float(sys.argv[2]))
"""


def test_a_loaded_model_does_not_depend_on_its_file(tmp_path):
    model = LinearRegression(LinearConfig(3))
    model.save_pretrained(tmp_path)
    total = sum(float(p.data.sum()) for p in model.parameters())
    process = subprocess.run([sys.executable, "-c", SHORTENED, str(tmp_path), repr(total)], capture_output=True,
                             text=True)
    assert process.stdout == "True\n", process.stderr
