"""Consoles of other encodings: whatever a command prints is legible there, and plain where it is piped."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from tinyformer.cli.console import say, settle

# Several commands in one process, for Python's start takes longer than they do.
SEVERAL = """
import json, sys
from tinyformer.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as end:
        assert end.code in (None, 0, 1), (arguments, end.code)
"""
WRONG = """import numpy as np

def softmax(x: "BC"):
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    return p, lambda dp: p * dp
"""


@pytest.mark.parametrize("encoding", ("cp1252", "cp437", "ascii"))
def test_every_command_prints(tmp_path, encoding):
    (tmp_path / "mine.py").write_text(WRONG, encoding="utf-8")
    commands = [["learn", "start"], ["learn", "list"], ["learn", "check", "softmax"], ["learn", "hint", "layer_norm"],
                ["learn", "check"], ["check", "mine.py"], ["doctor"],
                ["doctor", "factor", "softmax-diagonal", "local-derivative"], ["--help"]]
    result = subprocess.run([sys.executable, "-c", SEVERAL, json.dumps(commands)], cwd=tmp_path, capture_output=True,
                            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
    out = result.stdout.decode(encoding)
    assert result.returncode == 0 and result.stderr == b"", result.stderr.decode(encoding)
    assert "[softmax-diagonal]" in out and "sqrt" in out if encoding != "cp437" else "√" in out
    assert "\x1b" not in out and "\ufffd" not in out


def test_characters_are_spelled_out():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    settle(stream)
    stream.write("dx = γ ⊙ (x̂ − μ)/σ², Σ pᵀ ≤ √D … ┃━ é 漢")
    stream.flush()
    assert stream.buffer.getvalue() == b"dx = gamma * (x^ - mu)/sigma2, sum  pT <= sqrt D ... |- e ?"


def test_what_the_encoding_knows_stays():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    settle(stream)
    stream.write("½ · σ²")
    stream.flush()
    assert stream.buffer.getvalue().decode("cp1252") == "½ · sigma²"


LINES = """a sentence of more words than a narrow terminal has room for
    and one that stands further right, as code does or a table
corpora      pydocs, pysource, shakespeare and shakespeare-plays
short        and      wide"""


def test_long_lines_end_between_words_on_a_terminal_alone(monkeypatch, capsys):
    say(LINES)
    assert capsys.readouterr().out == LINES + "\n"
    monkeypatch.setenv("COLUMNS", "41")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    say(LINES)
    assert capsys.readouterr().out.splitlines() == [
        "a sentence of more words than a narrow", "terminal has room for",
        "    and one that stands further right,", "    as code does or a table",
        "corpora      pydocs, pysource,", "             shakespeare and", "             shakespeare-plays",
        "short        and      wide"]
