"""N-gram language models: the probability of a token from the counts of what followed the last n − 1 tokens.

    P(w_t | w₁…w_{t−1}) = P(w_t | w_{t−n+1}…w_{t−1})

Nothing is descended here: ``fit`` counts (``ngram_counts``) and turns counts into probabilities (``ngram_smoothing``). The
baseline that any neural language model has to beat.   Source: Shannon (1948); Jelinek and Mercer (1980).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import plain_array
from ..autograd import Tensor
from ..generate import generate
from .config_checks import check_above_zero, check_integers, check_one_of
from .ngram_counts import SHORT, UNSEEN, Counts, checked_ids, find
from .ngram_smoothing import SMOOTHINGS, check_tables, tables
from .pretrained import Pretrained
from .registry import register

__all__ = ["NGram", "NGramConfig"]


@dataclass(frozen=True)
class NGramConfig:
    """V = vocab_size; the next token is told from the n − 1 before it.

    smoothing   none                    maximum likelihood, c(hw) / c(h): 0 for what was never seen
                add-k                   (c(hw) + k) / (c(h) + kV).   Source: Laplace, Lidstone
                stupid                  stupid back-off: c(hw) / c(h), else ``backoff`` times that of the shorter context. These
                                        are scores, which do not sum to one: they are divided by their sum here, which is
                                        the very work that it was made to save.   Source: Brants et al. (2007)
                katz                    Good–Turing discounts, the rest to the shorter context.   Source: Katz (1987)
                kneser-ney              interpolated, one discount.   Source: Kneser and Ney (1995)
                modified-kneser-ney     three discounts.   Source: Chen and Goodman (1998)

    With "none" and "stupid" a token that was never seen at all has probability 0; with the others none has.
    """

    vocab_size: int
    n: int = 5                      # the next token is predicted from the n − 1 before it
    # none, add-k, stupid, katz, kneser-ney or modified-kneser-ney
    smoothing: str = "modified-kneser-ney"
    k: float = 1.0                  # added to every count by add-k smoothing
    backoff: float = 0.4            # factor of a shorter context's score in stupid back-off

    def __post_init__(self):
        check_integers(self, "vocab_size", "n")
        check_one_of(self, smoothing=SMOOTHINGS)
        check_above_zero(self, "k", "backoff")

    @property
    def block_size(self):
        """How many tokens are looked at; at least 1, for there must be something to go on from."""
        return max(self.n - 1, 1)


@register
class NGram(Pretrained):
    """``NGram(config).fit(ids)`` counts; ``model.log_prob(ids)``, ``model.next_distribution(context)`` tell.

    It is used as the neural models are: ``model(ids)``, ``model.loss(ids, targets)``, ``generate``, ``save_pretrained``.
    """

    architecture, task, Config, trained_by_counting = "ngram", "language", NGramConfig, True
    whole_text = True                   # a loss is read over the text in one piece: windows would cut contexts off

    def __init__(self, config):
        self.config = config
        V = config.vocab_size
        for m in range(1, config.n + 1):                    # nothing seen yet: every token has 1/V
            self.register_buffer(f"p{m}", np.full(V if m == 1 else 0, 1 / V))
            if m > 1:
                self.register_buffer(f"keys{m}", np.zeros(0, np.int64))
                self.register_buffer(f"backoff{m - 1}", np.ones(V if m == 2 else 0))

    # -- learning

    def fit(self, text):
        """Count ``text``: ids (T,) of one text, or a list of such, or the ``Counts`` of one up to this n or a larger one.

        The first token of each text is context alone. Texts that begin and end somewhere (names, sentences) say so with tokens
        of their own, as their first and last id.
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

    def load_state_dict(self, state, strict=True):
        """Take the tables of ``state``, which say themselves how many n-grams there are. All is checked first."""
        own = self.state_dict()
        if strict and set(state) != set(own):
            super().load_state_dict(state)                  # which says what is missing and what is not known
        arrays = {name: np.asarray(state[name]) for name in own}
        check_tables(arrays, own, self.config.vocab_size)
        for name, array in arrays.items():
            setattr(self, name, array)
        return [], []

    def num_parameters(self):
        """How many numbers the tables hold: probabilities and back-off weights."""
        return sum(array.size for name, array in self.state_dict().items() if not name.startswith("keys"))

    # -- telling

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

    def forward(self, ids, cache=None):
        """Logits (B, T, V): ln P of each token after each place of ``ids`` (B, T). What is impossible has the least number."""
        ids = checked_ids(ids, self.config.vocab_size, ndim=2)
        read = 0
        if cache is not None:                               # what this model keeps are the tokens themselves
            read = cache.length
            ids = cache.tokens(self, ids)
        contexts = [node[:, read:, None] for node in self._contexts(ids)]
        tokens = np.broadcast_to(np.arange(self.config.vocab_size), (*ids[:, read:].shape, self.config.vocab_size))
        return Tensor(np.log(np.maximum(self._probabilities(contexts, tokens), np.finfo(float).tiny)))

    def loss(self, ids, targets):
        """Mean −ln P in nats of ``targets`` (B, T), the tokens that follow ``ids`` (B, T)."""
        losses = self.losses(ids, targets).data
        if impossible := np.count_nonzero(losses == math.inf):
            raise FloatingPointError(f"ngram: {impossible:,} of {losses.size:,} tokens have probability 0 with smoothing "
                                     f"{self.config.smoothing!r}, so the loss is infinite")
        return Tensor(np.array(losses.mean()))

    def losses(self, ids, targets):
        """−ln P in nats of each of ``targets`` (B, T), after ``ids`` (B, T): (B, T). ∞ for what is impossible."""
        ids, targets = (checked_ids(each, self.config.vocab_size, ndim=2) for each in (ids, targets))
        with np.errstate(divide="ignore"):
            return Tensor(-np.log(self._probabilities(self._contexts(ids), targets)))

    def log_prob(self, ids):
        """ln P of each token of ``ids`` (T,) but the first, given those before it: (T − 1,). −∞ for an impossible one."""
        ids = checked_ids(ids, self.config.vocab_size)
        return -self.losses(ids[None, :-1], ids[None, 1:]).data[0]

    def perplexity(self, ids):
        """e to the mean of −ln P over the tokens of ``ids`` but the first: as if so many were equally likely each time."""
        return float(np.exp(-_mean(self.log_prob(ids))))

    def bits_per_character(self, ids, characters=None):
        """−log₂ P of the tokens of ``ids`` but the first, divided by the ``characters`` they stand for (None: one each)."""
        log_p = self.log_prob(ids)
        return float(-_mean(log_p) * log_p.size / math.log(2) / (log_p.size if characters is None else characters))

    def next_distribution(self, context=()):
        """P of every token after ``context``, ids (T,), of which the last n − 1 count: (V,), which sum to one.

        A context shorter than n − 1 is the beginning of a text.
        """
        ids = checked_ids(plain_array("ngram", context, np.int64), self.config.vocab_size)[-self.config.block_size:]
        contexts = [node[0, -1:] for node in self._contexts(ids[None])] if len(ids) else []
        return self._probabilities(contexts, np.arange(self.config.vocab_size))

    def generate(self, ids, max_new_tokens, **how):
        """``ids`` and what follows them; see ``tinyformer.generate.generate`` for the ways of choosing."""
        return generate(self, ids, max_new_tokens, **how)


def _take(table, node):
    """Entries of ``table``, and anything where there is no node."""
    return table[np.maximum(node, 0)] if len(table) else np.zeros(node.shape)


def _mean(log_p):
    if not log_p.size:
        raise ValueError("ngram: the text has no token that follows another one, expected at least two")
    return log_p.mean()
