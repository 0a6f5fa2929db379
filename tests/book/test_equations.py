"""Numbered formulas: each number occurs once and in order, and each citation names a formula of this chapter or an
earlier chapter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tinyformer
from tinyformer.book import Book

TEXTS = {path.name: path.read_text(encoding="utf-8") for path in Book().sources()}
TAGS = {name: re.findall(r"\\tag\{(\d+\.\d+)\}", text) for name, text in TEXTS.items()}
KNOWN = {tag for tags in TAGS.values() for tag in tags}
CITED = r"(?<![\w.)\]])\((\d{1,2}\.\d{1,2})\)"                      # not f(1.0), and not a number with more digits


@pytest.mark.parametrize("chapter", TEXTS)
def test_a_chapters_formulas_are_numbered_one_by_one(chapter):
    assert TAGS[chapter] == [f"{int(chapter[:2])}.{n}" for n in range(1, 1 + len(TAGS[chapter]))]


@pytest.mark.parametrize("chapter", TEXTS)
def test_a_chapter_cites_formulas_that_it_or_an_earlier_one_has(chapter):
    cited = set(re.findall(CITED, TEXTS[chapter]))
    assert cited <= KNOWN, cited - KNOWN
    assert all(int(number.split(".")[0]) <= int(chapter[:2]) for number in cited), cited


def test_the_code_cites_formulas_that_the_book_has():
    cited = set()
    for path in Path(tinyformer.__file__).parent.rglob("*.py"):
        for numbers in re.findall(r"[Bb]ook((?:(?:,| to| and)? \(\d+\.\d+\))+)", path.read_text(encoding="utf-8")):
            cited.update(re.findall(r"\d+\.\d+", numbers))
    assert len(cited) > 30 and cited <= KNOWN, cited - KNOWN
