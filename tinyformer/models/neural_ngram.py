"""Neural n-gram: predicts the next token from the vectors of the last n tokens, through one hidden layer.

    x_t = [C[w_{t−n+1}]; …; C[w_t]];   logits_t = U tanh(H x_t + d) + b

Unlike counts, vectors generalize: an unseen context is close to similar contexts that were seen.
Source: Bengio et al. (2003), without their direct connections from x to the logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import nn, ops
from ..autograd import Tensor
from .config_checks import check_fractions, check_integers
from .decoder import Decoder
from .ngram_counts import checked_ids
from .registry import register

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..generate import KVCache
    from ..typing import TensorLike

__all__ = ["NeuralNGram", "NeuralNGramConfig"]


@dataclass(frozen=True)
class NeuralNGramConfig:
    """V = vocab_size; vectors of n_embd numbers for the last n_context tokens; n_hidden units; windows of T ≤
    block_size."""

    vocab_size: int
    block_size: int = 64
    n_context: int = 8              # tokens that a prediction reads
    n_embd: int = 32
    n_hidden: int = 256
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_integers(self, "vocab_size", "block_size", "n_context", "n_embd", "n_hidden")
        if self.n_context > self.block_size:
            raise ValueError(f"NeuralNGramConfig: n_context is {self.n_context}, "
                             f"expected at most block_size = {self.block_size}")
        check_fractions(self, "dropout")


@register
class NeuralNGram(Decoder):
    """``logits = model(ids)``: ids integers (B, T), logits (B, T, V). ``model.loss(ids, targets)`` is a scalar."""

    architecture, Config = "neural-ngram", NeuralNGramConfig
    config: NeuralNGramConfig

    def __init__(self, config: NeuralNGramConfig) -> None:
        self.config = config
        # the last row stands for positions before the text
        self.embedding = nn.Embedding(config.vocab_size + 1, config.n_embd)
        self.hidden = nn.Linear(config.n_context * config.n_embd, config.n_hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.n_hidden, config.vocab_size)

    def forward(self, ids: ArrayLike, cache: KVCache | None = None) -> Tensor:
        """The logits (B, T, V). With ``cache``, ``ids`` are the positions after those that the cache holds."""
        ids, past = self._checked(ids, cache)
        ids = checked_ids(ids, self.config.vocab_size, ndim=2, name="NeuralNGram")
        B, n = len(ids), self.config.n_context
        if cache is not None:                               # this model caches the tokens themselves
            ids = cache.tokens(self, ids)
        before = np.full((B, n - 1), self.config.vocab_size)
        seen = np.concatenate([before, ids], axis=1)                            # (B, n − 1 + past + T)
        contexts = np.lib.stride_tricks.sliding_window_view(seen, n, axis=1)[:, past:]              # (B, T, n)
        return self._logits(self.embedding(contexts).reshape(B, -1, n * self.config.n_embd))

    def read(self, vectors: TensorLike) -> Tensor:
        """The logits (B, T, V) from the tokens' rows of the embedding, ``vectors`` (B, T, n_embd)."""
        vectors = vectors if isinstance(vectors, Tensor) else Tensor(vectors)
        B, T, n = *vectors.shape[:2], self.config.n_context
        before = self.embedding(np.full((B, n - 1), self.config.vocab_size))
        seen = ops.concatenate(before, vectors, axis=1)                         # (B, n − 1 + T, C)
        return self._logits(ops.concatenate(*(seen[:, i:i + T] for i in range(n)), axis=2))

    def _logits(self, x):
        """From the joined vectors x (B, T, n_context · n_embd)."""
        return self.output(self.dropout(ops.tanh(self.hidden(x))))              # (B, T, V)
