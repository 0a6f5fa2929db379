"""The learner's folder and what is noted there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinyformer
from tinyformer.learn import EXERCISES, messages
from tinyformer.learn.folder import PROGRESS, Folder, text
from tinyformer.learn.grading import Verdict

WRONG = Verdict("mse", "wrong", "factor", "half", "think", codes=("factor",))


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "exercises")
    made.start()
    return made


def test_start_writes_files_in_order_and_never_over_anything(folder):
    files = sorted(folder.path.glob("*.py"))
    assert [file.stem[3:] for file in files] == list(EXERCISES)
    files[0].write_text("mine")
    files[1].unlink()
    folder.record(WRONG)
    assert folder.start() == ["linear_weight"]
    assert files[0].read_text() == "mine" and folder.entry("mse")["tries"] == 1


def test_a_file_needs_numpy_and_tinyformer_only():
    for name in EXERCISES:
        imports = [line for line in text(name).splitlines() if line.startswith(("import", "from"))]
        assert imports in (["import numpy as np"], ["import numpy as np", "from tinyformer import ops"],
                           ["from math import erf", "import numpy as np"])
        assert "prediction = ..." in text(name) and EXERCISES[name].question in text(name).replace("\n# ", " ")
        assert max(map(len, text(name).splitlines())) <= 120


def test_tries_count_changed_answers_only(folder):
    for source, tries in ((b"a", 1), (b"a", 1), (b"b", 2), (b"a", 3), (None, 4)):
        assert folder.record(WRONG, source)["tries"] == tries
    assert folder.record(Verdict("mse", "not attempted", "not attempted"), b"c")["tries"] == 4


def test_a_pass_is_remembered_though_the_file_is_changed_again(folder):
    assert folder.next() == "mse"
    folder.record(Verdict("mse"), b"a")
    entry = folder.record(WRONG, b"b")
    assert entry["passed"] and entry["state"] == "wrong"
    assert messages.status(entry) == "passed once, now factor"
    assert folder.next() == "mse"                           # it is to be mended
    assert folder.record(Verdict("mse"), b"c")["tries"] == 3
    assert folder.next() == "linear_weight"
    assert folder.next(after="rope") == "residual"          # who begins in the middle goes on from there


def test_another_mistake_brings_its_hint_next(folder):
    folder.record(WRONG)
    for _ in range(3):
        folder.hinted("mse")
    assert folder.entry("mse")["hints"] == 3
    folder.record(WRONG)
    assert folder.entry("mse")["hints"] == 3
    folder.record(Verdict("mse", "wrong", "sign", "turned", "the other way", codes=("sign",)))
    assert folder.entry("mse")["hints"] == 1


def test_reset_keeps_what_was_there(folder):
    path = folder.file("mse")
    assert folder.reset("mse") is None
    path.write_text("mine")
    folder.record(WRONG)
    kept = folder.reset("mse")
    assert kept.read_text() == "mine" and path.read_text(encoding="utf-8") == text("mse")
    assert folder.entry("mse")["tries"] == 0


def test_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="there are no exercises here: run `tinyformer learn start`"):
        Folder.find()


def test_found_from_inside_from_beside_and_under_another_name(tmp_path, monkeypatch):
    Folder(tmp_path / "course").start()
    for place in (tmp_path, tmp_path / "course"):
        monkeypatch.chdir(place)
        assert Folder.find().path.resolve() == tmp_path / "course"


@pytest.mark.parametrize("content", (
    b"{", b"[]", b'{"mse": 3}', b"", b"\xff\xfe", b"[" * 100_000, b'{"mse": {"tries": "many"}}',
    b'{"mse": {"tries": -1}}',
    b'{"mse": {"hints": null}}', b'{"mse": {"passed": 1}}', b'{"mse": {"hint": []}}', b"3", b"null",
    b'{"mse": {"tries": 1e400}}'))
def test_damaged_progress_is_named_kept_and_no_hindrance(folder, content):
    path = folder.path / PROGRESS
    path.write_bytes(content)
    assert folder.next() == "mse" and folder.entry("mse")["tries"] == 0
    notice, = folder.notices()
    assert notice.startswith(f"{path} is damaged: ") and folder.notices() == []
    assert folder.record(WRONG)["tries"] == 1
    kept = path.with_name(f"{PROGRESS}.damaged")
    assert folder.notices() == [f"The damaged file is kept as {kept}."] and kept.read_bytes() == content
    assert Folder(folder.path).entry("mse")["tries"] == 1 and Folder(folder.path).notices() == []


def test_what_is_sound_in_a_damaged_file_counts(folder):
    folder.record(Verdict("mse"))
    folder.record(WRONG)
    progress = json.loads((folder.path / PROGRESS).read_text())
    progress.update(relu=7, of_a_later_version={"tries": 2})
    (folder.path / PROGRESS).write_text(json.dumps(progress))
    folder.record(Verdict("softmax"))
    entries = folder.entries()
    assert entries["mse"]["passed"] and entries["softmax"]["passed"] and not entries["relu"]["passed"]
    assert json.loads((folder.path / PROGRESS).read_text())["of_a_later_version"] == {"tries": 2}


def test_progress_that_is_a_folder(folder, monkeypatch):
    path = folder.path / PROGRESS
    path.unlink()
    path.mkdir()
    monkeypatch.chdir(folder.path)
    found = Folder.find()
    assert found.record(WRONG)["tries"] == 1
    assert "is damaged: it is not a regular file" in found.notices()[0] and path.is_file()


def test_what_cannot_be_written_still_counts_for_now(folder, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device", str(path))
    monkeypatch.setattr("tinyformer.learn.folder.replace_file", full)
    assert folder.record(Verdict("mse"))["passed"]
    assert folder.notices() == [f"Your progress is not recorded: {folder.path / PROGRESS}: No space left on device."]
    assert folder.next() == "linear_weight" and Folder(folder.path).next() == "mse"


def test_records_of_several_processes_are_all_kept(folder):
    program = ("import sys; sys.path.insert(0, sys.argv[3]); from tinyformer.learn.folder import Folder; "
               "from tinyformer.learn.grading import Verdict\n"
               "for _ in range(5): Folder(sys.argv[1]).record(Verdict(sys.argv[2]))")
    root, names = str(Path(tinyformer.__file__).parents[1]), list(EXERCISES)[:6]
    processes = [subprocess.Popen([sys.executable, "-c", program, str(folder.path), name, root]) for name in names]
    assert [process.wait() for process in processes] == [0] * len(names)
    assert [folder.entry(name)["tries"] for name in names] == [5] * len(names)


@pytest.mark.parametrize("code", ("import", "file", "name", "signature"))
def test_a_file_that_python_cannot_run_is_no_try(folder, code):
    folder.record(WRONG)
    folder.hinted("mse")
    folder.hinted("mse")
    entry = folder.record(Verdict("mse", "broken", code, "line 1"), b"def")
    assert entry["tries"] == 1 and entry["hints"] == 2 and entry["hint"] == "think"
    assert messages.status({**entry, "tries": 0}) == f"open, {code}"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_in_place_of_a_file_is_put_aside(folder):
    path = folder.file("mse")
    path.unlink()
    os.mkfifo(path)
    kept = folder.reset("mse")
    assert kept.is_fifo() and path.is_file()


def test_a_second_reset_loses_nothing(folder):
    path = folder.file("mse")
    for mine in ("first", "second"):
        path.write_text(mine)
        assert folder.reset("mse").read_text() == mine
    assert sorted(kept.read_text() for kept in folder.path.glob("*.old*")) == ["first", "second"]


def test_files_keep_the_numbers_that_they_have(folder):
    old = folder.file("relu").rename(folder.path / "77_relu.py")
    assert folder.file("relu") == old and folder.start() == []


@pytest.mark.parametrize("width", (60, 79, 120))
def test_a_line_of_the_list_fits_a_terminal_and_ends_in_how_far_one_is(folder, width):
    for entry in (folder.entry("mse"), folder.record(WRONG)):
        for number, exercise in enumerate(EXERCISES.values(), 1):
            line = messages.list_line(number, exercise, entry, width)
            assert len(line) == width and line.endswith(f" {messages.status(entry)}") \
                and line.split()[1] == exercise.name
            assert exercise.title in line or "… " in line
