"""tinyformer curves DIR …"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR …", help="The folders of runs.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The picture, a PNG file.")] = Path("curves.png"),
) -> None:
    """Draw the loss curves of several runs into one picture."""
    from ..train import load_recipe
    from ..train.metrics import read_metrics
    from ..viz import draw_runs
    runs, units, tokenizers = {}, {}, set()
    for folder in folders:
        unit = load_recipe(folder / "recipe.toml").task.unit
        runs[str(folder)] = read_metrics(folder / "metrics.jsonl")
        if not runs[str(folder)]:
            raise ValueError(f"{folder / 'metrics.jsonl'}: no step was recorded there, so there is no curve to draw")
        units.setdefault(unit, folder)
        if unit == "nats per token" and (folder / "tokenizer.json").is_file():
            tokenizers.add((folder / "tokenizer.json").read_bytes())
    if len(units) > 1:
        raise ValueError("losses that cannot be compared: "
                         + ", but ".join(f"{unit} in {folder}" for unit, folder in units.items()))
    alike = len(tokenizers) < 2                             # nats per character and nats per word differ
    draw_runs(runs, out, "Loss curves" if alike else "Loss curves of different tokens: "
                                                     "the values cannot be compared", *units)
    print(f"picture  {out}")
