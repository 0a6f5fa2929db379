"""tinyformer train [RECIPE]"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    recipe: Annotated[Optional[str], typer.Argument(help="A recipe's name, or a .toml file. Default: pydocs-char.")] = None,
    out: Annotated[Optional[Path], typer.Option(help="Where the run goes. Default: runs/RECIPE.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    settings: Annotated[Optional[list[str]], typer.Option("--set", metavar="section.key=value",
                                                          help="Change a value of the recipe; may be repeated.")] = None,
):
    """Train a model: by default a small GPT on Python's own documentation, in about a minute."""
    from ..train import load_recipe, train
    recipe = recipe or "pydocs-char"
    folder = out or Path("runs") / Path(recipe).stem
    started = folder / "recipe.toml"
    chosen = load_recipe(str(started) if resume and started.is_file() else recipe, settings or ())
    result = train(chosen, folder, resume)

    from ..models import load_model
    from ..text import load_tokenizer
    from .generate import write
    print("\na sample:\n")
    write(load_model(folder), load_tokenizer(folder / "tokenizer.json"), prompt=None, max_new_tokens=300, temperature=0.8, rng=1)
    print(f"\ncheckpoint  {result.checkpoint}\nloss curve  {folder / 'loss.png'}\n")
    for name, loss in (("uniform", result.uniform), ("bigram", result.bigram), ("this model", result.val_loss)):
        print(f"{name:<12}{loss:.4f} nats per token on the same split")
    print(f"val loss {result.val_loss:.4f} (whole validation split) · {result.step} steps · {result.seconds:.0f} s · {folder}")
