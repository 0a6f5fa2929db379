"""tinyformer learn …, as a learner meets it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import tinyformer
from tinyformer.learn import EXERCISES, grading
from tinyformer.learn.folder import text


@pytest.fixture
def desk(cli, tmp_path):
    """A folder with the exercises, and a way to write an answer into it."""
    assert cli("learn", "start").code == 0

    def write(name, source):
        path = next((tmp_path / "home" / "exercises").glob(f"[0-9][0-9]_{name}.py"))
        path.write_text(source, encoding="utf-8")
        return path

    return write


def solved(name):
    exercise = EXERCISES[name]
    return exercise.imports + f"prediction = {EXERCISES[name].answer(exercise.function)!r}\n" + exercise.source


def with_vjp(body):
    """The first exercise's file with ``body`` as its vjp."""
    return text("mse").replace("raise NotImplementedError", body)


def test_start_says_how_to_go_on(cli):
    result = cli("learn", "start")
    assert result.code == 0 and result.errors == []
    assert result.lines[0] == f"{len(EXERCISES)} exercises written to exercises."
    assert "    tinyformer learn check mse" in result.lines
    assert cli("learn", "start").lines[0] == f"0 exercises written to exercises, {len(EXERCISES)} left unchanged."


def test_start_elsewhere(cli, refused, tmp_path):
    assert "(in course or in the folder above it)" in cli("learn", "start", "course").out
    assert cli("learn", "check", "mse").out.startswith("mse: not attempted yet. Write the body of vjp in ")
    (tmp_path / "home" / "file").write_text("")
    refused(1, "file", "learn", "start", "file")


def test_without_a_folder(refused):
    for command in ("list", "check", "check mse", "hint mse", "solution mse", "reset mse", "watch"):
        refused(1, "there are no exercises here: run `tinyformer learn start`", "learn", *command.split())


def test_asked_wrongly(refused, desk):
    refused(1, "no exercise 'msee'; did you mean mse?", "learn", "check", "msee")
    refused(2, "Missing argument", "learn", "solution")
    refused(2, "No such command 'bogus'", "learn", "bogus")


def test_a_hint_without_a_name_is_about_the_next_exercise(cli, desk):
    assert cli("learn", "hint").out.startswith("mse, hint 1 of ")
    desk("mse", solved("mse"))
    cli("learn", "check", "mse")
    assert cli("learn", "hint").out.startswith("linear_weight, hint 1 of ")


def test_help(cli):
    for arguments in ((), ("--help",)):
        result = cli("learn", *arguments)
        assert result.code == 0
        for word in ("start", "list", "check", "watch", "hint", "solution", "reset"):
            assert f"\n  {word} " in result.out


def test_from_the_stub_to_the_pass(cli, desk, refused):
    result = cli("learn", "check", "mse")
    assert result.code == 1
    file = os.path.join("exercises", "01_mse.py")
    assert result.lines[0] == f"mse: not attempted yet. Write the body of vjp in {file}. " \
                              f"It still raises NotImplementedError."
    assert "after a pass or 3 tries; 3 more needed" in refused(1, "", "learn", "solution", "mse").errors[0]

    desk("mse", with_vjp("return difference * dL / x.size, -difference * dL / x.size"))
    result = cli("learn", "check", "1")
    assert result.code == 1 and result.lines[0] == "mse: not passed yet.  [factor]"
    assert "To get a hint: tinyformer learn hint mse" in result.lines
    cli("learn", "hint", "mse")
    assert cli("learn", "hint", "mse").lines == ["mse, hint 2 of 3: What is the derivative of u²?"]
    assert cli("learn", "list").lines[0] == "Chapter 1, Linear model: 0 of 6 passed"
    assert "1 try, factor" in cli("learn", "list").lines[1]

    desk("mse", solved("mse"))
    result = cli("learn", "check", os.path.join("exercises", "01_mse.py"))
    assert result.code == 0
    assert result.lines == ["mse: passed. Your prediction was right too.",
                            f"Next: linear_weight, in {os.path.join('exercises', '02_linear_weight.py')}"]
    assert cli("learn", "list").lines[0] == "Chapter 1, Linear model: 1 of 6 passed"
    assert cli("learn", "list").lines[1].endswith("passed")
    assert "def mse(x, target):" in cli("learn", "solution", "mse").out


def test_all_at_once(cli, desk):
    for name in ("mse", "softmax", "adam"):
        desk(name, solved(name))
    desk("sigmoid", text("sigmoid").replace("raise NotImplementedError", "return dy * y"))
    desk("tanh", "def tanh(x:\n")
    result = cli("learn", "check")
    assert result.code == 1
    listed = [line.split()[1] for line in result.lines if line[:3].strip().isdigit()]
    assert listed == ["mse", "sigmoid", "tanh", "softmax", "adam"]
    assert result.out.count("not passed yet.") == 1 and "sigmoid: not passed yet." in result.out
    assert f"3 of {len(EXERCISES)} passed. {len(EXERCISES) - 5} not attempted. Next: linear_weight" in result.lines[-1]


def test_all_solved(cli, desk):
    for name in EXERCISES:
        desk(name, solved(name))
    result = cli("learn", "check")
    assert result.code == 0 and "All exercises are passed." in result.lines[-1]
    lines = cli("learn", "list").lines
    chapters = [int(line.split()[1].rstrip(",")) for line in lines if line.startswith("Chapter ")]
    assert chapters == sorted(set(chapters)) and len(chapters) > 10
    listed = [line for line in lines if line.startswith(" ")]
    assert all(line.endswith("passed") for line in listed) and [line.split()[1] for line in listed] == list(EXERCISES)


@pytest.mark.parametrize("source, code, message", (
    ("def mse(x, target:\n", "import", "01_mse.py cannot be run: line 1: SyntaxError: "),
    ("import numpi\n", "import", "ModuleNotFoundError: No module named 'numpi'\n    in line 1: import numpi"),
    ("import numpy as np\n\n\nx = np.zeros(3) @ np.zeros(4)\n", "import", "in line 4: x = np.zeros(3) @ np.zeros(4)"),
    ("open('data.txt')\n", "import", "FileNotFoundError: "),
    ("exit()\n", "import", "your code leaves Python (exit)"),
    ("def mes(x, target): pass\n", "name",
     "01_mse.py has no function mse; it has mes. Keep its name: def mse(x, target)"),
    ("", "name", "01_mse.py has no function mse; it defines no function. Keep its name"),
    ("mse = 3\n", "name", "expected a function"),
    ("def mse(x): pass\n", "signature", "your function is mse(x), expected mse(x, target)"),
    ("def mse(x, target):\n    return x @ target\n", "error",
     "in line 2: return x @ target\n    where x is (5, 3), target is (5, 3)"),
    ("def mse(x, target):\n    return input()\n", "error", "EOFError"),
    ("import os\n\n\ndef mse(x, target):\n    os._exit(3)\n", "stopped", "your code ended Python itself"),
    ("# -*- coding: nonsense -*-\n", "file", "unknown encoding: nonsense"),
    ("while True:\n    pass\n", "time", "still running after 1 seconds: is there an endless loop?; it was in line"),
    ("def mse(x, target):\n    while True:\n        pass\n", "time", "still running after 1 seconds"),
    ("def mse(x, target):\n    while True:\n        try:\n            pass\n        except BaseException:\n            "
     "pass\n",
     "time", "still running after"),                        # in Python 3.10 this loop keeps the GIL: the parent ends it
))
def test_files_that_do_not_work(cli, desk, monkeypatch, source, code, message):
    monkeypatch.setattr(grading, "LIMIT", 1)
    monkeypatch.setattr("tinyformer.sandbox.parent.GRACE", 2)
    desk("mse", source)
    result = cli("learn", "check", "mse")
    assert result.code == 1 and result.errors == []
    assert result.lines[0] == f"mse: not passed yet.  [{code}]"
    assert message in result.out, result.out
    assert "Traceback" not in result.out and "worker.py" not in result.out and "grading.py" not in result.out


def test_escape_codes_are_shown_and_not_obeyed(cli, desk):
    desk("mse", with_vjp("print('\\x1b[2J\\u202egone')\n        raise ValueError('\\x1b[31mred')"))
    out = cli("learn", "check", "mse").out
    assert r"  | \x1b[2J\u202egone" in out and r"ValueError: \x1b[31mred" in out
    assert "\x1b" not in out and "\u202e" not in out


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_what_is_no_file_is_named(cli, desk):
    path = desk("mse", "")
    for make, kind in ((os.mkfifo, "a pipe or a device"), (os.mkdir, "a folder")):
        path.rmdir() if path.is_dir() else path.unlink()
        make(path)
        assert f"01_mse.py is {kind}, expected a Python file" in cli("learn", "check", "mse").out


@pytest.mark.parametrize("data, message", (
    (b"\x00\x01\x02", "is not a text file: line 1 has a zero byte"),
    (b"import numpy\n# gr\xfc\xdfe\n", "is not UTF-8 text: line 2 has the byte 0xfc. Save the file as UTF-8"),
    ("import numpy\n".encode("utf-16"), "0xff|zero byte"),
    (b"#" * (2 << 20), "has 2,097,152 bytes, expected a Python file of at most 1,048,576"),
))
def test_files_that_are_no_text(cli, desk, data, message):
    desk("mse", "").write_bytes(data)
    result = cli("learn", "check", "mse")
    assert result.code == 1 and any(part in result.out for part in message.split("|")), result.out
    assert "open, file" in cli("learn", "list").lines[1]


def test_a_folder_that_cannot_be_written(cli, desk, monkeypatch):
    desk("mse", solved("mse"))

    def refuse(path, data):
        raise PermissionError(13, "Permission denied", str(path))
    monkeypatch.setattr("tinyformer.learn.folder.replace_file", refuse)
    result = cli("learn", "check", "mse")
    assert result.code == 0 and result.lines[0].startswith("mse: passed.") \
        and result.lines[1].startswith("Next: linear_weight")
    assert result.lines[2].startswith("Your progress is not recorded: ") \
        and result.lines[2].endswith(": Permission denied.")


@pytest.mark.parametrize("command", (["learn", "check", "mse"], ["learn", "list"], ["check", "mine.py"]))
def test_without_docstrings(desk, tmp_path, command):
    desk("mse", solved("mse"))
    (tmp_path / "home" / "mine.py").write_text('def double(x: "BC"):\n    return 2 * x, lambda dy: 2 * dy\n')
    root = str(Path(tinyformer.__file__).parents[1])
    for flags, env in ((["-OO"], {}), ([], {"PYTHONOPTIMIZE": "2"})):
        done = subprocess.run([sys.executable, *flags, "-m", "tinyformer", *command], cwd=tmp_path / "home",
                              capture_output=True, text=True, encoding="utf-8",
                              env={**os.environ, **env, "PYTHONPATH": root})
        assert done.returncode == 0 and done.stderr == "", done


def test_after_one_that_hangs_the_others_are_checked(cli, desk, monkeypatch):
    monkeypatch.setattr(grading, "LIMIT", 1)
    desk("mse", "def mse(x, target):\n    while True:\n        pass\n")
    desk("softmax", solved("softmax"))
    desk("tanh", "import os\n\n\ndef tanh(x):\n    os._exit(0)\n")
    result = cli("learn", "check")
    lines = {line.split()[1]: line for line in result.lines if line[:3].strip().isdigit()}
    assert lines["mse"].endswith("1 try, time") and lines["tanh"].endswith("1 try, stopped")
    assert lines["softmax"].endswith("passed")


def test_what_the_learner_prints_is_shown(cli, desk):
    desk("mse", with_vjp("print('dL is', dL.shape)\n        return difference, difference"))
    assert cli("learn", "check", "mse").lines[:3] == ["Your code printed:", "  | dL is ()", ""]
    desk("mse", "print('once')\n" + solved("mse").replace("    L =", "    [print(i) for i in range(100)]\n    L ="))
    result = cli("learn", "check", "mse")
    assert result.code == 0 and result.lines[1:3] == ["  | once", "  | 0"]
    assert "more lines" in result.out


def test_a_file_that_is_gone(cli, desk):
    desk("mse", "").unlink()
    assert "does not exist; `tinyformer learn reset mse` creates it again" in cli("learn", "check", "mse").out
    assert cli("learn", "reset",
               "mse").lines == [f"{os.path.join('exercises', '01_mse.py')} has its initial text again."]
    assert cli("learn", "check", "mse").lines[0].startswith("mse: not attempted yet.")


def test_reset_keeps_the_old_text(cli, desk, tmp_path):
    path = desk("mse", "mine")
    assert "your text is in" in cli("learn", "reset", "mse").out
    assert path.with_name("01_mse.py.old").read_text() == "mine"


def test_files_of_windows_editors(cli, desk):
    path = desk("mse", "")
    path.write_bytes(b"\xef\xbb\xbf" + solved("mse").replace("\n", "\r\n").encode())
    assert cli("learn", "check", "mse").code == 0


def test_watch_checks_what_is_saved(cli, desk, monkeypatch):
    monkeypatch.setattr("tinyformer.cli.learn.PAUSE", 0.2)
    path = desk("mse", text("mse"))

    def save():
        time.sleep(0.3)
        path.write_text(solved("mse"), encoding="utf-8")

    thread = threading.Thread(target=save)
    thread.start()
    result = cli("learn", "watch", "--rounds", "6")
    thread.join()
    assert result.code == 0
    assert result.lines[0].startswith("Watching ") and "Next: mse" in result.lines[0]
    assert sum(line.startswith("mse: passed.") for line in result.lines) == 1


def test_a_console_that_knows_few_characters(desk, tmp_path):
    desk("mse", with_vjp("σ = 'é'\n        print(σ)\n        return difference, difference"))
    result = subprocess.run([sys.executable, "-m", "tinyformer", "learn", "check", "mse"], cwd=tmp_path / "home",
                            capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert result.returncode == 1 and result.stderr == b""
    assert b"mse: not passed yet." in result.stdout and b"\x1b" not in result.stdout
