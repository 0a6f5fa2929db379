"""The site builds without a warning, and its pages ask nothing of the network and lead nowhere that is not there."""

from __future__ import annotations

import re
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urldefrag

import pytest

import tinyformer
from tinyformer.book import Book
from tinyformer.book.site import build, in_chinese, index_in_chinese, serve, show_stubs


def test_a_cell_with_a_solution_is_shown_as_a_stub_and_a_fold():
    text = "A\n\n```{code-cell}\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n```\n\n```{code-cell}\ny = 2\n```\n"
    assert show_stubs(text) == ("A\n\n```python\nraise NotImplementedError\n```\n\n"
                                "```{code-cell}\n:tags: [hide-input]\n\nx = 1\n```\n\n```{code-cell}\ny = 2\n```\n")


CONF = """
import os, sys
sys.path.insert(0, os.environ["BOOK_ROOT"])
from tinyformer.book.site import NOISE, report_progress
root_doc, extensions = "index", ["myst_parser"]
def setup(app):
    report_progress(app)
    print("[IPKernelApp] WARNING |", NOISE, file=sys.stderr)
"""


def test_progress_is_shown_page_by_page_and_kernels_are_quiet(tmp_path, monkeypatch, capfd):
    pytest.importorskip("myst_parser", reason="the site is made with the extra [book]")
    monkeypatch.setenv("BOOK_ROOT", str(Path(tinyformer.__file__).parents[1]))
    (tmp_path / "chapters").mkdir()
    for name, text in (("conf.py", CONF), ("index.md", "# One\n\n```{toctree}\n01-two\n```\n"),
                       ("01-two.md", "# Two\n")):
        (tmp_path / "chapters" / name).write_text(text, encoding="utf-8")
    assert build(Book(tmp_path), tmp_path / "out" / "book").is_file()
    out, err = capfd.readouterr()
    assert out.startswith("2 pages to read") and sorted(line.split()[0]
                                                        for line in out.splitlines()[1:] if line) == ["01-two", "index"]
    assert err == ""
    (tmp_path / "chapters" / "01-two.md").write_text("# Two\n\n{nonsense}`x`\n", encoding="utf-8")
    with pytest.raises(RuntimeError):
        build(Book(tmp_path), tmp_path / "out" / "book")
    out, err = capfd.readouterr()
    assert out.startswith("1 page to read") and "nonsense" in err


def test_the_index_has_the_chinese_of_what_the_glossary_has_once():
    chinese = in_chinese("# Words\n\nself-attention\n    自注意力. Attention in\n    itself.\n\n"
                         "query, key\n    查询、键. What it asks.\n")
    assert chinese == {"self-attention": "自注意力", "query, key": "查询、键"}
    entries = [("single", "self-attention", "index-0", "", None), ("single", "Muon", "index-0", "main", None)]
    complete = index_in_chinese(entries, chinese)
    assert complete == [*entries, ("single", "自注意力; self-attention", "index-0", "", "中文")]
    assert index_in_chinese(complete, chinese) == complete


def test_every_word_of_the_glossary_is_indexed_in_a_chapter():
    book = Book()
    indexed = set()
    for source in book.sources():
        lines = re.findall(r"^```\{index\} ([^\n]*)\n```$", source.read_text(encoding="utf-8"), re.MULTILINE)
        assert lines, f"{source.name} has no index entry"
        for line in lines:
            indexed.update([line.removeprefix("single: ")] if line.startswith("single: ") else line.split(", "))
    assert not set(in_chinese((book.chapters / "glossary.md").read_text(encoding="utf-8"))) - indexed


def test_the_server_serves_this_machine_alone(tmp_path):
    (tmp_path / "index.html").write_text("<p>here</p>")
    server = serve(tmp_path, port=0)
    assert server.server_address[0] == "127.0.0.1"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/") as answer:
            assert answer.read() == b"<p>here</p>"
    finally:
        server.shutdown()
        server.server_close()


class Page(HTMLParser):
    """What a page loads, where it leads, and its anchors."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.leads, self.anchors = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.update(filter(None, (given.get("id"), given.get("name"))))
        if tag in ("script", "img", "iframe", "source") and given.get("src"):
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev", "search", "index"):
            self.loads.append(given["href"])
        if tag == "a" and given.get("href"):
            self.leads.append(given["href"])


@pytest.mark.slow
def test_the_site(site):
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    assert len(pages) >= len(Book().sources()) + 5
    for path, page in pages.items():
        assert f"tinyformer {tinyformer.__version__}" in path.read_text(encoding="utf-8"), path.name
        for loaded in page.loads:
            assert not loaded.startswith(("http:", "https:", "//")), f"{path.name} loads {loaded}"
            if not loaded.startswith("data:"):
                assert (path.parent
                        / unquote(loaded.split("?")[0])).is_file(), f"{path.name} loads {loaded}, which is not there"
        for link in page.leads:
            if link.startswith(("http:", "https:", "mailto:")):
                continue
            file, anchor = urldefrag(unquote(link))
            target = (path.parent / file).resolve() if file else path
            assert target.is_file(), f"{path.name} leads to {link}, which is not there"
            if anchor and target in pages:
                assert anchor in pages[target].anchors, f"{path.name} leads to {link}: no such place"
        assert "MathJax" not in path.read_text(encoding="utf-8") or "tex-svg.js" in path.read_text(encoding="utf-8")
    index = (site / "genindex.html").read_text(encoding="utf-8")
    assert "自注意力" in index and 'href="09-attention.html#index-' in index
