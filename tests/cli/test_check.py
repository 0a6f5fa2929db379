"""tinyformer check"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

GOOD = 'import numpy as np\ndef exp(x: "BC"):\n    y = np.exp(x)\n    return y, lambda dy: dy * y\n'


@pytest.fixture
def run(tmp_path):
    def run(text, target="mine.py", *words):
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, "-m", "tinyformer", "check", target, *words], cwd=tmp_path,
                              capture_output=True, text=True, encoding="utf-8", timeout=120)
        return done.returncode, done.stdout, done.stderr
    return run


def test_right_and_wrong(run):
    code, out, err = run(GOOD)
    assert code == 0 and "every gradient agrees" in out and err == ""
    assert out.startswith("At random inputs x (4, 4), from the annotations:\n")
    code, out, err = run(GOOD.replace("dy * y", "dy"), "mine.py:exp")
    assert code == 1 and "[local-derivative]" in out and err == ""


def test_a_transpose_of_a_square_matrix(run):
    code, out, _ = run('def linear(x: "BI", w: "OI"):\n    return x @ w.T, lambda dy: (dy @ w.T, dy.T @ x)\n')
    assert code == 1 and "[operand]" in out


def test_inputs_of_their_own(run):
    code, out, _ = run("import numpy as np\ndef inputs():\n    return np.ones((2, 3)), np.array([0, 1, 1])\n"
                       "def take(x, i):\n    return x[:, i], lambda dy: (dy @ np.eye(3)[i], None)\n")
    assert code == 0 and "(2, 3)" in out


@pytest.mark.parametrize("text, says", [
    ("def f(x):\n    return x\n", "no gradient to check"), (GOOD.replace("np.exp", "np.expp"), "np.expp"),
    ("import numpy as np\ndef f(x):\n    return np.tanh(x)\n",       # the form is wrong, not the guessed input
     "tinyformer: f: returned ndarray for arrays, expected (value, vjp)"),
    ("import nothing_here\n", "line 1"), (GOOD.replace("lambda dy: dy * y", "None"), "expected"),
    ('def f(x: "B"):\n    def vjp(dy):\n        raise NotImplementedError\n    return x, vjp\n', "not written yet")])
def test_bad_files_are_one_line(run, text, says):
    code, out, err = run(text)
    assert code == 1 and says in err and len(err.splitlines()) == 1 and out == ""


@pytest.mark.parametrize("text, words, says", [
    # the pair, shapes from a docstring, in CS231n's form
    ('def affine_forward(x, w):\n    """x: (N, D)  inputs\n    w: (D, M)  weights"""\n    return x @ w, (x, w)\n'
     'def affine_backward(dout, cache):\n    x, w = cache\n    return dout @ w.T, x.T @ dout\n', (),
     "x (4, 4), w (4, 4), from the docstring"),
    ("class Square:\n    def forward(self, x):\n        self.x = x\n        return x * x\n"
     "    def backward(self, dy):\n        return 2 * self.x * dy\n", (), "x (4, 4), from a guess"),
    ("def double(x, y):\n    return x * y, lambda dy: (dy * y, dy * x)\n",
     ("--shape", "x=12,3", "--shape", "y=(12, 3)"), "x (12, 3), y (12, 3), from --shape"),
    ("import numpy as np\ndef log(x: 'BC'):\n    return np.log(x), lambda dy: dy / x\n", (), "positive"),
])
def test_shapes_are_found_and_said(run, text, words, says):
    code, out, err = run(text, "mine.py", *words)
    assert code == 0 and says in out.splitlines()[0] and err == "", out + err


def test_a_library_that_is_absent(run):
    for library in ("torch", "jax"):
        if importlib.util.find_spec(library) is None:
            code, out, err = run(f"import {library}\n")
            assert code == 1 and f"imports {library}, which is not installed here; pip install {library}" in err
            assert len(err.splitlines()) == 1


@pytest.mark.parametrize("text, words, says", [
    (GOOD, ("--shape", "x"), "expected INPUT=SHAPE"), (GOOD, ("--shape", "x=3;4"), "expected INPUT=SHAPE"),
    (GOOD, ("--shape", "y=3,4"), "no such input; it has x"),
    ("def f(x, w):\n    return x\n", (), "--shape x=N,C"),
    ("def f(x):\n    return x.reshape(2, 2), lambda dy: dy\n", (), "its inputs are unknown"),
    ("class A:\n    def __init__(self, n):\n        pass\n    def forward(self, x):\n        return x\n"
     "    backward = forward\n", (), "expected an object: check(A(…), x)"),
    ("def forward(x):\n    return x\ndef backward():\n    return 1\n", (), "no upstream gradient"),
])
def test_wrong_requests_are_one_line(run, text, words, says):
    code, out, err = run(text, "mine.py", *words)
    assert code in (1, 2) and says in err and len(err.splitlines()) == 1 and out == "", err


@pytest.mark.parametrize("ending", ("import sys; sys.exit(0)\n", "import os; os._exit(0)\n"))
def test_a_file_that_ends_python_is_not_right(run, ending):
    code, out, err = run(GOOD + ending)
    assert code == 1 and out == "" and err.startswith("tinyformer: ") and len(err.splitlines()) == 1


def test_what_the_function_prints_is_shown_once_and_not_obeyed(run):
    code, out, err = run(GOOD.replace("    y =", "    print('\\x1b[2J')\n    y ="))
    assert code == 0 and out.startswith("Your code printed:\n  | \\x1b[2J\n") and "\x1b" not in out and err == ""
    code, _, err = run(GOOD, "\x1b[31m.py")
    assert code == 1 and "\\x1b[31m.py does not exist" in err and "\x1b" not in err


def test_an_endless_loop(run):
    code, _, err = run('def f(x: "B"):\n    while True:\n        pass\n', "mine.py", "--seconds", "1")
    assert code == 1 and "still running after 1 seconds" in err and "line" in err
