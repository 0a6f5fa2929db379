"""Files: text that is read, and files that are replaced whole or not at all."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tinyformer.files import (DamagedFile, check_shape, lock, parse_json, read_json, read_text, remove_unfinished,
                              replace_file)


def test_bytes_and_text_are_written_and_replaced(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    replace_file(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    replace_file(path, "ein Käse\n")
    assert path.read_bytes() == "ein Käse\n".encode()
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_permissions_are_those_of_any_new_file(tmp_path):
    earlier = os.umask(0o027)
    try:
        replace_file(tmp_path / "file", "x")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(earlier)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.parametrize("call", ("fsync", "replace"))
def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    replace_file(path, "earlier")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        replace_file(path, "later")
    assert caught.value.filename == str(path) and caught.value.errno == errno.ENOSPC
    assert path.read_text() == "earlier" and os.listdir(tmp_path) == ["file"]


def test_an_interruption_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "file", "x")
    assert os.listdir(tmp_path) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    replace_file(tmp_path / "file", "earlier")
    (tmp_path / ".mine.part").write_text("a user's file")
    monkeypatch.setattr(os, "unlink", lambda *_: None)              # the process is gone before it can tidy up
    monkeypatch.setattr(os, "replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        replace_file(tmp_path / "file", "later")
    monkeypatch.undo()
    assert len(os.listdir(tmp_path)) == 3
    remove_unfinished(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".mine.part", "file"]


def test_text_is_read_as_it_stands_but_for_the_mark_before_it(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffKäse\r\n\ufeff".encode())
    assert read_text(tmp_path / "a.txt") == "Käse\r\n\ufeff"
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfab\xe9")
    with pytest.raises(ValueError, match="b.txt is not UTF-8: byte 0xe9 at offset 5"):
        read_text(tmp_path / "b.txt")


HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from tinyformer.files import lock
with lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_names_its_holder_and_ends_with_a_killed_process(tmp_path):
    import tinyformer
    path, root = tmp_path / "lock", str(Path(tinyformer.__file__).parents[1])
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path), root], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(BlockingIOError, match=f"lock is locked by process {holder.pid}"):
            with lock(path, 0.05):
                pass
    finally:
        holder.kill()
        holder.communicate()
    with lock(path, 5):
        assert path.read_text() == str(os.getpid())
        with pytest.raises(BlockingIOError):
            with lock(path):
                pass
    with lock(path):                                        # released, though the file stays
        pass


# ------------------------------------------------------------------------------------------------ JSON

@pytest.mark.parametrize(
    "data, said",
    (
        (b"", "is not JSON: it is empty"),
        (b" \n", "is not JSON: it is empty"),
        (b'{"a": [1,\n 2', "is not JSON: it ends at line 2, column 3, before its value is complete"),
        (b'{"a": "b', "is not JSON: the string that starts at line 1, column 7 has no closing quotation mark"),
        (b"no", "is not JSON: unexpected 'n' at line 1, column 1"),
        (b"{'a': 1}", 'is not JSON: unexpected "\'" at line 1, column 2'),
        (b'{"a": 1} {"b": 2}', "is not JSON: unexpected '{' at line 1, column 10"),
        (b'"a\nb"', r"is not JSON: unexpected '\n' at line 1, column 3"),
        (b"[" * 100_000, "is not JSON: its brackets are nested too deeply"),
        (b"[1" + b"0" * 5000 + b"]", "is not JSON: it has an integer of thousands of digits"),
        (b'{"a": "\xe9"}', "is not UTF-8: byte 0xe9 at offset 7"),
        (
            '{"a": 1}'.encode("utf-16"),
            "is not UTF-8: byte 0xff at offset 0, the byte order mark of UTF-16; save the file as UTF-8",
        ),
        (None, "is a folder, expected a file"),
    ),
)
def test_a_damaged_json_file_is_named_with_the_place(tmp_path, data, said):
    path = tmp_path / "a.json"
    path.mkdir() if data is None else path.write_bytes(data)
    with pytest.raises(DamagedFile) as caught:
        read_json(path)
    assert str(caught.value) == f"{path} {said}"


@pytest.mark.parametrize("value, shape, said", (
    ([], dict, "it is [], expected an object"),
    ("abc", [str], "it is 'abc', expected a list"),
    (["a", None], [str], "[1] is null, expected a string"),
    ({"a": True}, {"a": int}, "a is true, expected an integer"),
    ({"a": 1.5}, {"a": int}, "a is 1.5, expected an integer"),
    ({"a": "1"}, {"a": float}, "a is '1', expected a number"),
    ({"a": 1}, {"a": bool}, "a is 1, expected true or false"),
    ({"a": {}}, {"a": {"b": int}}, "a has no field 'b'"),
    ({}, {"b": int}, "it has no field 'b'"),
    ({"a": {"x y": "1"}}, {"a": {str: int}}, "a['x y'] is '1', expected an integer"),
    ({"a": 3}, {"a": (None, str, [str])}, "a is 3, expected null or a string or a list"),
    ({"a": [["b"], ["c", 3]]}, {"a": [[str]]}, "a[1][1] is 3, expected a string"),
    ({"a": {"b": {"c": [0]}}}, {"a": {"b": {"c?": str}}}, "a.b.c is [0], expected a string"),
    ({"a": "x" * 100}, {"a": int}, "a is a string, expected an integer"),
))
def test_a_value_of_another_shape_is_named_with_its_place(tmp_path, value, shape, said):
    with pytest.raises(ValueError) as caught:
        check_shape(value, shape)
    assert str(caught.value) == said
    (tmp_path / "a.json").write_text(json.dumps(value))
    with pytest.raises(DamagedFile) as caught:
        read_json(tmp_path / "a.json", shape)
    assert str(caught.value) == f"{tmp_path / 'a.json'}: {said}"


@pytest.mark.parametrize(
    "value, shape",
    (
        ({"a": 1, "other": []}, {"a": int, "b?": str}),
        ({"a": None}, {"a": (None, str)}),
        ({"a": None}, {"a": None}),
        (1, float),
        ([], [str]),
        ({}, {str: int}),
        ({"a": [1, [2]]}, {"a": [(int, [int])]}),
        (3, None),
        (None, None),
    ),
)
def test_a_value_of_the_shape_passes(tmp_path, value, shape):
    (tmp_path / "a.json").write_text("\ufeff" + json.dumps(value), encoding="utf-8")
    assert read_json(tmp_path / "a.json", shape) == value


def test_a_name_that_an_object_has_twice():
    assert parse_json('{"a": 1, "a": 2}', "it") == {"a": 2}
    with pytest.raises(DamagedFile, match="^it has the name 'a' twice$"):
        parse_json('[{"a": 1, "b": 2, "a": 2}]', "it", unique=True)
