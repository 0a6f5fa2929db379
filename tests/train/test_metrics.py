"""Metrics as JSON lines."""

import json
from pathlib import Path

import pytest

from tinyformer.train.metrics import Metrics, read_metrics

LINES = [{"step": 1, "val_loss": None}, {"step": 2, "val_loss": 1.5}, {"step": 3, "val_loss": None}]


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
    metrics.add(step=4)
    metrics.close()
    assert read_metrics(path) == [*LINES, {"step": 4}]


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


@pytest.mark.parametrize("bad", (b"\xff\xfe", b"[1]", b"3", b"null", b"{}", b'{"step": "4"}', b'{"step": 4, "val_loss": "x"}',
                                 b"[" * 100_000, b"\0" * 40))
def test_a_damaged_line_ends_the_records_and_stops_no_resuming(tmp_path, bad):
    path = tmp_path / "metrics.jsonl"
    write(path, *LINES[:2])
    path.write_bytes(path.read_bytes() + bad + b"\n" + json.dumps(LINES[2]).encode() + b"\n")
    assert read_metrics(path) == LINES[:2]
    Metrics(path, start=3).close()
    assert read_metrics(path) == LINES[:2]
