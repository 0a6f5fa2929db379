"""tinyformer evaluate"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    folder: Annotated[Optional[Path], typer.Argument(metavar="[DIR]", help="The same as --model DIR.")] = None,
    model: Annotated[Optional[Path], typer.Option(metavar="DIR", help="A run's folder. Default: the newest in runs/.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
):
    """Measure a trained model. On the whole validation split of its corpus, beside two baselines."""
    from ..train import load_recipe
    from .runs import newest_run, open_run
    folder = folder or model or newest_run()
    trained, _ = open_run(folder)
    recipe = load_recipe(folder / "recipe.toml")
    figures = {"model": str(folder), **recipe.task(recipe.data, folder).evaluate(trained)}
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<20}{value:,.4f}" if isinstance(value, float) else f"{name:<20}{value:,}" if isinstance(value, int)
                  else f"{name:<20}{value}")
