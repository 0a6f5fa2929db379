"""Recurrent language model: each token updates a state, and the state predicts the next token.

    h_t = RNN, GRU or LSTM (C[w_t], h_{t−1});   logits_t = U h_t + b

Source: Mikolov et al. (2010); gates: Cho et al. (2014), Hochreiter and Schmidhuber (1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import nn
from .config_checks import check_fractions, check_integers, check_one_of
from .decoder import Decoder
from .registry import register

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..autograd import Tensor
    from ..generate import KVCache

__all__ = ["Recurrent", "RecurrentConfig"]

KINDS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True)
class RecurrentConfig:
    """Sizes: V = vocab_size, C = n_embd, n_layer layers of H = n_hidden units; kind: rnn, gru or lstm.

    The state starts at 0 and runs over T ≤ block_size tokens. The gradient flows back through all of them.
    """

    vocab_size: int
    block_size: int = 64
    kind: str = "lstm"              # rnn, gru or lstm
    n_layer: int = 1
    n_embd: int = 64
    n_hidden: int = 256
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_integers(self, "vocab_size", "block_size", "n_layer", "n_embd", "n_hidden")
        check_one_of(self, kind=KINDS)
        check_fractions(self, "dropout")


@register
class Recurrent(Decoder):
    """``logits = model(ids)``: ids integers (B, T), logits (B, T, V). ``model.loss(ids, targets)`` is a scalar."""

    architecture, Config = "recurrent", RecurrentConfig
    config: RecurrentConfig

    def __init__(self, config: RecurrentConfig) -> None:
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.rnn = KINDS[config.kind](config.n_embd, config.n_hidden, config.n_layer, batch_first=True,
                                      dropout=config.dropout if config.n_layer > 1 else 0.0)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.n_hidden, config.vocab_size)

    def forward(self, ids: ArrayLike, cache: KVCache | None = None) -> Tensor:
        """The logits (B, T, V). With ``cache``, the state continues from where the cache ends."""
        ids, past = self._checked(ids, cache)
        state = cache.state if cache is not None and past else None
        before = state[0] if state is not None and len(state) == 1 else state
        h, state = self.rnn(self.dropout(self.embedding(ids)), before)          # (B, T, H)
        if cache is not None:                               # the state holds all that was read
            cache.state = tuple(part.data for part in (state if isinstance(state, tuple) else (state,)))
        return self.output(self.dropout(h))                 # (B, T, V)

    def read(self, vectors: Tensor) -> Tensor:
        """The logits (B, T, V) of token vectors (B, T, C), from the state 0."""
        return self.output(self.dropout(self.rnn(self.dropout(vectors))[0]))
