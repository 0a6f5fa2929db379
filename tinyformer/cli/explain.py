"""tinyformer explain "text" """

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer


def command(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text that the model reads.")],
    model: Annotated[Optional[Path], typer.Option(
        metavar="DIR", help="The folder of a classifier or of a language model. Default: the newest in runs/.")] = None,
    method: Annotated[str, typer.Option(
        metavar="NAME", help="integrated-gradients, saliency, input-x-gradient, smooth-grad, occlusion or "
                             "shapley.")] = "integrated-gradients",
    target: Annotated[Optional[str], typer.Option(
        metavar="CLASS", help="The class, or the next token, to explain. Default: the most likely one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
    plot: Annotated[Optional[Path], typer.Option(
        metavar="FILE", help="Draw the colored text into a .png or .html file.")] = None,
) -> None:
    """Show which words of a text speak for a class or next token.

    For a classifier: which words speak for the class that it chooses, and which against it. For a language model: which
    earlier tokens make the next token likely. The baseline is the zero vector in place of
    each token, and the attributions are shares of the logit's difference.
    """
    from ..train.explanation import explain_text
    from ..train.saved_run import model_folder
    from ..viz.attribution import draw_attributions
    from .runs import newest_run
    if plot is not None and plot.suffix.lower() not in (".png", ".html"):
        raise ValueError(f"--plot {plot}: expected a name that ends in .png or .html")
    found = explain_text(model_folder(model) if model else newest_run(), text, method, target)
    words, values = ([part[name] for part in found["words"]] for name in ("word", "attribution"))
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        show(found, words, values)
    if plot is not None:
        draw_attributions(words, values, plot, f"{found['target']!r} by {found['method']}")
        if not as_json:
            print(f"picture  {plot}")


def show(found: dict[str, Any], words: list[str], values: list[float]) -> None:
    """Print the answer, the colored text with its numbers, and the sum against the logit's difference."""
    from ..viz.attribution import shown
    print(f"{shown(found['class'])}  {found['probability']:.1%}")
    print("   ".join(f"{shown(name)} {p:.1%}" for name, p in found["probabilities"].items()))
    if found["cut"]:
        print(f"the model reads the first {len(found['tokens'])} tokens of this text")
    print(f"\nattributions to the logit of {shown(found['target'])} ({found['method']}):\n")
    colored(words, values)
    if found["special"]:
        print("special tokens: " + "   ".join(f"{one['token']} {one['attribution']:+.2f}" for one in found["special"]))
    if found["method"] in ("saliency", "smooth-grad"):
        print("these are sensitivities without a sign; they do not add up to the logit")
        return
    moved = found["logit"] - found["baseline_logit"]
    print(f"sum of the attributions   {moved + found['completeness_gap']:+9.4f}")
    print(f"difference of the logit   {moved:+9.4f}   from {found['baseline_logit']:.4f} for zero vectors to "
          f"{found['logit']:.4f}")
    print(f"gap                       {round(found['completeness_gap'], 4) + 0.0:+9.4f}")     # no -0.0000


def colored(words: list[str], values: list[float]) -> None:
    """Print the words on their colors where the output is a terminal, with the numbers beneath."""
    from rich.console import Console
    from rich.text import Text

    from ..viz.attribution import color_of, lines_of
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    scale = max(map(abs, values))
    for line in lines_of(words, values, console.width - 1 if sys.stdout.isatty() else 79):
        above = Text()
        for word, _, value in line:
            bare = word.rstrip(" ")
            above.append(bare, style=f"black on {color_of(value, scale)}")
            above.append(" " * (len(word) - len(bare)))
        console.print(above)
        print("".join(number for _, number, _ in line).rstrip() + "\n")
