"""tinyformer translate TEXT …"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    texts: Annotated[Optional[list[str]], typer.Argument(
        metavar="TEXT …", help="Source texts. Default: the lines of standard input.")] = None,
    model: Annotated[Optional[Path], typer.Option(
        metavar="DIR", help="The folder of a run. Default: the newest in runs/.")] = None,
    beams: Annotated[int, typer.Option(min=1, help="Beam search with this many beams; 1 is greedy decoding.")] = 1,
) -> None:
    """Translate texts with a trained model, one line each."""
    from ..train import open_run
    from ..train.saved_run import check_length
    from .runs import naming, newest_run
    folder = model or newest_run("translation")
    run = open_run(folder)
    trained, tokenizer = run.model, run.tokenizer
    if not hasattr(trained, "translate"):
        raise ValueError(f"{folder}: a {type(trained).__name__} cannot translate; "
                         "`tinyformer train seq2seq-reverse` trains a model that can")
    for text in texts or (line.rstrip("\n") for line in sys.stdin):
        if (strange := tokenizer.unknown(text)) and not run.trained_on_unknown:
            raise ValueError(f"{folder}: the training texts do not contain {', '.join(map(repr, strange))}; expected "
                             f"symbols that they contain, such as {', '.join(map(repr, tokenizer.symbols[:10]))}")
        ids = tokenizer.encode(text)
        check_length(ids, trained, folder)
        with naming(folder):
            answer, = trained.translate(ids[None], beams)
        print(tokenizer.decode(answer, text), flush=True)
