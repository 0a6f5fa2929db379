"""Seq2Seq: the Transformer of "Attention is all you need", which reads one sequence and writes another.

    x = √C · token embedding + sinusoidal position           of the source, and of what is written so far
    memory = encoder(x source)                               every token sees every token
    y = decoder(x target, memory)                            each token sees those before it, and all of the memory
    logits = y · token embeddingᵀ                            one table for source, target and output

Source: Vaswani et al. (2017). The layers are ``nn.Transformer``, whose state dict is PyTorch's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import nn, ops
from ..autograd import no_grad
from ..generate import KVCache, beam_search
from ..nn import init
from ..text.pairs import BEGIN, END, PAD
from .config_checks import check_flags, check_fractions, check_heads, check_integers, checked_block
from .pretrained import Pretrained
from .registry import register

__all__ = ["Seq2Seq", "Seq2SeqConfig"]


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Sizes: V = vocab_size of both languages, T ≤ block_size on both sides, L = n_layer in encoder and decoder each,
    H = n_head, C = n_embd, 4C within. ``norm_first``: norms before the sub-layers, not after them as published."""

    vocab_size: int
    block_size: int = 64
    n_layer: int = 6
    n_head: int = 8
    n_embd: int = 512
    dropout: float = 0.1
    norm_first: bool = False        # norms before the sub-layers, not after them as published
    label_smoothing: float = 0.1    # share ε of each target that goes to all tokens alike, in training

    def __post_init__(self):
        check_integers(self, "vocab_size", "block_size", "n_layer", "n_head", "n_embd")
        check_heads(self)
        check_fractions(self, "dropout", "label_smoothing")
        check_flags(self, "norm_first")


@register
class Seq2Seq(Pretrained):
    """``logits = model(source, target)``: ids (B, S) and (B, T), filled up with PAD, and logits (B, T, V) of what follows."""

    architecture, task, Config = "seq2seq", "translation", Seq2SeqConfig

    def __init__(self, config):
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd)
        init.normal_(self.embedding.weight, std=config.n_embd ** -0.5)
        self.drop = nn.Dropout(config.dropout)
        self.transformer = nn.Transformer(config.n_embd, config.n_head, config.n_layer, config.n_layer, 4 * config.n_embd,
                                          config.dropout, batch_first=True, norm_first=config.norm_first)

    def forward(self, source, target):
        return self.decode(target, *self.encode(source))

    def encode(self, source):
        """(memory (B, S, C), padding (B, S): True where there is no token)."""
        source = self._checked("source", source)
        padding = source == PAD
        return self.transformer.encoder(self._embed(source), src_key_padding_mask=padding), padding

    def decode(self, target, memory, padding, cache=None):
        """logits (B, T, V) of what follows each token of ``target``; with a ``KVCache``, of the tokens that come next."""
        past = 0 if cache is None else cache.length
        target = self._checked("target", target, past)
        y = self.transformer.decoder(self._embed(target, past), memory, memory_key_padding_mask=padding,
                                     tgt_is_causal=True, cache=cache)
        return ops.linear(y, self.embedding.weight)

    def loss(self, source, target):
        """Mean cross-entropy in nats a token of target[:, 1:], each after what stands before it. The labels are smoothed in
        training; what is measured is without."""
        smoothing = self.config.label_smoothing if self.training else 0.0
        target = self._checked("target", target, -1)
        return ops.cross_entropy(self(source, target[:, :-1]), target[:, 1:], ignore_index=PAD, label_smoothing=smoothing)

    def _embed(self, ids, past=0):
        C = self.config.n_embd
        positions = ops.sinusoidal(self.config.block_size, C, self.embedding.weight.dtype)[past:past + ids.shape[1]]
        return self.drop(self.embedding(ids) * C ** 0.5 + positions)

    def _checked(self, name, ids, past=0):
        return checked_block(self, ids, self.config.block_size - past, f"{name} has")

    def translate(self, source, beams=1, length_penalty=0.6, max_new_tokens=None):
        """The answers to ``source`` (B, S): a list of B lists of ids, without BEGIN and END.

        beams           1 takes the likeliest token each time (greedy); more keep that many beginnings, see ``beam_search``
        """
        most = min(max_new_tokens or self.config.block_size, self.config.block_size)
        with nn.evaluating(self), no_grad():
            memory, padding = self.encode(source)
            state = _Writing(self, memory.data, padding)
            return beam_search(state, np.full(len(padding), BEGIN), most, beams, END, length_penalty)


class _Writing:
    """Answers on their way: what ``beam_search`` asks for the next token, and to go on with some of the rows."""

    def __init__(self, model, memory, padding):
        self.model, self.memory, self.padding = model, memory, padding
        self.cache = KVCache(model.config.block_size)

    def logits(self, tokens):
        """(N, V): what may follow ``tokens`` (N,)."""
        logits = self.model.decode(tokens[:, None], self.memory, self.padding, self.cache)
        self.cache.advance(1)
        return logits.data[:, -1]

    def pick(self, rows):
        """Go on with ``rows`` of those there are, in this order; a row may come several times."""
        self.memory, self.padding = self.memory[rows], self.padding[rows]
        self.cache.pick(rows)
