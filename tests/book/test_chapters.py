"""The chapters run, as the author wrote them and as a reader gets them, and the notebooks are what the chapters
give."""

from __future__ import annotations

import json
import re

import pytest

from tinyformer.book import Book, cells, solved, stub
from tinyformer.learn import EXERCISES, Unsolved

BOOK = Book()
CHAPTERS = pytest.mark.parametrize("chapter", BOOK.with_notebooks(), ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def paper(monkeypatch, tmp_path):
    """Pictures go nowhere, files into a folder of the test's."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    import matplotlib.pyplot as plt
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.mark.slow                           # together a minute or two: some cells train a model from three seeds
@CHAPTERS
def test_the_cells_of_a_chapter_run_and_stop_at_each_exercise_that_is_not_solved(chapter, capsys):
    sources = cells(chapter.read_text(encoding="utf-8"))
    assert sources, f"{chapter.name} has no cell"
    names = {"__name__": "__main__"}
    for number, source in enumerate(sources, 1):
        if "### BEGIN SOLUTION" in source:
            capsys.readouterr()
            with pytest.raises(Unsolved) as stopped:
                exec(compile(stub(source), f"{chapter.name}, cell {number}", "exec"), dict(names))
            assert "not attempted" in capsys.readouterr().out
            assert stopped.value._render_traceback_() == [str(stopped.value)]           # what Jupyter shows
        exec(compile(solved(source), f"{chapter.name}, cell {number}", "exec"), names)


@CHAPTERS
def test_each_exercise_of_a_chapter_is_known(chapter):
    for source in cells(chapter.read_text(encoding="utf-8")):
        if "### BEGIN SOLUTION" in source:
            name = source.split('require("')[1].split('"')[0]
            assert name in EXERCISES


@CHAPTERS
def test_a_numbered_formula_stands_on_one_line(chapter):
    """Sphinx puts formulas with line breaks into an environment in which MathJax refuses a number."""
    for formula in re.findall(r"^\$\$.*?\$\$", chapter.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        assert not ("\\tag" in formula and "\\\\" in formula), formula


def test_the_notebooks_are_what_the_chapters_give():
    pytest.importorskip("jupytext", reason="notebooks are made with jupytext")
    from tinyformer.book.notebooks import stale
    assert not [path.name for path in stale(BOOK)], "run `tinyformer book notebooks` and commit what it writes"


def test_a_notebook_has_no_outputs_and_no_solutions():
    for path in BOOK.notebooks.glob("*.ipynb"):
        made = json.loads(path.read_text(encoding="utf-8"))
        ids = [cell["id"] for cell in made["cells"]]
        assert len(set(ids)) == len(ids)
        for cell in made["cells"]:
            assert not cell.get("outputs") and cell.get("execution_count") is None
            assert "BEGIN SOLUTION" not in "".join(cell["source"])
