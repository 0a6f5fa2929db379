"""Every cell of every chapter runs, in order, as a reader would run it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHAPTERS = sorted((Path(__file__).parent.parent / "chapters").glob("[0-9][0-9]-*.md"))
CELL = re.compile(r"^```\{code-cell\}.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_the_cells_of_a_chapter_run(chapter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = CELL.findall(chapter.read_text(encoding="utf-8"))
    assert cells, f"{chapter.name} has no cell"
    names = {"__name__": "__main__"}
    for number, cell in enumerate(cells, 1):
        exec(compile(cell, f"{chapter.name}, cell {number}", "exec"), names)
