"""tinyformer attention "text" """

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def command(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text that the model reads.")],
    model: Annotated[Optional[Path], typer.Option(
        metavar="DIR", help="The folder of a run, or minilm. Default: the newest in runs/.")] = None,
    layer: Annotated[Optional[int], typer.Option(min=0, help="This layer only, counted from 0.")] = None,
    head: Annotated[Optional[int], typer.Option(min=0, help="This head only, counted from 0.")] = None,
    summed: Annotated[bool, typer.Option(
        "--rollout", help="Attention rollout: one map of all layers together.")] = False,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The picture, a PNG file.")] = Path("attention.png"),
) -> None:
    """Draw the attention weights of a Transformer on a text. A map per layer and head, with a row for each query.

    For a sequence-to-sequence model: the attention to TEXT for each symbol of the answer.
    """
    from ..explain import rollout
    from ..train.attention import attention_on
    from ..train.saved_run import model_folder, open_run
    from ..viz import draw_attention
    from .runs import newest_run
    if summed and (layer, head) != (None, None):
        raise ValueError("--rollout uses all layers and heads; omit --layer and --head")
    folder = model_folder(model) if model else newest_run()
    tokens, keys, weights = attention_on(open_run(folder), text)                # weights (L, H, T, S)
    if summed:
        if keys is not tokens:
            raise ValueError(f"--rollout: the model in {folder} attends to another text than it generates; "
                             "draw its layers and heads")
        draw_attention(rollout(weights), tokens, out, title="Attention rollout: where each row comes from")
    else:
        layers, heads = (_chosen(name, one, n) for name, one, n in zip(("layer", "head"), (layer, head), weights.shape))
        draw_attention(weights[layers][:, heads], tokens, out, keys=keys,
                       titles=[f"layer {l}, head {h}" for l in layers for h in heads])
    print(f"picture  {out}")


def _chosen(name: str, one: int | None, n: int) -> list[int]:
    """The layers or heads to draw, of ``n``."""
    if one is not None and one >= n:
        raise ValueError(f"--{name} {one}: the model has {name}s 0 to {n - 1}")
    return list(range(n)) if one is None else [one]
