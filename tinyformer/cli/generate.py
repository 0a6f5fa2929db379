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
    min_p: Annotated[Optional[float], typer.Option(min=0.0, max=1.0, help="Draw from those at least p times as likely as the "
                                                                          "likeliest.")] = None,
    repetition_penalty: Annotated[float, typer.Option(help="Above 1: what was said becomes less likely.")] = 1.0,
    stop: Annotated[Optional[list[str]], typer.Option(metavar="TEXT", help="End where this text would come; may be given "
                                                                           "several times.")] = None,
    beams: Annotated[Optional[int], typer.Option(min=1, help="Search for the likeliest text among so many beginnings, and "
                                                             "leave nothing to chance.")] = None,
    seed: Annotated[Optional[int], typer.Option(min=0, help="The same seed gives the same text.")] = None,
):
    """Continue a text with a trained model."""
    from .runs import last_tokens, newest_run, open_run, reads_lines
    folder = model or newest_run("language")
    trained, tokenizer = open_run(folder)
    if not hasattr(trained, "generate"):
        command = {"translation": "translate` asks it",
                   "masked": "fill-mask` asks it"}.get(trained.task, "predict` asks a classifier")
        raise ValueError(f"{folder}: a {type(trained).__name__} writes no text from a beginning; `tinyformer {command}")
    ends = last_tokens(folder)
    if beams:
        search(trained, tokenizer, prompt, max_new_tokens, beams, *ends[:1])
    else:
        write(trained, tokenizer, prompt, max_new_tokens, reads_lines(folder), stop=[*(stop or ()), *tokenizer.pieces(ends)],
              temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, repetition_penalty=repetition_penalty, rng=seed)


def write(model, tokenizer, prompt, max_new_tokens, lines=False, **how):
    """Print ``prompt`` and what the model makes of it, as it comes; ``lines``: it has read each line alone."""
    from ..data.lines import END
    from ..generate import stream_text
    start = END + (prompt or "") if lines else prompt or _opening(tokenizer)
    pieces = stream_text(model, tokenizer, start, max_new_tokens, anew=END if lines else None, **how)
    print((prompt or "") + " " * (not tokenizer.exact and bool(prompt)), end="", flush=True)     # words come without the space
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def search(model, tokenizer, prompt, max_new_tokens, n, end=None):
    """Print ``prompt`` and the likeliest that ``n`` beams find; the token ``end`` ends it."""
    from ..generate import beams
    start = tokenizer.prompt(prompt or _opening(tokenizer))
    room = model.config.block_size + 1 - len(start)
    found = beams(model, start, min(max_new_tokens, max(room, 0)), n, end)
    print((prompt or "") + tokenizer.decode(found[len(start):]))


def _opening(tokenizer):
    """Something to begin from: a line break, or whatever comes first in a vocabulary without one."""
    try:
        if tokenizer.encode("\n").size:
            return "\n"
    except ValueError:
        pass
    texts = (tokenizer.decode([id]) for id in range(tokenizer.vocab_size))
    return next(text for id, text in enumerate(texts) if tokenizer.encode(text).tolist() == [id])
