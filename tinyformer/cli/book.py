"""tinyformer book …: notebooks and a site, out of the chapters."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Optional

import typer

from .groups import group

app = group("Build the notebooks and the site of the book.")
OUT = Annotated[Optional[Path], typer.Option(
    "--out", metavar="DIR", help="The folder of the site. Default: build/book in the checkout.")]


@app.command("notebooks")
def notebooks(check: Annotated[bool, typer.Option(
        "--check", help="Change nothing; the exit code is 1 if a notebook is stale.")] = False):
    """Make notebooks/NN-name.ipynb from chapters/NN-name.md."""
    book = _book("jupytext", "nbformat")
    from ..book.notebooks import stale, write
    if check:
        found = stale(book)
        for path in found:
            print(f"{path.relative_to(book.root)} is not what its chapter gives; run `tinyformer book notebooks`")
        sys.exit(1 if found else 0)
    changed = write(book)
    print("\n".join(f"{path.relative_to(book.root)}" for path in changed) or "All notebooks are as their chapters say.")


@app.command("build")
def build(out: OUT = None,
          fresh: Annotated[bool, typer.Option(
              "--fresh", help="Run every cell again, even if it has not changed.")] = False):
    """Build the site: run the cells of the chapters and render the pages."""
    book = _book("sphinx", "myst_nb", "sphinx_book_theme")
    from ..book import site
    print(site.build(book, out or book.root / "build" / "book", fresh))


@app.command("open")
def open_site(out: OUT = None,
              port: Annotated[int, typer.Option(help="The port; 0: any free one.")] = 8000,
              browser: Annotated[bool, typer.Option(help="Open the site in the browser.")] = True):
    """Serve the site to this machine only, until Ctrl-C."""
    book = _book()
    from ..book import site
    folder = out or book.root / "build" / "book"
    if not (folder / "index.html").is_file():
        raise FileNotFoundError(f"{folder}: no site there; `tinyformer book build` makes it")
    try:
        server = site.serve(folder, port)
    except OSError as error:
        raise OSError(f"port {port}: {error.strerror}; --port 0 takes a free one") from None
    address = f"http://127.0.0.1:{server.server_port}/"
    print(f"{address}   Ctrl-C ends it", flush=True)
    if browser:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def _book(*needed):
    """The ``Book``; an error that names the extra if one of its libraries is missing."""
    import importlib.util
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(f"the book needs {', '.join(missing)}: in the checkout, pip install -e '.[book]'")
    from ..book import Book
    return Book()
