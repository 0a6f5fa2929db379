"""tinyformer book."""

import pytest


def test_without_chapters_it_says_where_they_would_be(cli, tmp_path, monkeypatch):
    import tinyformer.book.chapters as chapters
    monkeypatch.setattr(chapters, "__file__", str(tmp_path / "site-packages" / "tinyformer" / "book" / "chapters.py"))
    result = cli("book", "open")
    assert result.code == 1 and len(result.errors) == 1 and "checkout" in result.errors[0]


def test_open_without_a_site_says_what_makes_it(cli, tmp_path):
    result = cli("book", "open", "--out", str(tmp_path))
    assert result.code == 1 and "tinyformer book build" in result.errors[0]


def test_the_notebooks_are_checked(cli):
    pytest.importorskip("jupytext", reason="notebooks are made with jupytext")
    assert cli("book", "notebooks", "--check").code == 0


@pytest.mark.parametrize("needed, command", (("jupytext", "notebooks"), ("sphinx", "build")))
def test_a_missing_library_is_named(cli, monkeypatch, needed, command):
    import importlib.util
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == needed else find(name, *rest))
    result = cli("book", command)
    assert result.code == 1 and needed in result.errors[0] and "pip install -e '.[book]'" in result.errors[0]
