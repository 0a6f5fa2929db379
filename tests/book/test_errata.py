"""Chapter 15 says of nineteen printed statements that they fail and of the right ones that they hold: each is a
test."""

from __future__ import annotations

import re

import pytest

from tinyformer.book import Book, cells, solved

CHAPTER = next(path for path in Book().sources() if path.name.startswith("15-"))
KEYS = [f"X{i}" for i in range(1, 20)]


@pytest.fixture(scope="module")
def names():
    """What the chapter's cells leave behind, up to the table."""
    names = {"__name__": "__main__"}
    for source in cells(CHAPTER.read_text(encoding="utf-8")):
        if "FOUND.items()" in source:
            return names
        exec(compile(solved(source), CHAPTER.name, "exec"), names)


@pytest.mark.parametrize("key", KEYS)
def test_the_printed_statement_fails_and_the_right_one_holds(names, key):
    _, _, printed, right = names["FOUND"][key]
    assert (printed, right) == (False, True)


@pytest.mark.parametrize("key", KEYS)
def test_the_table_says_what_is_printed_and_what_is_right(key):
    rows = re.findall(rf"^\| {key} \| (.+) \| (.+) \|$", CHAPTER.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 1 and re.match("[A-E](, [A-E])*: ", rows[0][0])
