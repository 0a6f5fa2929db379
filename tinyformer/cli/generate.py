"""tinyformer generate "prompt" """

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    from ..text.base import Tokenizer
    from ..train import SavedRun


def command(
    prompt: Annotated[Optional[str], typer.Argument(
        metavar="PROMPT", help="The text to continue. Default: a line break.")] = None,
    model: Annotated[Optional[Path], typer.Option(
        metavar="DIR", help="The folder of a run or of a published model. Default: the newest run in runs/.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=0, help="The number of tokens to add.")] = 300,
    temperature: Annotated[float, typer.Option(
        min=0.0,
        help="Divides the logits. 0 always takes the most likely token; "
             "values above 1 make unlikely tokens more frequent.")] = 0.8,
    top_k: Annotated[Optional[int], typer.Option(min=1, help="Sample from the k most likely tokens only.")] = None,
    top_p: Annotated[Optional[float], typer.Option(
        min=0.0, max=1.0, help="Sample from the most likely tokens whose probabilities add up to p.")] = None,
    min_p: Annotated[Optional[float], typer.Option(
        min=0.0, max=1.0,
        help="Sample from the tokens with at least p times the probability of the most likely one.")] = None,
    repetition_penalty: Annotated[float, typer.Option(
        help="Penalty on tokens that already occur; values above 1 discourage repetition.")] = 1.0,
    stop: Annotated[Optional[list[str]], typer.Option(
        metavar="TEXT", help="Stop before this text; may be given several times.")] = None,
    beams: Annotated[Optional[int], typer.Option(
        min=1,
        help="Beam search with this many beams, without sampling. The whole text must fit into the context.")] = None,
    seed: Annotated[Optional[int], typer.Option(
        min=0, help="Seed of the random numbers: the same seed gives the same text.")] = None,
) -> None:
    """Continue a text with a trained model, or with a published one."""
    from ..train import open_run
    from ..train.tasks import TASKS
    from .runs import naming, newest_run
    folder = model or newest_run("language")
    run = open_run(folder)
    if not hasattr(run.model, "generate"):
        raise ValueError(f"{folder}: a {type(run.model).__name__} cannot continue a text; use "
                         f"`tinyformer {TASKS[run.model.task].command if run.model.task else 'evaluate'}`")
    ends, stop = run.end_ids, stop or []
    choice = {"top_k": top_k, "top_p": top_p, "min_p": min_p, "repetition_penalty": repetition_penalty}
    for name, value in choice.items() if beams else ():
        if value != (1.0 if name == "repetition_penalty" else None):
            raise ValueError(f"--{name.replace('_', '-')} {value}: "
                             "beam search (--beams) does not sample; give one of the two")
    if not all(stop):
        raise ValueError("--stop: got an empty text, expected at least one character")
    with naming(folder):
        if beams:
            search(run, prompt, max_new_tokens, beams, stop)
        else:
            write(run, prompt, max_new_tokens, stop=[*stop, *run.tokenizer.pieces(ends)], temperature=temperature,
                  rng=seed, **choice)


def write(run: SavedRun, prompt: str | None, max_new_tokens: int, **how: Any) -> None:
    """Print ``prompt`` and its continuation by the model of ``run``, piece by piece.

    Other arguments are those of ``stream_text``.

    A model that read each line separately starts again after a line break: it uses nothing from the lines before.
    """
    from ..generate import stream_text
    tokenizer, mark = run.tokenizer, run.line_mark
    pieces = stream_text(run.model, tokenizer, _start(tokenizer, prompt, mark), max_new_tokens, line_end=mark, **how)
    print(_shown(tokenizer, prompt), end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def search(run: SavedRun, prompt: str | None, max_new_tokens: int, n: int, stop: Sequence[str] = ()) -> None:
    """Print ``prompt`` and its most likely continuation according to a beam search with ``n`` beams.

    It ends at an end token of the model, at the end of a line if the model read lines, or before one of the texts
    ``stop``.
    """
    from ..generate import beams
    model, tokenizer, mark = run.model, run.tokenizer, run.line_mark
    start = tokenizer.prompt(_start(tokenizer, prompt, mark))
    room = max(1, model.config.block_size + 1 - len(start))
    found = beams(model, start, min(max_new_tokens, room), n, [*run.end_ids, *tokenizer.encode(mark or "")])
    text = tokenizer.decode(found[len(start):])
    end = min((place for place in map(text.find, stop) if place >= 0), default=len(text))
    print(_shown(tokenizer, prompt) + text[:end])


def _start(tokenizer: Tokenizer, prompt: str | None, mark: str | None) -> str:
    """What the model reads first."""
    from ..generate.text import opening
    return mark + (prompt or "") if mark else prompt or opening(tokenizer)


def _shown(tokenizer: Tokenizer, prompt: str | None) -> str:
    """``prompt`` as it is printed before its continuation.

    Tokenizers that are not exact leave out the space between words.
    """
    return (prompt or "") + " " * (not tokenizer.exact and bool(prompt))
