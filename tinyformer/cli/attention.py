"""tinyformer attention "text" """

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import numpy as np
import typer

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    from ..train.saved_run import model_folder
    from ..viz import draw_attention
    from .runs import newest_run
    if summed and (layer, head) != (None, None):
        raise ValueError("--rollout uses all layers and heads; omit --layer and --head")
    folder = model_folder(model) if model else newest_run()
    tokens, keys, weights = watched(folder, text)                               # weights (L, H, T, S)
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


def watched(folder: Path, text: str) -> tuple[list[str], list[str], NDArray[Any]]:
    """(tokens (T), keys (S), attention weights (L, H, T, S)) of the model in ``folder`` on ``text``.

    The tokens attend to the keys.
    """
    from ..autograd import no_grad
    from ..models.bert import PublishedBert
    from ..train import open_run
    from ..viz import watch_attention
    from .runs import check_length
    run = open_run(folder)
    model, tokenizer = run.model, run.tokenizer
    nothing = ValueError(f"{folder}: a {type(model).__name__} has no attention between tokens to draw")
    if tokenizer is None or not hasattr(model.config, "block_size") or not hasattr(model, "forward"):
        raise nothing
    ids = tokenizer.encode(text, special=True) if isinstance(model, PublishedBert) else tokenizer.prompt(text)
    check_length(ids, model, folder)
    if hasattr(model, "translate"):
        return _translated(folder, model, tokenizer, ids)
    with no_grad(), watch_attention(model.eval()) as maps:
        model(ids[None])
    if not maps:
        raise nothing
    tokens = tokenizer.pieces(ids)
    return tokens, tokens, _weights(folder, maps.stacked())


def _weights(folder: Path, stacked: NDArray[Any]) -> NDArray[Any]:
    """The weights (L, H, T, S) of the one text that was read."""
    from ..nn.argument_checks import check_finite
    check_finite(f"{folder}: the model's attention weights", stacked)
    return stacked[:, 0]


def _translated(folder: Path, model: Any, tokenizer: Any,
                ids: NDArray[Any]) -> tuple[list[str], list[str], NDArray[Any]]:
    """The symbols of the answer and of the source, and the attention weights between them."""
    from ..autograd import no_grad
    from ..text.pairs import BEGIN, END
    from ..viz import watch_attention
    answer = model.translate(ids[None])[0]
    read, written = ([BEGIN, *answer][:model.config.block_size], [*answer, END][:model.config.block_size])
    with no_grad(), watch_attention(model.eval()) as maps:
        model(ids[None], np.array([read]))
    weights = _weights(folder, maps.stacked("transformer.decoder.layers.*.multihead_attn"))
    return tokenizer.pieces(written), tokenizer.pieces(ids), weights


def _chosen(name: str, one: int | None, n: int) -> list[int]:
    """The layers or heads to draw, of ``n``."""
    if one is not None and one >= n:
        raise ValueError(f"--{name} {one}: the model has {name}s 0 to {n - 1}")
    return list(range(n)) if one is None else [one]
