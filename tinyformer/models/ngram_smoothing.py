"""Smoothing: from counts to probabilities, also for n-grams that are rare or unseen.

Every smoothing method results in two tables for each level m:

    P(w | h) = p(hw)                where hw occurs; h has m − 1 tokens
             = backoff(h) P(w | h′) where it does not;  h′ is h without its first token, and with m = 1, P(w | h′) is
             1/V

In interpolated models, p includes the term of the lower order. add-k takes 1/V for P(w | h′). c(hw) is a count, and
c(h) = Σ_w c(hw). A context that no token follows has P(w | h) = P(w | h′).

Source: Chen and Goodman, "An empirical study of smoothing techniques for language modeling" (1998).
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..typing import Array
    from .ngram import NGramConfig
    from .ngram_counts import Counts

SMOOTHINGS = ("none", "add-k", "stupid", "katz", "kneser-ney", "modified-kneser-ney")
KATZ_LIMIT = 5                          # counts above it are not discounted


def tables(counts: Counts, config: NGramConfig) -> tuple[list[Array], list[Array]]:
    """(p, backoff) of the nodes of each level.

    p: for m = 1…n the probability of each node of level m   backoff: for m = 1…n−1 its weight as a context

    p of level 1 has all V tokens; unseen tokens get their part of the uniform distribution.
    """
    V, smoothing = config.vocab_size, config.smoothing
    p, backoff = [], []
    for m in range(1, config.n + 1):
        level = counts.levels[m - 1]
        parent, _ = counts.parents(m)
        c = level.counts if m == config.n or "kneser-ney" not in smoothing else level.neighbors
        lower = p[-1][counts.suffixes[m - 1]] if m > 1 else np.full(V, 1 / V)
        contexts = len(counts.levels[m - 2].keys) if m > 1 else 1
        seen = c > 0                                                            # all, except some of level 1
        context = Contexts(parent[seen], contexts)
        probability, weight = _estimate(c[seen], context, lower[seen], config)
        every = np.empty(len(c))
        if m == 1:
            every[:] = 0 if smoothing == "stupid" else weight[0] / V
        every[seen] = probability
        p.append(every)
        if m > 1:
            backoff.append(weight)
    if smoothing == "stupid":
        _normalize(counts, p, backoff)
    return p, backoff


class Contexts:
    """Sums over the tokens that occur after each of n contexts; ``parent`` (U,) is the context of each n-gram."""

    def __init__(self, parent: Array, n: int) -> None:
        self.parent, self.n = parent, n

    def sum(self, values: Array) -> Array:
        """Σ of values (U,) over the children of each context: (n,)."""
        return np.bincount(self.parent, weights=values, minlength=self.n)

    def number(self, which: Array | None = None) -> Array:
        """The number of children of each context, counting only those of ``which`` if given: (n,)."""
        return np.bincount(self.parent if which is None else self.parent[which], minlength=self.n)


def _estimate(c, context, lower, config):
    """(p of the n-grams that occur, weights of their contexts).   c, lower (U,): counts, and P(w | h′)."""
    total = context.sum(c)
    safe = np.maximum(total, 1)
    if config.smoothing == "none":                          # p = c(hw) / c(h)
        return c / total[context.parent], np.where(total > 0, 0.0, 1.0)
    # p = (c(hw) + k) / (c(h) + kV), and backoff · 1/V for the unseen
    if config.smoothing == "add-k":
        room = total + config.k * config.vocab_size
        return (c + config.k) / room[context.parent], config.k * config.vocab_size / room
    if config.smoothing == "stupid":                        # a score: c(hw) / c(h), or α times the lower score
        return c / total[context.parent], np.where(total > 0, config.backoff, 1.0)
    if config.smoothing == "katz":
        return _katz(c, context, lower, config.vocab_size)
    # Kneser–Ney: p = (c − D(c)) / c(h) + backoff(h) P(w | h′), backoff(h) = Σ_w D(c(hw)) / c(h)
    D = (_discounts if config.smoothing == "modified-kneser-ney" else _discount)(c)
    discount = D[np.minimum(c, 3)]
    weight = np.where(total > 0, context.sum(discount) / safe, 1.0)
    return (c - discount) / total[context.parent] + weight[context.parent] * lower, weight


def _discount(c):
    """Kneser and Ney's single discount D = n₁ / (n₁ + 2 n₂); nᵣ is the number of n-grams that occur r times."""
    n1, n2 = np.sum(c == 1), np.sum(c == 2)
    return np.full(4, n1 / (n1 + 2 * n2) if n1 else 0.5)


def _discounts(c):
    """Chen and Goodman's D(r) = r − (r + 1) Y nᵣ₊₁ / nᵣ for r = 1, 2 and 3 or more; Y = n₁ / (n₁ + 2 n₂).

    With too few n-grams for an estimate, the discounts are 0.5, 1 and 1.5.
    """
    n = np.bincount(np.minimum(c, 5), minlength=6).astype(float)
    D = np.array([0, 0.5, 1.0, 1.5])
    if n[1]:
        Y = n[1] / (n[1] + 2 * n[2])
        for r in (1, 2, 3):
            estimate = r - (r + 1) * Y * n[r + 1] / n[r] if n[r] else 0
            if 0 < estimate <= r:
                D[r] = estimate
    return D


def _katz(c, context, lower, V):
    """p = d(c) c(hw) / c(h); unseen n-grams share the remaining mass in proportion to P(w | h′).

    Source: Katz (1987).
    """
    discounted = _good_turing(c)[np.minimum(c, KATZ_LIMIT + 1)] * c
    total = context.sum(c)
    all_seen = context.number() == V
    # Without a discount, unseen tokens would get no mass: one more count makes room for them, as in SRILM.
    left = total - context.sum(discounted)
    total = total + ((left <= 1e-9 * total) & ~all_seen & (total > 0))
    total = np.where(all_seen, context.sum(discounted), total)                  # no token is unseen
    p = discounted / total[context.parent]
    remaining, lower_remaining = 1 - context.sum(p), 1 - context.sum(lower)
    weight = np.where(all_seen, 0.0, remaining / np.where(lower_remaining > 0, lower_remaining, 1))
    return p, np.where(total > 0, weight, 1.0)


def _good_turing(c):
    """d(r) for r = 0…6: Good and Turing's r* / r for r ≤ 5, r* = (r + 1) nᵣ₊₁ / nᵣ, scaled so that larger counts keep d
    = 1:

        d(r) = (r*/r − q) / (1 − q),   q = 6 n₆ / n₁

    If too few n-grams make this fall outside (0, 1), the count is reduced by a half: d(r) = 1 − 1/(2r).
    """
    n = np.bincount(np.minimum(c, KATZ_LIMIT + 2), minlength=KATZ_LIMIT + 3).astype(float)
    d = np.ones(KATZ_LIMIT + 2)
    q = (KATZ_LIMIT + 1) * n[KATZ_LIMIT + 1] / n[1] if n[1] else 1
    for r in range(1, KATZ_LIMIT + 1):
        estimate = ((r + 1) * n[r + 1] / (r * n[r]) - q) / (1 - q) if n[r] and q < 1 else 0
        d[r] = estimate if 0 < estimate < 1 else 1 - 1 / (2 * r)
    return d


def masses(counts: Counts, p: list[Array], backoff: list[Array]) -> list[Array]:
    """For m = 1…n−1, the sum of P(w | h) over all V tokens w for each node h of level m; 1 for a distribution.

    add-k has no P(w | h′), so the sums do not apply there.

        Σ_w P(w | h) = Σ_seen p(hw) + backoff(h) (Σ_w P(w | h′) − Σ_seen P(w | h′))
    """
    sums = [np.array([p[0].sum()])]
    for m in range(2, len(p) + 1):
        parent, _ = counts.parents(m)
        context = Contexts(parent, len(p[m - 2]))
        below = sums[-1][counts.suffixes[m - 2]]
        sums.append(context.sum(p[m - 1]) + backoff[m - 2] * (below - context.sum(p[m - 2][counts.suffixes[m - 1]])))
    return sums[1:]


def _normalize(counts, p, backoff):
    """Divide the scores of stupid backoff by their sum Z(h), in place: p(hw) / Z(h), and backoff(h) Z(h′) / Z(h)."""
    sums = masses(counts, p, backoff)
    for m in range(2, len(p) + 1):
        parent, _ = counts.parents(m)
        Z = sums[m - 2]
        p[m - 1] /= Z[parent]
        backoff[m - 2] *= (sums[m - 3][counts.suffixes[m - 2]] if m > 2 else 1) / Z


def check_tables(arrays: Mapping[str, Any], own: Mapping[str, Array], V: int) -> None:
    """Raise unless ``arrays`` {name: array} are tables for a model that has the tables ``own``.

    The names are p1…pn, keys2…keysn and backoff1…backoff(n−1). The tables of one m have the length of its keys.
    """
    sizes = {int(name[4:]): array.size for name, array in arrays.items() if name.startswith("keys")} | {1: V}
    for name, array in arrays.items():
        m = int(name.lstrip(string.ascii_letters))
        if array.shape != (sizes[m],):
            raise ValueError(f"load_state_dict: {name} has shape {array.shape}, expected ({sizes[m]},)")
        if array.dtype != own[name].dtype:
            raise TypeError(f"load_state_dict: {name} is {array.dtype}, expected {own[name].dtype}")
        if name.startswith("keys"):
            limit = sizes[m - 1] * V
            if array.size and not (0 <= array[0] and array[-1] < limit and (np.diff(array) > 0).all()):
                raise ValueError(f"load_state_dict: {name} are not ascending numbers in 0…{limit - 1}")
        elif not (np.isfinite(array).all() and (array >= 0).all()):
            raise ValueError(f"load_state_dict: {name} has entries that are no probabilities")
