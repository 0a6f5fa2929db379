"""tinyformer ladder NAME"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="names or shakespeare.")],
    seeds: Annotated[Optional[int], typer.Option(
        metavar="N", min=1, help="Train each network N times. Default: 3 for names, 1 for shakespeare.")] = None,
    run: Annotated[Optional[list[Path]], typer.Option(
        metavar="DIR", help="Use this run instead of training its recipe; may be given several times.")] = None,
    out: Annotated[Optional[Path], typer.Option(
        metavar="DIR", file_okay=False, help="The folder for runs and picture. Default: runs/ladder-NAME.")] = None,
) -> None:
    """Compare language models on one text.

    Networks that are already trained in DIR are not trained again.
    """
    from ..files import replace_file
    from ..train.ladder import LADDERS, climb
    from ..viz.ladder import draw_ladder
    from .console import finish_unread
    finish_unread()
    if name not in LADDERS:
        raise ValueError(f"unknown ladder {name!r}, expected one of {', '.join(LADDERS)}")
    folder = out or Path("runs") / f"ladder-{name}"
    report = climb(name, folder, seeds, run or ())
    replace_file(folder / "ladder.json", json.dumps(report, indent=1) + "\n")
    draw_ladder(report, folder / "ladder.png")
    print()
    show(report)
    print(f"\npicture  {folder / 'ladder.png'}\nfigures  {folder / 'ladder.json'}")


def show(report: dict[str, Any]) -> None:
    """Print the table of a ladder and the exceptions."""
    print(f"{report['data']}\n")
    print(f"{'':<14}{report['unit']:<26}{'parameters':>12}{'seconds':>10}")
    for rung in report["rungs"]:
        _row(rung["name"], rung)
    best = report["kneser_ney"]
    _row("Kneser-Ney", best, f"   the best n-gram, n = {best['n']}")
    print(f"\non the {report['part']} part")
    if report["note"]:
        print(report["note"])
    for sentence in report["findings"]:
        print(sentence)


def _row(name: str, rung: dict[str, Any], note: str = "") -> None:
    spread = f" ± {rung['sd']:.4f} ({len(rung['nats'])} seeds)" if rung["sd"] is not None else ""
    loss = f"{rung['loss']:.4f}{spread}"
    print(f"{name:<14}{loss:<26}{rung['parameters']:>12,}{rung['seconds']:>10.1f}{note}")
