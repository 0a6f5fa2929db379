"""Metrics as JSON lines."""

import json
from pathlib import Path

import pytest

from tinyformer.train.classes import load_classes
from tinyformer.train.metrics import Metrics, read_metrics

LINES = [dict(step=step, train_loss=2.0, val_loss=1.5 if step == 2 else None) for step in (1, 2, 3)]


def write(path, *lines):
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))


def test_what_is_added_is_read_at_once(tmp_path):
    metrics = Metrics(tmp_path / "metrics.jsonl")
    for i, line in enumerate(LINES):
        metrics.add(**line)
        assert read_metrics(tmp_path / "metrics.jsonl") == metrics.records == LINES[:i + 1]
    metrics.close()
    assert (tmp_path / "metrics.jsonl").read_bytes().count(b"\n") == 3


def test_no_file_is_no_metrics(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []


@pytest.mark.parametrize("half", ('{"step": 4, "val', "{", '{"step": 4}{"step'))
def test_half_a_line_is_left_out(tmp_path, half):
    path = tmp_path / "metrics.jsonl"
    write(path, *LINES, half)
    assert read_metrics(path) == LINES
    metrics = Metrics(path, start=3)
    metrics.add(step=4, train_loss=1, val_loss=None)
    metrics.close()
    assert read_metrics(path) == [*LINES, {"step": 4, "train_loss": 1, "val_loss": None}]


def test_steps_that_will_be_done_again_are_removed(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, *LINES)
    Metrics(path, start=2).close()
    assert read_metrics(path) == LINES[:2]
    Metrics(path).close()
    assert path.read_bytes() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_said_with_the_files_name(tmp_path):
    metrics = Metrics(tmp_path / "metrics.jsonl")
    metrics.close()
    metrics._file = open("/dev/full", "ab", buffering=0)
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        metrics.add(step=1)
    metrics.close()


@pytest.mark.parametrize("bad", (b"\xff\xfe", b"[1]", b"3", b"null", b"{}", b'{"step": "4"}', b'{"step": 3}',
                                 b'{"step": 3, "train_loss": 1.0}',
                                 b'{"step": 3, "val_loss": null}', b'{"step": 3, "train_loss": null, "val_loss": null}',
                                 b'{"step": 3, "train_loss": 1%s, "val_loss": null}' % (b"0" * 30),
                                 b'{"step": 4, "val_loss": "x"}',
                                 b"[" * 100_000, b"\0" * 40))
def test_a_damaged_line_ends_the_records_and_stops_no_resuming(tmp_path, bad):
    path = tmp_path / "metrics.jsonl"
    write(path, *LINES[:2])
    path.write_bytes(path.read_bytes() + bad + b"\n" + json.dumps(LINES[2]).encode() + b"\n")
    assert read_metrics(path) == LINES[:2]
    Metrics(path, start=3).close()
    assert read_metrics(path) == LINES[:2]


@pytest.mark.parametrize("content, message",
                         ((b"\xff", "classes.json is not UTF-8"), (b"", "classes.json is not JSON: it is empty")))
def test_damaged_names_of_classes_are_named(tmp_path, content, message):
    (tmp_path / "classes.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_classes(tmp_path)


def test_a_byte_order_mark_before_the_names_of_classes_is_left_out(tmp_path):
    (tmp_path / "classes.json").write_bytes(b'\xef\xbb\xbf["a", "b"]')
    assert load_classes(tmp_path) == ("a", "b")
