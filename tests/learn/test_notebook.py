"""``from tinyformer.learn import check``: the same checks and the same state in a notebook."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tinyformer.learn
from tinyformer.learn import EXERCISES, Unsolved, check, hint, require, solution
from tinyformer.learn.folder import PROGRESS, Folder


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tinyformer.learn, "_in_memory", Folder())


def forgets_the_half(x, target):
    return np.mean((x - target) ** 2), lambda dL: ((x - target) * dL / x.size, -(x - target) * dL / x.size)


def test_a_pass_shows_what_comes_next(capsys):
    verdict = check("mse", EXERCISES["mse"].function, 1)
    out = capsys.readouterr().out
    assert verdict.ok and repr(verdict) == "<mse: passed>"
    assert out.startswith("mse: passed. Your prediction was right too.\nNext: linear_weight,")


def test_a_chapter_does_not_lead_elsewhere(capsys):
    """What comes next in a notebook is its next cell."""
    require("rope", EXERCISES["rope"].function, 7)
    assert capsys.readouterr().out == "rope: passed. Your prediction was right too.\n"
    with pytest.raises(Unsolved, match='until mse is passed; hint'):
        require("mse", forgets_the_half)


def test_a_mistake_its_hint_and_then_the_solution(capsys):
    assert not check("mse", forgets_the_half).ok
    out = capsys.readouterr().out
    assert "[factor]" in out and 'To get a hint: hint("mse")' in out and "tinyformer learn" not in out
    hint("mse")
    assert capsys.readouterr().out.startswith("mse, hint 1 of 3: ")
    hint("mse")
    assert capsys.readouterr().out == "mse, hint 2 of 3: What is the derivative of u²?\n"
    with pytest.raises(ValueError, match="the solution of mse opens after a pass or 3 tries; 2 more needed"):
        solution("mse")
    check("mse", forgets_the_half)
    check("mse", forgets_the_half)
    assert 'After 3 tries you may also read the solution: solution("mse")' in capsys.readouterr().out
    solution("mse")
    assert "dx = 2 * difference * dL / x.size" in capsys.readouterr().out


def test_a_folder_is_shared(tmp_path, capsys):
    folder = Folder(tmp_path / "exercises")
    folder.start()
    check("mse", EXERCISES["mse"].function)
    assert folder.next() == "linear_weight"
    assert json.loads((folder.path / PROGRESS).read_text())["mse"]["passed"] is True
    assert tinyformer.learn._in_memory.next() == "mse"


@pytest.mark.parametrize("name, message", (
    ("sofmax", "no exercise 'sofmax'; did you mean softmax"),
    ("quux", "there is no exercise 'quux'; `tinyformer learn list` shows all exercises"),
    ("99", "no exercise '99'"),
))
def test_names_that_are_none(name, message):
    with pytest.raises(ValueError, match=message):
        check(name, forgets_the_half)
