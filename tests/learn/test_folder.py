"""The learner's folder and what is noted there."""

from __future__ import annotations

import pytest

from tinyformer.learn import EXERCISES, words
from tinyformer.learn.folder import PROGRESS, Folder, text
from tinyformer.learn.judging import Verdict

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
        assert "prediction = ..." in text(name) and EXERCISES[name].question in text(name)
        assert max(map(len, text(name).splitlines())) <= 160


def test_tries_count_changed_answers_only(folder):
    for source, tries in ((b"a", 1), (b"a", 1), (b"b", 2), (b"a", 3), (None, 4)):
        assert folder.record(WRONG, source)["tries"] == tries
    assert folder.record(Verdict("mse", "not attempted", "not attempted"), b"c")["tries"] == 4


def test_a_pass_is_remembered_though_the_file_is_changed_again(folder):
    assert folder.next() == "mse"
    folder.record(Verdict("mse"), b"a")
    entry = folder.record(WRONG, b"b")
    assert entry["passed"] and entry["state"] == "wrong"
    assert words.state(entry) == "passed once, now factor"
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
    with pytest.raises(FileNotFoundError, match="no exercises here; `tinyformer learn start` makes a folder of them"):
        Folder.find()


def test_found_from_inside_from_beside_and_under_another_name(tmp_path, monkeypatch):
    Folder(tmp_path / "course").start()
    for place in (tmp_path, tmp_path / "course"):
        monkeypatch.chdir(place)
        assert Folder.find().path.resolve() == tmp_path / "course"


@pytest.mark.parametrize("content", ("{", "[]", '{"mse": 3}', ""))
def test_spoilt_progress(folder, content):
    (folder.path / PROGRESS).write_text(content)
    with pytest.raises(ValueError, match="delete it to count anew"):
        folder.next()


@pytest.mark.parametrize("width", (60, 79, 120))
def test_a_line_of_the_list_fits_a_terminal_and_ends_in_how_far_one_is(folder, width):
    for entry in (folder.entry("mse"), folder.record(WRONG)):
        for number, exercise in enumerate(EXERCISES.values(), 1):
            line = words.line(number, exercise, entry, width)
            assert len(line) == width and line.endswith(f" {words.state(entry)}") and line.split()[1] == exercise.name
            assert exercise.title in line or "… " in line
