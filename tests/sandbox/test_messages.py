"""Text that a terminal shows and does not obey."""

from __future__ import annotations

import pytest

from tinyformer.sandbox import Refused, find_function, read_source, run_file
from tinyformer.sandbox.messages import cut, explain, printed_lines, visible


def test_control_characters_become_visible():
    assert visible("a\tb\r\nc\x1b[2J\x07\x9b\u202e\ud800\rd é 中") == "a\tb\nc\\x1b[2J\\x07\\x9b\\u202e\\ud800\\rd é 中"


def test_long_texts_are_cut():
    assert cut("ab", 2) == "ab" and cut("abc", 2) == "ab… (cut; 3 characters in all)"
    assert printed_lines("a\nb") == ["Your code printed:", "  | a", "  | b", ""] and printed_lines(" \n") == []
    assert printed_lines("x\n" * 30)[-2] == "  | … and 10 more lines"
    assert printed_lines("x\n" * 30, 1000)[-2] == "  | … and 1,020 more characters"
    assert len(explain(ValueError("x" * 10**6))) < 3000
    assert len(explain(SyntaxError("bad", ("f.py", 1, 5, "x" * 10**6, 1, 5)))) < 3000


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text, encoding="utf-8")
        return path
    return write


def test_a_function_is_found(file, monkeypatch):
    monkeypatch.setattr("sys.path", [])
    path = file("from __future__ import annotations\nfrom dataclasses import dataclass\n"
                "@dataclass\nclass A:\n    x: int\ndef inputs(): pass\ndef _own(): pass\ndef f(x): return x\n")
    names = run_file(path)
    assert find_function(names, path) is find_function(names, path, "f") is names["f"]


@pytest.mark.parametrize("text, name, says", [
    ("import no_such_module\n", "f", r"cannot be run: ModuleNotFoundError.*\n  in line 1: import no_such_module"),
    ("def f(x:\n", "f", "line 1.*never closed"), ("x = 1\n", None, "it defines no function"),
    ("def g(x):\n    pass\n", "f", "has no function f; it has g"), ("f = 1\n", "f", "f is a value of type int"),
    ("def g(): pass\ndef h(): pass\n", None, "name one function")])
def test_what_is_wrong_with_a_file_is_said(file, text, name, says, monkeypatch):
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(Refused, match=says):
        find_function(run_file(file(text)), "mine.py", name)


def test_files_that_are_not_there(tmp_path):
    for path, says in ((tmp_path / "none.py", "does not exist"), (tmp_path, "is a folder"),
                       ("a\0b.py", "not a valid file name")):
        with pytest.raises(Refused, match=says):
            read_source(path)
