"""The site, built once for all tests that look at it."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site, made from nothing, warnings being errors."""
    for needed in ("sphinx", "myst_nb", "sphinx_book_theme"):
        pytest.importorskip(needed, reason="the site is made with the extra [book]")
    from tinyformer.book import Book
    from tinyformer.book.site import build
    return build(Book(), tmp_path_factory.mktemp("site") / "book", fresh=True).parent
