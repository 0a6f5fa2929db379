"""tinyformer attention "text" """

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the model reads.")],
    model: Annotated[Optional[Path], typer.Option(metavar="DIR", help="A run's folder. Default: the newest in runs/.")] = None,
    layer: Annotated[Optional[int], typer.Option(min=0, help="This layer only, counted from 0.")] = None,
    head: Annotated[Optional[int], typer.Option(min=0, help="This head only, counted from 0.")] = None,
    summed: Annotated[bool, typer.Option("--rollout", help="One map for all layers together: where each output comes "
                                                           "from.")] = False,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The picture, a PNG file.")] = Path("attention.png"),
):
    """Draw what a Transformer looks at in a text. A map for each layer and head, rows look at columns."""
    from ..viz import draw_attention, rollout
    from .runs import newest_run
    if summed and (layer, head) != (None, None):
        raise ValueError("--rollout goes through all layers and heads; leave --layer and --head out")
    folder = model or newest_run()
    tokens, weights = watched(folder, text)                                     # (L, H, T, T)
    if summed:
        draw_attention(rollout(weights), tokens, out, title="Attention rollout: where each row comes from")
    else:
        layers, heads = (_chosen(name, one, n) for name, one, n in zip(("layer", "head"), (layer, head), weights.shape))
        draw_attention(weights[layers][:, heads], tokens, out, titles=[f"layer {l}, head {h}" for l in layers for h in heads])
    print(f"picture  {out}")


def watched(folder, text):
    """(tokens, weights (L, H, T, T)) of the model in ``folder`` as it reads ``text``."""
    from ..autograd import no_grad
    from ..viz import watch_attention
    from .runs import open_run
    model, tokenizer = open_run(folder)
    kind = type(model).__name__
    if tokenizer is None or not hasattr(model.config, "block_size") or not hasattr(model, "forward"):
        raise ValueError(f"{folder}: a {kind} has no attention between tokens to draw")
    ids = tokenizer.encode(text)
    if not 1 <= len(ids) <= model.config.block_size:
        raise ValueError(f"the text has {len(ids)} tokens, expected 1 to {model.config.block_size}, as many as the model "
                         f"in {folder} reads")
    with no_grad(), watch_attention(model.eval()) as maps:
        model(ids[None])
    if not maps:
        raise ValueError(f"{folder}: a {kind} has no attention between tokens to draw")
    return tokenizer.pieces(ids), maps.stacked()[:, 0]


def _chosen(name, one, n):
    """The layers or heads to draw, of ``n``."""
    if one is not None and one >= n:
        raise ValueError(f"--{name} {one}: the model has {name}s 0 to {n - 1}")
    return list(range(n)) if one is None else [one]
