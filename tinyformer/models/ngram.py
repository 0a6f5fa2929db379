"""N-gram language models: the probability of a token from the counts of what followed the last n − 1 tokens.

    P(w_t | w₁…w_{t−1}) = P(w_t | w_{t−n+1}…w_{t−1})

There is no gradient descent: ``fit`` counts (``ngram_counts``) and turns counts into probabilities
(``ngram_smoothing``). This is
the baseline for neural language models.   Source: Shannon (1948); Jelinek and Mercer (1980).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import plain_array
from ..autograd import Tensor
from ..generate import generate
from .config_checks import check_above_zero, check_integers, check_one_of
from .ngram_counts import SHORT, UNSEEN, Counts, checked_ids, find
from .ngram_smoothing import SMOOTHINGS, check_tables, tables
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike
    from typing_extensions import Self

    from ..generate import KVCache
    from ..typing import Array

__all__ = ["NGram", "NGramConfig"]


@dataclass(frozen=True)
class NGramConfig:
    """V = vocab_size; the n − 1 tokens before it predict the next token.

    smoothing   none                    maximum likelihood, c(hw) / c(h): 0 for unseen n-grams
                add-k                   (c(hw) + k) / (c(h) + kV).   Source: Laplace, Lidstone
                stupid                  stupid backoff: c(hw) / c(h), or ``backoff`` times the score with the shorter
                                        context. The scores do not sum to one, so they are divided by their sum here.
                                        The method was
                                        made to save that work.   Source: Brants et al. (2007)
                katz                    Good–Turing discounts, the rest to the shorter context.   Source: Katz (1987)
                kneser-ney              interpolated, one discount.   Source: Kneser and Ney (1995)
                modified-kneser-ney     three discounts.   Source: Chen and Goodman (1998)

    With "none" and "stupid", a token that never occurs has probability 0. With the other methods, no token has.
    """

    vocab_size: int
    n: int = 5                      # the next token is predicted from the n − 1 before it
    # none, add-k, stupid, katz, kneser-ney or modified-kneser-ney
    smoothing: str = "modified-kneser-ney"
    k: float = 1.0                  # added to every count by add-k smoothing
    backoff: float = 0.4            # factor of a shorter context's score in stupid back-off

    def __post_init__(self) -> None:
        check_integers(self, "vocab_size", "n")
        check_one_of(self, smoothing=SMOOTHINGS)
        check_above_zero(self, "k", "backoff")

    @property
    def block_size(self) -> int:
        """The number of context tokens; at least 1, because generation starts from a token."""
        return max(self.n - 1, 1)


@register
class NGram(Pretrained):
    """``NGram(config).fit(ids)`` counts.

    ``model.log_prob(ids)`` and ``model.next_distribution(context)`` give probabilities.

    The interface of neural models works too: ``model(ids)``, ``model.loss(ids, targets)``, ``generate``,
    ``save_pretrained``.
    """

    architecture, task, Config, trained_by_counting = "ngram", "language", NGramConfig, True
    whole_text = True                   # a loss covers the whole text at once, because windows would cut contexts off
    config: NGramConfig
    p1: Array

    def __init__(self, config: NGramConfig) -> None:
        self.config = config
        V = config.vocab_size
        for m in range(1, config.n + 1):                    # before fit, every token has 1/V
            self.register_buffer(f"p{m}", np.full(V if m == 1 else 0, 1 / V))
            if m > 1:
                self.register_buffer(f"keys{m}", np.zeros(0, np.int64))
                self.register_buffer(f"backoff{m - 1}", np.ones(V if m == 2 else 0))

    # -- learning

    def fit(self, text: ArrayLike | Sequence[ArrayLike] | Counts) -> Self:
        """Count ``text``: ids (T,), or a list of such texts, or ``Counts`` up to this n or a larger one.

        Returns the model.

        The first token of each text is only context. Texts with a beginning and an end (names, sentences) mark both by
        tokens of their own, as their first and last id.
        """
        n, V = self.config.n, self.config.vocab_size
        counts = text if isinstance(text, Counts) else Counts(text, n, V)
        if counts.n < n or counts.vocab_size != V:
            raise ValueError(f"ngram: the counts are of n up to {counts.n} over {counts.vocab_size} tokens, "
                             f"expected n of at least {n} and {V} tokens")
        p, backoff = tables(counts, self.config)
        state = {f"p{m}": p[m - 1] for m in range(1, n + 1)}
        state.update((f"keys{m}", counts.levels[m - 1].keys) for m in range(2, n + 1))
        state.update((f"backoff{m}", backoff[m - 1]) for m in range(1, n))
        self.load_state_dict(state)
        return self

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> tuple[list[str], list[str]]:
        """Set the tables to those of ``state``, whose lengths give the numbers of n-grams.

        All tables are checked first.
        """
        own = self.state_dict()
        if strict and set(state) != set(own):
            super().load_state_dict(state)                  # which raises, naming what is missing or unknown
        arrays = {name: np.asarray(state[name]) for name in own}
        check_tables(arrays, own, self.config.vocab_size)
        for name, array in arrays.items():
            setattr(self, name, array)
        return [], []

    def num_parameters(self) -> int:
        """The number of probabilities and backoff weights in the tables."""
        return sum(array.size for name, array in self.state_dict().items() if not name.startswith("keys"))

    # -- probabilities

    def _find(self, m, parent, token):
        return find(getattr(self, f"keys{m}"), parent, token, self.config.vocab_size)

    def _contexts(self, ids):
        """For m = 1…n−1 the node of the m tokens that end at each place of ``ids`` (B, T)."""
        nodes = [ids]
        for m in range(2, self.config.n):
            node = np.full(ids.shape, SHORT)
            node[:, 1:] = self._find(m, nodes[-1][:, :-1], ids[:, 1:])
            nodes.append(node)
        return nodes[:self.config.n - 1]

    def _probabilities(self, contexts, tokens):
        """P(token | context), from the shortest context to the longest. ``contexts`` and ``tokens`` broadcast."""
        p = np.broadcast_to(self.p1[tokens], np.broadcast_shapes(tokens.shape, *(node.shape for node in contexts)))
        for m, context in enumerate(contexts, 2):
            node = self._find(m, context, tokens)
            own, weight = getattr(self, f"p{m}"), getattr(self, f"backoff{m - 1}")
            shorter = 1 / self.config.vocab_size if self.config.smoothing == "add-k" else p
            lower = np.where(context >= 0, shorter * _take(weight, context), np.where(context == UNSEEN, shorter, p))
            p = np.where(node >= 0, _take(own, node), lower)
        return p

    def forward(self, ids: ArrayLike, cache: KVCache | None = None) -> Tensor:
        """The logits (B, T, V): ln P of each token after each position of ``ids`` (B, T).

        P = 0 gives the log of the smallest positive normal number.
        """
        ids = checked_ids(ids, self.config.vocab_size, ndim=2)
        read = 0
        if cache is not None:                               # this model caches the tokens themselves
            read = cache.length
            ids = cache.tokens(self, ids)
        contexts = [node[:, read:, None] for node in self._contexts(ids)]
        tokens = np.broadcast_to(np.arange(self.config.vocab_size), (*ids[:, read:].shape, self.config.vocab_size))
        return Tensor(np.log(np.maximum(self._probabilities(contexts, tokens), np.finfo(float).tiny)))

    def loss(self, ids: ArrayLike, targets: ArrayLike) -> Tensor:
        """The mean of −ln P in nats of ``targets`` (B, T), the tokens after ``ids`` (B, T).

        Raises FloatingPointError if a target has probability 0.
        """
        losses = self.losses(ids, targets).data
        if impossible := np.count_nonzero(losses == math.inf):
            raise FloatingPointError(f"ngram: {impossible:,} of {losses.size:,} tokens have probability 0 with "
                                     "smoothing "
                                     f"{self.config.smoothing!r}, so the loss is infinite")
        return Tensor(np.array(losses.mean()))

    def losses(self, ids: ArrayLike, targets: ArrayLike) -> Tensor:
        """−ln P in nats of each of ``targets`` (B, T), the tokens after ``ids`` (B, T): (B, T). ∞ where P = 0."""
        ids, targets = (checked_ids(each, self.config.vocab_size, ndim=2) for each in (ids, targets))
        with np.errstate(divide="ignore"):
            return Tensor(-np.log(self._probabilities(self._contexts(ids), targets)))

    def log_prob(self, ids: ArrayLike) -> Array:
        """ln P of each token of ``ids`` (T,) except the first, given the tokens before it: (T − 1,). −∞ where P = 0."""
        ids = checked_ids(ids, self.config.vocab_size)
        return -self.losses(ids[None, :-1], ids[None, 1:]).data[0]

    def perplexity(self, ids: ArrayLike) -> float:
        """exp(mean of −ln P) over the tokens of ``ids`` (T,) except the first.

        It is the number of equally likely tokens with the same loss.
        """
        return float(np.exp(-_mean(self.log_prob(ids))))

    def bits_per_character(self, ids: ArrayLike, characters: int | None = None) -> float:
        """−log₂ P of the tokens of ``ids`` (T,) except the first, per character.

        ``characters`` is their number of characters; None means one for each token.
        """
        log_p = self.log_prob(ids)
        return float(-_mean(log_p) * log_p.size / math.log(2) / (log_p.size if characters is None else characters))

    def next_distribution(self, context: ArrayLike = ()) -> Array:
        """P of every token after ``context``, ids (T,) of which the last n − 1 count: (V,), with the sum 1.

        A context shorter than n − 1 is the beginning of a text.
        """
        ids = checked_ids(plain_array("ngram", context, np.int64), self.config.vocab_size)[-self.config.block_size:]
        contexts = [node[0, -1:] for node in self._contexts(ids[None])] if len(ids) else []
        return self._probabilities(contexts, np.arange(self.config.vocab_size))

    def generate(self, ids: ArrayLike | Sequence[ArrayLike], max_new_tokens: int, **how: Any) -> Any:
        """``ids`` with up to ``max_new_tokens`` generated tokens appended.

        ``how``: see ``tinyformer.generate.generate``.
        """
        return generate(self, ids, max_new_tokens, **how)


def _take(table, node):
    """The entries of ``table`` at ``node``; any number where there is no node."""
    return table[np.maximum(node, 0)] if len(table) else np.zeros(node.shape)


def _mean(log_p):
    if not log_p.size:
        raise ValueError("ngram: the text has no token that follows another one, expected at least two")
    return log_p.mean()
