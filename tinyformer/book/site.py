"""The book as a site, made by Sphinx from ``chapters/``; and a server of one's own machine to read it."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys

from .chapters import CELL, OPTIONS, solved, stub


def build(book, out, fresh=False):
    """Make the site in the folder ``out`` and return its first page. Cells run once: their outputs are kept beside it, in
    ``book-cache``, unless ``fresh``. Warnings are errors, which Sphinx prints; then RuntimeError.
    """
    cache = out.parent / "book-cache"
    if fresh:
        for folder in (out, cache):
            shutil.rmtree(folder, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-j", "2", "-d", out / ".doctrees",
               book.chapters, out]
    environment = {**os.environ, "TINYFORMER_BOOK_CACHE": str(cache.resolve())}
    if subprocess.run([str(part) for part in command], env=environment).returncode:
        raise RuntimeError("the site was not built, for what Sphinx says above")
    return out / "index.html"


def show_stubs(text):
    """A chapter as the site shows it: before each cell with a solution, what the reader gets; the cell itself folds."""
    def one(match):
        source = OPTIONS.sub("", match[1])
        if "### BEGIN SOLUTION" not in source:
            return match[0]
        return f"```python\n{stub(source)}```\n\n```{{code-cell}}\n:tags: [hide-input]\n\n{solved(source)}```"
    return CELL.sub(one, text)


def in_chinese(glossary):
    """{term: its Chinese} out of the glossary's text, where the Chinese stands before the first full stop after the term."""
    return dict(re.findall(r"^(\S[^\n]*)\n {4}([^.\n]*[\u4e00-\u9fff][^.\n]*)\.", glossary, re.MULTILINE))


def index_in_chinese(entries, chinese):
    """Sphinx's index entries of a page, and for each that the glossary has the Chinese one, all under the heading 中文."""
    entries = [entry for entry in entries if entry[4] != "中文"]                # a page that was not read again has them already
    return entries + [("single", f"{chinese[term]}; {term}", place, main, "中文") for _, term, place, main, _ in entries
                      if term in chinese]


def serve(folder, port=8000):
    """Serve ``folder`` to this machine alone until Ctrl-C. Returns the server; ``port`` 0 takes a free one."""
    handler = functools.partial(_Quiet, directory=str(folder))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Say nothing of each file that is asked for."""
