"""tinyformer predict "text", tinyformer predict digit.png"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    text: Annotated[str, typer.Argument(
        metavar="TEXT", help="The text to classify, or the name of a PNG file with one digit.")],
    model: Annotated[Optional[Path], typer.Option(
        metavar="DIR", help="The folder of a classifier. Default: the newest in runs/.")] = None,
    top: Annotated[int, typer.Option(min=1, help="The number of tokens to show.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Classify a text and weigh its tokens, or classify a picture."""
    from ..train.predict import predict, predict_picture
    from .runs import newest_run
    is_picture = text.lower().endswith(".png")
    if is_picture:
        found = predict_picture(model or newest_run("pictures"), text)
    else:
        found = predict(model or newest_run("classification"), text)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    print(f"{found['class']}  {found['probability']:.1%}")
    print("   ".join(f"{name} {p:.1%}" for name, p in found["probabilities"].items()))
    if is_picture:
        print("\n".join(found["notes"]))
        return
    if found["unknown"]:
        print(f"not in its vocabulary: {' '.join(found['unknown'])}")
    if found["cut"]:
        print(f"the model reads the first {len(found['contributions'])} tokens of this text")
    print(f"\ncontributions ({found['measure']}):\n")
    parts = sorted(found["contributions"], key=lambda part: -abs(part["value"]))[:top]
    if not parts:
        print("none: no word is in the vocabulary, so the prediction is the same for every such text")
    scale = max((abs(part["value"]) for part in parts), default=1) or 1
    for part in parts:
        print(f"{part['value']:+8.3f}  {'█' * round(20 * abs(part['value']) / scale):<20}  {part['token']}")
