"""Guesses by counting, which a masked language model is measured by: a word from its neighbours, a pair from what it shares."""

from __future__ import annotations

import numpy as np


class Neighbours:
    """Guesses a token m from its neighbours l and r, by counts on a text:

        score(m) = count(l m r) + κ q(m)        q(m) ∝ p(m | l) p(r | m)

    so that what has stood between l and r before decides, and where little has, the two pairs do. A pair's probabilities
    back off to single tokens in the same way: p(m | l) = (count(l m) + κ p(m)) / (count(l) + κ), p(m) = (count(m) + 1)/(N + V).

    tokens          integers (N,), the text
    unknown         ids that are no neighbours to go by, such as [MASK]: only the other side counts then
    """

    kappa = 2.0

    def __init__(self, tokens, vocab_size, unknown=()):
        self.tokens, self.unknown = np.asarray(tokens), set(unknown)
        self.single = np.bincount(self.tokens, minlength=vocab_size)            # count(m)
        self.p = (self.single + 1) / (self.single.sum() + vocab_size)
        self.after, self.before = _Places(self.tokens[:-1], vocab_size), _Places(self.tokens[1:], vocab_size)

    @property
    def commonest(self):
        """The commonest token."""
        return int(self.single.argmax())

    def scores(self, left, right):
        """(V,), highest for the likeliest token between the ids ``left`` and ``right``."""
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

    def accuracy(self, ids, labels, ignore=-100):
        """How many of the masked tokens of ids (B, T) it guesses, of those whose label is not ``ignore``."""
        found = {}
        right = []
        for row, column in np.argwhere(labels != ignore):
            around = int(ids[row, column - 1]), int(ids[row, column + 1])       # [CLS] and [SEP] stand at the ends
            if around not in found:
                found[around] = int(self.scores(*around).argmax())
            right.append(found[around] == labels[row, column])
        return float(np.mean(right))


class Shared:
    """Guesses whether one text follows another: it does if the tokens that stand in both weigh more than a threshold.

        weight = Σ −ln p(m) over the different tokens m that stand in both         so that a rare name says more than a comma

    pairs       (first, second, follows) of ``Lines.pair``, on which the threshold that is right most often is chosen
    """

    def __init__(self, tokens, vocab_size, pairs):
        counts = np.bincount(tokens, minlength=vocab_size) + 1
        self.weights = -np.log(counts / counts.sum())
        found = np.array([self.weight(first, second) for first, second, _ in pairs])
        follows = np.array([answer for *_, answer in pairs])
        self.threshold = max(found, key=lambda limit: ((found >= limit) == follows).mean())

    def weight(self, first, second):
        """What the tokens of both weigh."""
        return self.weights[np.intersect1d(first, second)].sum()

    def accuracy(self, pairs):
        """How many of the pairs it guesses."""
        return float(np.mean([(self.weight(first, second) >= self.threshold) == follows for first, second, follows in pairs]))


class _Places:
    """Where each id stands: ``places[id]`` is an array."""

    def __init__(self, tokens, vocab_size):
        self.order = np.argsort(tokens, kind="stable")
        self.starts = np.searchsorted(tokens[self.order], np.arange(vocab_size + 1))

    def __getitem__(self, id):
        return self.order[self.starts[id]:self.starts[id + 1]]
