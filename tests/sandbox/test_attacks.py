"""A learner's file may do anything: the check ends in time, says so in a sentence, and never says that the answer is
right."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tinyformer.learn import EXERCISES
from tinyformer.learn.worker import check_files
from tinyformer.sandbox import Refused
from tinyformer.sandbox.parent import run

SECONDS = 1                             # for attacks that never end
WRONG = "    y = np.exp(x)\n    return y, lambda dy: dy\n"
FORGED = "'{\"token\": \"\", \"answer\": 0, \"value\": {\"ok\": true, \"report\": \"\", " \
    "\"printed\": \"\", \"unprinted\": 0}}\\n'"

# What stands at the beginning of the file, what in the function, and a part of what is said.
ATTACKS = {
    "exit": ("import sys; sys.exit(0)", "", "leaves Python (exit)"),
    "exit with a text": ("import sys; sys.exit('all is right')", "", "leaves Python (exit: all is right)"),
    "exit in the call": ("", "raise SystemExit(0)", "leaves Python (exit)"),
    "_exit": ("import os; os._exit(0)", "", "ended Python itself (exit code 0)"),
    "_exit in the call": ("import os", "os._exit(0)", "ended Python itself (exit code 0)"),
    "exec": ("import os, sys; os.execv(sys.executable, [sys.executable, '-c', ''])", "", "ended Python itself"),
    "an exit at the end": ("import atexit, os; atexit.register(os._exit, 0)", "", "wrong in x"),
    "a loop at the end": ("import atexit\n@atexit.register\ndef _last():\n    while True: pass", "", "wrong in x"),
    "a loop": ("while True: pass", "", "still running after 1 seconds: is there an endless loop?; it was in line 2"),
    "a loop in the call": ("", "while True: pass", "still running after 1 seconds"),
    "a loop that catches all": ("",
                                "while True:\n        try:\n            while True: pass\n        except "
                                "BaseException: pass",
                                "still running after 1 seconds"),
    "a loop in __del__": ("class _Bad:\n    def __del__(self):\n        while True: pass", "_Bad()", "still running"),
    "a loop in C": ("", "sum(range(10 ** 13))", "still running after 1 seconds, and it cannot be interrupted"),
    "a sleep": ("import time", "time.sleep(100)", "still running"),
    "recursion": ("", "exp(x)", "RecursionError"),
    "a crash": ("import ctypes", "ctypes.string_at(0)", "crashed Python: SIGSEGV (segmentation fault)\n  in line"),
    "an abort": ("import os", "os.abort()", "crashed Python: SIGABRT"),
    "a kill": ("import os, signal", "os.kill(os.getpid(), signal.SIGKILL)", "crashed Python: SIGKILL"),
    "memory": ("", "np.ones((1 << 20, 1 << 20))", "MemoryError"),
    "memory in steps": ("", "kept = []\n    while True: kept.append(np.empty(1 << 24))", "MemoryError"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt('no')", "", "KeyboardInterrupt: no"),
    "KeyboardInterrupt in the call": ("", "raise KeyboardInterrupt", "KeyboardInterrupt"),
    "a BaseException": ("class Odd(BaseException): pass", "raise Odd('so')", "Odd: so"),
    "GeneratorExit": ("", "raise GeneratorExit", "GeneratorExit"),
    "an error without a text": ("class Odd(Exception):\n    def __str__(self): return 1 / 0", "raise Odd",
                                "Odd: (its __str__ raises ZeroDivisionError)"),
    "a message of megabytes": ("", "raise ValueError('é' * 3_000_000)", "… (cut; 3,000,000 characters in all)"),
    "warnings as errors": ("import warnings; warnings.simplefilter('error')", "", "wrong in x"),
    "NumPy's errors": ("np.seterr(all='raise')", "np.seterr(all='raise')", "wrong in x"),
    "another folder": ("import os, sys; os.chdir('/'); sys.path.clear()", "", "wrong in x"),
    "settings": ("np.set_printoptions(precision=1, threshold=1); np.random.seed(0)", "", "wrong in x"),
    "closed output": ("import sys; sys.stdout.close(); sys.stderr.close(); sys.__stdout__.close()", "", "wrong in x"),
    "closed files": ("import os; os.closerange(0, 100)", "", "ended Python itself|closed the files"),
    "a thread": ("import threading\ndef _forever():\n    while True: pass\n"
                 "threading.Thread(target=_forever).start()", "", "wrong in x"),
    "a fork": ("import os; os.fork()", "", "wrong in x"),
    "a verdict on stdout": (f"import os; os.write(1, {FORGED}.encode()); print({FORGED})", "", "wrong in x"),
    "a verdict on every file": (f"import os\nfor _n in range(3, 30):\n    try: os.write(_n, {FORGED}.encode())\n"
                                f"    except OSError: pass", "", "wrong in x"),
    "another NumPy": ("np.allclose = lambda *a, **k: True", "", "replaces numpy.allclose"),
    "another builtin": ("import builtins; builtins.max = lambda *a, **k: 0", "",
                        "replaces builtins.max|checker itself failed"),
    "another tinyformer": ("from tinyformer.gradcheck.report import Report; Report.ok = True", "",
                           "replaces tinyformer.gradcheck.report.Report.ok"),
}
LINUX = ("a fork", "a crash", "an abort", "a kill", "memory", "memory in steps", "exec", "another folder")


def written(tmp_path, begin, body):
    path = tmp_path / "mine.py"
    path.write_text(f"import numpy as np\n{begin}\ndef exp(x: 'BC'):\n    {body or 'pass'}\n{WRONG}", encoding="utf-8")
    return path


def said(answer):
    """What the user reads."""
    if isinstance(answer, Refused):
        return str(answer)
    assert answer["ok"] is False
    return answer.get("refused") or answer["report"]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What is answered to each attack; some run at the same time."""
    def answer(attack):
        if attack in LINUX and not sys.platform.startswith("linux"):
            return None
        begin, body, part = ATTACKS[attack]
        seconds = SECONDS if "still running" in part else 30
        path = written(tmp_path_factory.mktemp("attack"), begin, body)
        answer, = run("tinyformer.gradcheck.check_file", [[str(path), None, 0, seconds, {}]], seconds)
        return answer

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(3) as pool:
        patch.setattr("tinyformer.sandbox.parent.GRACE", 1)
        return dict(zip(ATTACKS, pool.map(answer, ATTACKS)))


@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_a_file_does_it_is_never_right(attack, answers):
    if answers[attack] is None:
        pytest.skip("this attack is for Linux")
    text, part = said(answers[attack]), ATTACKS[attack][2]
    assert any(one in text for one in part.split("|")), text
    assert len(text) < 5000 and "Traceback" not in text


def test_children_are_ended_with_the_check(tmp_path):
    if os.name == "nt":
        pytest.skip("a process is looked for by its number")
    note = tmp_path / "pid"
    path = written(tmp_path, "import subprocess, sys, os", f"if not os.path.exists({str(note)!r}):\n"
                   f"        open({str(note)!r}, 'w').write(str(subprocess.Popen([sys.executable, '-c', 'import time; "
                   f"time.sleep(60)']).pid))"
                   )
    list(run("tinyformer.gradcheck.check_file", [[str(path), None, 0, 20, {}]], 20))
    pid = int(note.read_text())
    for _ in range(100):
        try:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("the child still runs")


def solved(name, begin="", body=""):
    exercise = EXERCISES[name]
    return f"{exercise.imports}{begin}\n{exercise.source}"


def test_a_file_that_leaves_traces_does_not_spoil_the_next(tmp_path):
    """Exercises share a process until a file changes something in it."""
    begins = {"tanh": "np.set_printoptions(precision=1)", "mse": "np.allclose = lambda *a, **k: True",
              "sigmoid": "import os; os.chdir('/')", "relu": "import os; os._exit(0)", "gelu": ""}
    for name, begin in begins.items():
        (tmp_path / f"{name}.py").write_text(solved(name, begin), encoding="utf-8")
    verdicts = list(check_files({name: tmp_path / f"{name}.py" for name in begins}))
    assert [verdict.code for verdict in verdicts] == ["", "changed", "", "stopped", ""]
    assert [verdict.name for verdict in verdicts] == list(begins)


def test_output_of_megabytes_is_cut_and_counted(tmp_path):
    path = tmp_path / "mse.py"
    path.write_text(solved("mse").replace("    L =", "    print('x' * 5_000_000)\n    L ="), encoding="utf-8")
    verdict, = check_files({"mse": path})
    assert verdict.ok and len(verdict.printed) < 100_000 and 4_900_000 < verdict.unprinted < 5_100_000


def test_output_that_python_does_not_see_ends_too(tmp_path):
    path = written(tmp_path, "import os; os.write(1, b'x' * (1 << 24)); os.write(2, b'y' * (1 << 24))", "")
    answer, = run("tinyformer.gradcheck.check_file", [[str(path), None, 0, 10, {}]], 10)
    assert "wrong in x" in said(answer)
