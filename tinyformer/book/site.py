"""The book as a site, made by Sphinx from ``chapters/``; and a server of one's own machine to read it."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import time

from .chapters import CELL, OPTIONS, solved, stub

# What Jupyter prints for each kernel that it starts, here on this machine alone.
NOISE = "Kernel is running over TCP without encryption"


def build(book, out, fresh=False):
    """Make the site in the folder ``out`` and return its first page.

    Cells run once: their outputs are kept beside it, in ``book-cache``, unless ``fresh``. Warnings are errors,
    which Sphinx prints; then RuntimeError. Each page that is read is reported on standard output, see
    ``report_progress``.
    """
    cache = out.parent / "book-cache"
    if fresh:
        for folder in (out, cache):
            shutil.rmtree(folder, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-j", "2", "-d",
               out / ".doctrees",
               book.chapters, out]
    environment = {**os.environ, "TINYFORMER_BOOK_CACHE": str(cache.resolve())}
    with subprocess.Popen([str(part) for part in command], env=environment, stderr=subprocess.PIPE, encoding="utf-8",
                          errors="replace") as process:
        for line in process.stderr:
            if NOISE not in line:
                print(line, end="", file=sys.stderr, flush=True)
    if process.returncode:
        raise RuntimeError("the site was not built, for what Sphinx says above")
    return out / "index.html"


def report_progress(app):
    """Have Sphinx print how many pages it will read, and each page with its seconds when its cells have run."""
    began = {}

    def announce(app, env, names):
        if names:
            print(f"{len(names)} page{'s' * (len(names) != 1)} to read; "
                  "the cells of each run unless their outputs are kept", flush=True)

    def start(app, name, source):
        began[name] = time.monotonic()

    def finish(app, tree):
        name = app.env.docname
        print(f"  {name:<30} {time.monotonic() - began[name]:6.1f} s", flush=True)

    app.connect("env-before-read-docs", announce)
    app.connect("source-read", start)
    app.connect("doctree-read", finish)


def show_stubs(text):
    """A chapter as the site shows it: before each cell with a solution, what the reader gets; the cell itself folds."""
    def one(match):
        source = OPTIONS.sub("", match[1])
        if "### BEGIN SOLUTION" not in source:
            return match[0]
        return f"```python\n{stub(source)}```\n\n```{{code-cell}}\n:tags: [hide-input]\n\n{solved(source)}```"
    return CELL.sub(one, text)


def in_chinese(glossary):
    """{term: its Chinese} out of the glossary's text.

    The Chinese stands before the first full stop after the term.
    """
    return dict(re.findall(r"^(\S[^\n]*)\n {4}([^.\n]*[\u4e00-\u9fff][^.\n]*)\.", glossary, re.MULTILINE))


def index_in_chinese(entries, chinese):
    """Sphinx's index entries of a page, and the Chinese ones of the glossary under the heading 中文."""
    # a page that was not read again has them already
    entries = [entry for entry in entries if entry[4] != "中文"]
    return entries + [("single", f"{chinese[term]}; {term}", place, main, "中文") for _, term, place, main, _ in entries
                      if term in chinese]


def serve(folder, port=8000):
    """Serve ``folder`` to this machine alone until Ctrl-C. Returns the server; ``port`` 0 takes a free one."""
    handler = functools.partial(_Quiet, directory=str(folder))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Say nothing of each file that is asked for."""
