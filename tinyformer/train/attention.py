"""The attention weights of a trained model on a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import no_grad
from ..models.bert import PublishedBert
from ..nn.argument_checks import check_finite
from ..text.pairs import BEGIN, END
from ..viz import watch_attention
from .saved_run import SavedRun, check_length

if TYPE_CHECKING:
    from numpy.typing import NDArray


def attention_size(run: SavedRun) -> tuple[int, int] | None:
    """(layers, heads) of the attention between the tokens of a text; None for a model that has none."""
    config: Any = run.model.config
    reads_text = run.tokenizer is not None and hasattr(config, "block_size") and hasattr(run.model, "forward")
    return (config.n_layer, config.n_head) if reads_text and hasattr(config, "n_head") else None


def attention_on(run: SavedRun, text: str) -> tuple[list[str], list[str], NDArray[Any]]:
    """(tokens (T), keys (S), attention weights (L, H, T, S)) of the model of ``run`` on ``text``.

    The tokens attend to the keys. They are the same, but for a sequence-to-sequence model: its keys are the tokens of
    the text, its tokens those of the answer. Raises ValueError for a model without attention between tokens, a text
    that the model cannot read, and weights that are not finite.
    """
    model, tokenizer = run.model, run.tokenizer
    if attention_size(run) is None or tokenizer is None:
        raise ValueError(f"{run.folder}: a {type(model).__name__} has no attention between tokens to draw")
    ids = tokenizer.encode(text, special=True) if isinstance(model, PublishedBert) else tokenizer.prompt(text)
    check_length(ids, model, run.folder)
    if hasattr(model, "translate"):
        return _translated(run, ids)
    with no_grad(), watch_attention(model.eval()) as maps:
        model(ids[None])
    tokens = tokenizer.pieces(ids)
    return tokens, tokens, _weights(run, maps.stacked())


def _weights(run: SavedRun, stacked: NDArray[Any]) -> NDArray[Any]:
    """The weights (L, H, T, S) of the one text that was read."""
    check_finite(f"{run.folder}: the model's attention weights", stacked)
    return stacked[:, 0]


def _translated(run: SavedRun, ids: NDArray[Any]) -> tuple[list[str], list[str], NDArray[Any]]:
    """The symbols of the answer and of the source, and the attention weights between them."""
    model, tokenizer = run.model, run.tokenizer
    answer = model.translate(ids[None])[0]
    read, written = ([BEGIN, *answer][:model.config.block_size], [*answer, END][:model.config.block_size])
    with no_grad(), watch_attention(model.eval()) as maps:
        model(ids[None], np.array([read]))
    weights = _weights(run, maps.stacked("transformer.decoder.layers.*.multihead_attn"))
    return tokenizer.pieces(written), tokenizer.pieces(ids), weights
