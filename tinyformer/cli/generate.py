"""tinyformer generate "prompt" """

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    prompt: Annotated[Optional[str], typer.Argument(metavar="PROMPT", help="The text to go on from. "
                                                                           "Default: a new line.")] = None,
    model: Annotated[Optional[Path], typer.Option(metavar="DIR", help="A run's folder, or a published model's. "
                                                                     "Default: the newest in runs/.")] = None,
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
                                                             "leave nothing to chance. It must fit into the context.")] = None,
    seed: Annotated[Optional[int], typer.Option(min=0, help="The same seed gives the same text.")] = None,
):
    """Continue a text with a trained model, or with a published one."""
    from .runs import last_tokens, line_mark, naming, newest_run, open_run
    folder = model or newest_run("language")
    trained, tokenizer = open_run(folder)
    if not hasattr(trained, "generate"):
        command = {"translation": "translate` asks it",
                   "masked": "fill-mask` asks it"}.get(trained.task, "predict` asks a classifier")
        raise ValueError(f"{folder}: a {type(trained).__name__} writes no text from a beginning; `tinyformer {command}")
    ends, anew, stop = last_tokens(folder, tokenizer.vocab_size), line_mark(folder), stop or ()
    choice = {"top_k": top_k, "top_p": top_p, "min_p": min_p, "repetition_penalty": repetition_penalty}
    for name, value in choice.items() if beams else ():
        if value != (1.0 if name == "repetition_penalty" else None):
            raise ValueError(f"--{name.replace('_', '-')} {value}: a search with --beams draws nothing; give one of the two")
    if not all(stop):
        raise ValueError("--stop: got an empty text, expected at least one character")
    with naming(folder):
        if beams:
            search(trained, tokenizer, prompt, max_new_tokens, beams, anew, ends, stop)
        else:
            write(trained, tokenizer, prompt, max_new_tokens, anew, stop=[*stop, *tokenizer.pieces(ends)],
                  temperature=temperature, rng=seed, **choice)


def write(model, tokenizer, prompt, max_new_tokens, anew=None, **how):
    """Print ``prompt`` and what the model makes of it, as it comes. ``anew``: after this mark it knows nothing of what was before,
    for it has read each line alone; other arguments are those of ``stream_text``."""
    from ..generate import stream_text
    pieces = stream_text(model, tokenizer, _start(tokenizer, prompt, anew), max_new_tokens, anew=anew, **how)
    print(_shown(tokenizer, prompt), end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def search(model, tokenizer, prompt, max_new_tokens, n, anew=None, ends=(), stop=()):
    """Print ``prompt`` and the likeliest that ``n`` beams find, up to one of the tokens ``ends``, the mark ``anew`` or the texts
    in ``stop``."""
    from ..generate import beams
    start = tokenizer.prompt(_start(tokenizer, prompt, anew))
    room = max(1, model.config.block_size + 1 - len(start))
    found = beams(model, start, min(max_new_tokens, room), n, [*ends, *tokenizer.encode(anew or "")])
    text = tokenizer.decode(found[len(start):])
    print(_shown(tokenizer, prompt) + text[:min((place for place in map(text.find, stop) if place >= 0), default=len(text))])


def _start(tokenizer, prompt, anew):
    """What the model reads first."""
    return anew + (prompt or "") if anew else prompt or _opening(tokenizer)


def _shown(tokenizer, prompt):
    """``prompt`` as it is printed before what follows: words come without the space before them."""
    return (prompt or "") + " " * (not tokenizer.exact and bool(prompt))


def _opening(tokenizer):
    """Something to begin from: a line break, or whatever comes first in a vocabulary without one."""
    try:
        if tokenizer.encode("\n").size:
            return "\n"
    except ValueError:
        pass
    texts = (tokenizer.decode([id]) for id in range(tokenizer.vocab_size))
    return next(text for id, text in enumerate(texts) if tokenizer.encode(text).tolist() == [id])
