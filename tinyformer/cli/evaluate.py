"""tinyformer evaluate"""

from __future__ import annotations

import json
import math
import time
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
    from ..train.evaluate import bigram_loss, evaluate_loss, uniform_loss
    from ..train.run import Corpus
    from .runs import newest_run, open_run
    folder = folder or model or newest_run()
    trained, tokenizer = open_run(folder)
    corpus = Corpus(load_recipe(folder / "recipe.toml").data, tokenizer)
    corpus.check_length(trained.config.block_size)
    began = time.perf_counter()
    loss = evaluate_loss(trained, corpus.validation)
    seconds = time.perf_counter() - began
    V = tokenizer.vocab_size
    figures = {
        "model": str(folder),
        "val_loss": loss,
        "perplexity": math.exp(loss),
        "bits_per_token": loss / math.log(2),
        "uniform_loss": uniform_loss(V),
        "bigram_loss": bigram_loss(corpus.train, corpus.validation, V),
        "parameters": trained.num_parameters(),
        "tokens": len(corpus.validation) - 1,
        "tokens_per_s": round((len(corpus.validation) - 1) / seconds),
    }
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<16}{value:,.4f}" if isinstance(value, float) else f"{name:<16}{value:,}" if isinstance(value, int)
                  else f"{name:<16}{value}")
