"""Baselines by counting for masked language models: words from neighbors, pairs from common tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Neighbors:
    """Predicts a token m from its neighbors l and r, by counts on a text:

        score(m) = count(l m r) + κ q(m)        q(m) ∝ p(m | l) p(r | m)

    The counts of (l, m, r) decide where there are many; where there are few, the two pairs decide. The probabilities of
    a pair back off to those of single tokens in the same way: p(m | l) = (count(l m) + κ p(m)) / (count(l) + κ), p(m) =
    (count(m) + 1)/(N + V).

    tokens          integers (N,), the text
    unknown         ids that are ignored as neighbors, such as [MASK]; then only the other side counts
    """

    kappa = 2.0

    def __init__(self, tokens: ArrayLike, vocab_size: int, unknown: Iterable[int] = ()):
        self.tokens, self.unknown = np.asarray(tokens), set(unknown)
        self.single = np.bincount(self.tokens, minlength=vocab_size)            # count(m)
        self.p = (self.single + 1) / (self.single.sum() + vocab_size)
        self.after, self.before = _Places(self.tokens[:-1], vocab_size), _Places(self.tokens[1:], vocab_size)

    @property
    def most_frequent(self) -> int:
        """The id of the most frequent token."""
        return int(self.single.argmax())

    def scores(self, left: int, right: int) -> NDArray[np.float64]:
        """(V,), highest for the most likely token between the ids ``left`` and ``right``."""
        V, tokens, q, triples = len(self.p), self.tokens, self.p, 0
        if left not in self.unknown:
            places = self.after[left]
            q = (np.bincount(tokens[places + 1], minlength=V) + self.kappa * self.p) / (len(places) + self.kappa)
        if right not in self.unknown:
            before = np.bincount(tokens[self.before[right]], minlength=V)       # count(m r)
            q = q * (before + self.kappa * self.p[right]) / (self.single + self.kappa)
            if left not in self.unknown:
                places = places[places + 2 < len(tokens)]
                triples = np.bincount(tokens[places + 1][tokens[places + 2] == right], minlength=V)
        return triples + self.kappa * q / q.sum()

    def accuracy(self, ids: NDArray[np.int64], labels: NDArray[np.int64], ignore: int = -100) -> float:
        """The share of the masked tokens in ids (B, T) that are predicted correctly.

        A token is masked where its label is not ``ignore``.
        """
        found = {}
        right = []
        for row, column in np.argwhere(labels != ignore):
            around = int(ids[row, column - 1]), int(ids[row, column + 1])       # [CLS] and [SEP] stand at the ends
            if around not in found:
                found[around] = int(self.scores(*around).argmax())
            right.append(found[around] == labels[row, column])
        return float(np.mean(right))


class Shared:
    """Predicts whether one text follows another: it does if the weight of their common tokens is above a threshold.

        weight = Σ −ln p(m) over the distinct tokens m that occur in both         a rare name weighs more than a comma

    pairs       (first, second, follows) of ``Lines.pair``; the threshold is the one with the highest accuracy on them
    """

    def __init__(self, tokens: ArrayLike, vocab_size: int, pairs: Sequence[tuple[Any, Any, bool]]):
        counts = np.bincount(tokens, minlength=vocab_size) + 1
        self.weights = -np.log(counts / counts.sum())
        found = np.array([self.weight(first, second) for first, second, _ in pairs])
        follows = np.array([answer for *_, answer in pairs])
        self.threshold = max(found, key=lambda limit: ((found >= limit) == follows).mean())

    def weight(self, first: ArrayLike, second: ArrayLike) -> float:
        """The weight of the common tokens of two texts."""
        return self.weights[np.intersect1d(first, second)].sum()

    def accuracy(self, pairs: Sequence[tuple[Any, Any, bool]]) -> float:
        """The share of the pairs that are predicted correctly."""
        return float(np.mean([(self.weight(first, second) >= self.threshold) == follows
                              for first, second, follows in pairs]))


class _Places:
    """The positions of each id: ``places[id]`` is an array."""

    def __init__(self, tokens: NDArray[np.int64], vocab_size: int):
        self.order = np.argsort(tokens, kind="stable")
        self.starts = np.searchsorted(tokens[self.order], np.arange(vocab_size + 1))

    def __getitem__(self, id: int) -> NDArray[np.int64]:
        return self.order[self.starts[id]:self.starts[id + 1]]
