"""Seq2Seq: the Transformer of "Attention is all you need", which reads one sequence and generates another.

    x = √C · token embedding + sinusoidal position           of the source, and of the target so far
    memory = encoder(x source)                               every token attends to every token
    y = decoder(x target, memory)                            each token attends to those before it and to the whole
    memory
    logits = y · token embeddingᵀ                            source, target and output share one embedding

Source: Vaswani et al. (2017). The layers are ``nn.Transformer``, whose state dict is PyTorch's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import nn, ops
from ..autograd import no_grad
from ..generate import KVCache, beam_search
from ..nn import init
from ..text.pairs import BEGIN, END, PAD
from .config_checks import check_flags, check_fractions, check_heads, check_integers, checked_block
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..autograd import Tensor
    from ..typing import Array

__all__ = ["Seq2Seq", "Seq2SeqConfig"]


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Sizes: V = vocab_size of both languages, S, T ≤ block_size, H = n_head, C = n_embd.

    Encoder and decoder have L = n_layer layers each. The feed-forward layers have the width 4C inside.

    norm_first          norms before the sub-layers instead of after them, as published
    label_smoothing     weight of the uniform distribution in the targets, in training
    """

    vocab_size: int
    block_size: int = 64
    n_layer: int = 6
    n_head: int = 8
    n_embd: int = 512
    dropout: float = 0.1
    norm_first: bool = False        # norms before the sub-layers, not after them as published
    label_smoothing: float = 0.1    # share ε of each target that goes to all tokens alike, in training

    def __post_init__(self) -> None:
        check_integers(self, "vocab_size", "block_size", "n_layer", "n_head", "n_embd")
        check_heads(self)
        check_fractions(self, "dropout", "label_smoothing")
        check_flags(self, "norm_first")


@register
class Seq2Seq(Pretrained):
    """``logits = model(source, target)``: the logits (B, T, V) of the next tokens.

    source: ids (B, S)   target: ids (B, T), both padded with PAD
    """

    architecture, task, Config = "seq2seq", "translation", Seq2SeqConfig
    config: Seq2SeqConfig

    def __init__(self, config: Seq2SeqConfig) -> None:
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd)
        init.normal_(self.embedding.weight, std=config.n_embd ** -0.5)
        self.drop = nn.Dropout(config.dropout)
        self.transformer = nn.Transformer(config.n_embd, config.n_head, config.n_layer, config.n_layer,
                                          4 * config.n_embd, config.dropout, batch_first=True,
                                          norm_first=config.norm_first)

    def forward(self, source: ArrayLike, target: ArrayLike) -> Tensor:
        """The logits (B, T, V)."""
        return self.decode(target, *self.encode(source))

    def encode(self, source: ArrayLike) -> tuple[Tensor, Array]:
        """(memory (B, S, C), padding (B, S): True at PAD)."""
        source = self._checked("source", source)
        padding = source == PAD
        return self.transformer.encoder(self._embed(source), src_key_padding_mask=padding), padding

    def decode(self, target: ArrayLike, memory: Any, padding: Array, cache: KVCache | None = None) -> Tensor:
        """The logits (B, T, V) after each token of ``target``.

        With ``cache``, ``target`` continues the cached positions.
        """
        past = 0 if cache is None else cache.length
        target = self._checked("target", target, past)
        y = self.transformer.decoder(self._embed(target, past), memory, memory_key_padding_mask=padding,
                                     tgt_is_causal=True, cache=cache)
        return ops.linear(y, self.embedding.weight)

    def loss(self, source: ArrayLike, target: ArrayLike) -> Tensor:
        """The mean cross-entropy in nats of the tokens target[:, 1:].

        Labels are smoothed in training, not in evaluation.
        """
        smoothing = self.config.label_smoothing if self.training else 0.0
        target = self._checked("target", target, -1)
        return ops.cross_entropy(self(source, target[:, :-1]), target[:, 1:], ignore_index=PAD,
                                 label_smoothing=smoothing)

    def _embed(self, ids, past=0):
        C = self.config.n_embd
        positions = ops.sinusoidal(self.config.block_size, C, self.embedding.weight.dtype)[past:past + ids.shape[1]]
        return self.drop(self.embedding(ids) * C ** 0.5 + positions)

    def _checked(self, name, ids, past=0):
        return checked_block(self, ids, self.config.block_size - past, f"{name} has")

    def translate(self, source: ArrayLike, beams: int = 1, length_penalty: float = 0.6,
                  max_new_tokens: int | None = None) -> list[list[int]]:
        """The outputs for ``source`` (B, S): a list of B lists of ids, without BEGIN and END.

        beams               1 is greedy decoding; more are explained at ``generate.beam_search``
        length_penalty      α of the score
        max_new_tokens      at most this many ids, and at most block_size
        """
        most = min(max_new_tokens or self.config.block_size, self.config.block_size)
        with nn.evaluating(self), no_grad():
            memory, padding = self.encode(source)
            state = _Writing(self, memory.data, padding)
            return beam_search(state, np.full(len(padding), BEGIN), most, beams, END, length_penalty)


class _Writing:
    """The unfinished outputs, a ``BeamState`` of ``beam_search``."""

    def __init__(self, model, memory, padding):
        self.model, self.memory, self.padding = model, memory, padding
        self.cache = KVCache(model.config.block_size)

    def logits(self, tokens):
        """The logits (N, V) after ``tokens`` (N,)."""
        logits = self.model.decode(tokens[:, None], self.memory, self.padding, self.cache)
        self.cache.advance(1)
        return logits.data[:, -1]

    def pick(self, rows):
        """Continue with ``rows``, in this order. A row may occur several times."""
        self.memory, self.padding = self.memory[rows], self.padding[rows]
        self.cache.pick(rows)
