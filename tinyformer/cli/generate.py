"""tinyformer generate "prompt" """

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    prompt: Annotated[Optional[str], typer.Argument(metavar="PROMPT", help="The text to go on from. "
                                                                           "Default: a new line.")] = None,
    model: Annotated[Optional[Path], typer.Option(metavar="DIR", help="A run's folder. Default: the newest in runs/.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=0, help="How many tokens to add.")] = 300,
    temperature: Annotated[float, typer.Option(min=0.0, help="0: always the likeliest; above 1: wilder.")] = 0.8,
    top_k: Annotated[Optional[int], typer.Option(min=1, help="Draw from the k likeliest only.")] = None,
    top_p: Annotated[Optional[float], typer.Option(min=0.0, max=1.0,
                                                   help="Draw from the likeliest that together reach p.")] = None,
    seed: Annotated[Optional[int], typer.Option(min=0, help="The same seed gives the same text.")] = None,
):
    """Continue a text with a trained model."""
    from .runs import newest_run, open_run
    folder = model or newest_run("language")
    trained, tokenizer = open_run(folder)
    if not hasattr(trained, "generate"):
        raise ValueError(f"{folder}: a {type(trained).__name__} writes no text; `tinyformer predict` asks a classifier")
    write(trained, tokenizer, prompt, max_new_tokens,
          temperature=temperature, top_k=top_k, top_p=top_p, rng=seed)


def write(model, tokenizer, prompt, max_new_tokens, **how):
    """Print ``prompt`` and what the model makes of it, token by token as it comes."""
    from ..generate import stream
    start = tokenizer.encode(prompt or _opening(tokenizer))
    tokens = stream(model, start[None], max_new_tokens, **how)
    print(prompt or "", end="", flush=True)
    ids, shown = [], ""
    for token in tokens:
        ids.append(int(token[0]))
        text = tokenizer.decode(ids)
        whole = text.rstrip("\ufffd")                       # a character may come in several tokens
        if whole.startswith(shown):
            print(whole[len(shown):], end="", flush=True)
            shown = whole
    print(tokenizer.decode(ids)[len(shown):])


def _opening(tokenizer):
    """Something to begin from: a line break, or whatever comes first in a vocabulary without one."""
    try:
        tokenizer.encode("\n")
        return "\n"
    except ValueError:
        return tokenizer.decode([0])
