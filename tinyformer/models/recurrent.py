"""Recurrent language model: a state that each token changes, and the next token from that state.

    h_t = RNN, GRU or LSTM (C[w_t], h_{t−1});   logits_t = U h_t + b

Source: Mikolov et al. (2010); with gates Cho et al. (2014), Hochreiter and Schmidhuber (1997).
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import nn
from .config_checks import check_fractions, check_integers, check_one_of
from .decoder import Decoder
from .registry import register

__all__ = ["Recurrent", "RecurrentConfig"]

KINDS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True)
class RecurrentConfig:
    """V = vocab_size; vectors of n_embd numbers; n_layer layers of n_hidden units; kind: rnn, gru or lstm.

    The state starts at 0 and is carried over T ≤ block_size tokens, through which the gradient goes back too.
    """

    vocab_size: int
    block_size: int = 64
    kind: str = "lstm"              # rnn, gru or lstm
    n_layer: int = 1
    n_embd: int = 64
    n_hidden: int = 256
    dropout: float = 0.0

    def __post_init__(self):
        check_integers(self, "vocab_size", "block_size", "n_layer", "n_embd", "n_hidden")
        check_one_of(self, kind=KINDS)
        check_fractions(self, "dropout")


@register
class Recurrent(Decoder):
    """``logits = model(ids)``: ids integers (B, T), logits (B, T, V). ``model.loss(ids, targets)`` is one number."""

    architecture, Config = "recurrent", RecurrentConfig

    def __init__(self, config):
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.rnn = KINDS[config.kind](config.n_embd, config.n_hidden, config.n_layer, batch_first=True,
                                      dropout=config.dropout if config.n_layer > 1 else 0.0)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.n_hidden, config.vocab_size)

    def forward(self, ids, cache=None):
        ids, past = self._checked(ids, cache)
        before = None if not past else cache.state if len(cache.state) > 1 else cache.state[0]
        h, state = self.rnn(self.dropout(self.embedding(ids)), before)          # (B, T, H)
        if cache is not None:                               # all that was read is in the state
            cache.state = tuple(part.data for part in (state if isinstance(state, tuple) else (state,)))
        return self.output(self.dropout(h))                 # (B, T, V)
