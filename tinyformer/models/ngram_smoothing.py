"""From counts to probabilities: what to believe of n-grams that were seen seldom or never.

Every way of smoothing ends in the same two tables, for each level m:

    P(w | h) = p(hw)                where hw was seen after the m − 1 tokens of h
             = backoff(h) P(w | h′) where it was not;  h′ is h without its first token, and below one token lies 1/V

(interpolated models too: their p holds the share of the lower order already; add-k has 1/V for P(w | h′)). c(hw) is a count,
c(h) = Σ_w c(hw), and a context that was never followed by anything leaves the matter to h′.

Source: Chen and Goodman, "An empirical study of smoothing techniques for language modeling" (1998).
"""

from __future__ import annotations

import numpy as np

SMOOTHINGS = ("none", "add-k", "stupid", "katz", "kneser-ney", "modified-kneser-ney")
KATZ_LIMIT = 5                          # counts above it are trusted as they are


def tables(counts, config):
    """(p, backoff): for m = 1…n the probability of each node of level m, and for m = 1…n−1 the weight of each as a context.

    p of level 1 has all V tokens, those never seen with their share of the uniform distribution.
    """
    V, smoothing = config.vocab_size, config.smoothing
    p, backoff = [], []
    for m in range(1, config.n + 1):
        level = counts.levels[m - 1]
        parent, _ = counts.parents(m)
        c = level.counts if m == config.n or "kneser-ney" not in smoothing else level.neighbours
        lower = p[-1][counts.suffixes[m - 1]] if m > 1 else np.full(V, 1 / V)
        contexts = len(counts.levels[m - 2].keys) if m > 1 else 1
        seen = c > 0                                                            # all but some of level 1
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
        _normalise(counts, p, backoff)
    return p, backoff


class Contexts:
    """Sums over the tokens seen after each context."""

    def __init__(self, parent, n):
        self.parent, self.n = parent, n

    def sum(self, values):
        """Σ over the children of each context: (n,)."""
        return np.bincount(self.parent, weights=values, minlength=self.n)

    def number(self, which=None):
        """How many children each context has, of ``which`` only where given."""
        return np.bincount(self.parent if which is None else self.parent[which], minlength=self.n)


def _estimate(c, context, lower, config):
    """(p of the seen n-grams, weight of their contexts).   c, lower (U,): counts, and P(w | h′)."""
    total = context.sum(c)
    safe = np.maximum(total, 1)
    if config.smoothing == "none":                          # p = c(hw) / c(h)
        return c / total[context.parent], np.where(total > 0, 0.0, 1.0)
    if config.smoothing == "add-k":                         # p = (c(hw) + k) / (c(h) + kV), and backoff · 1/V for the unseen
        room = total + config.k * config.vocab_size
        return (c + config.k) / room[context.parent], config.k * config.vocab_size / room
    if config.smoothing == "stupid":                        # a score: c(hw) / c(h), else α times the lower one
        return c / total[context.parent], np.where(total > 0, config.backoff, 1.0)
    if config.smoothing == "katz":
        return _katz(c, context, lower, config.vocab_size)
    # Kneser–Ney: p = (c − D(c)) / c(h) + backoff(h) P(w | h′), backoff(h) = Σ_w D(c(hw)) / c(h)
    D = (_discounts if config.smoothing == "modified-kneser-ney" else _discount)(c)
    discount = D[np.minimum(c, 3)]
    weight = np.where(total > 0, context.sum(discount) / safe, 1.0)
    return (c - discount) / total[context.parent] + weight[context.parent] * lower, weight


def _discount(c):
    """Kneser and Ney's one D = n₁ / (n₁ + 2 n₂) for every count, with nᵣ the n-grams that were seen r times."""
    n1, n2 = np.sum(c == 1), np.sum(c == 2)
    return np.full(4, n1 / (n1 + 2 * n2) if n1 else 0.5)


def _discounts(c):
    """Chen and Goodman's D(r) = r − (r + 1) Y nᵣ₊₁ / nᵣ for r = 1, 2 and 3 or more; Y = n₁ / (n₁ + 2 n₂).

    Where there are too few n-grams to tell, one half, 1 and 1½.
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
    """p = d(c) c(hw) / c(h), and what that leaves goes to the unseen in proportion to P(w | h′).   Source: Katz (1987)."""
    discounted = _good_turing(c)[np.minimum(c, KATZ_LIMIT + 1)] * c
    total = context.sum(c)
    all_seen = context.number() == V
    # Where nothing is discounted but something was not seen, one more count makes room for it (as SRILM does).
    left = total - context.sum(discounted)
    total = total + ((left <= 1e-9 * total) & ~all_seen & (total > 0))
    total = np.where(all_seen, context.sum(discounted), total)                  # nobody to leave anything to
    p = discounted / total[context.parent]
    remaining, lower_remaining = 1 - context.sum(p), 1 - context.sum(lower)
    weight = np.where(all_seen, 0.0, remaining / np.where(lower_remaining > 0, lower_remaining, 1))
    return p, np.where(total > 0, weight, 1.0)


def _good_turing(c):
    """d(r) for r = 0…6: Good and Turing's r* / r for r ≤ 5, r* = (r + 1) nᵣ₊₁ / nᵣ, so scaled that counts above 5 stay whole:

        d(r) = (r*/r − q) / (1 − q),   q = 6 n₆ / n₁

    Where that is no number between 0 and 1, for want of n-grams, a half is taken off the count: d(r) = 1 − 1/(2r).
    """
    n = np.bincount(np.minimum(c, KATZ_LIMIT + 2), minlength=KATZ_LIMIT + 3).astype(float)
    d = np.ones(KATZ_LIMIT + 2)
    q = (KATZ_LIMIT + 1) * n[KATZ_LIMIT + 1] / n[1] if n[1] else 1
    for r in range(1, KATZ_LIMIT + 1):
        estimate = ((r + 1) * n[r + 1] / (r * n[r]) - q) / (1 - q) if n[r] and q < 1 else 0
        d[r] = estimate if 0 < estimate < 1 else 1 - 1 / (2 * r)
    return d


def masses(counts, p, backoff):
    """For m = 1…n−1 the sum of P(w | h) over all V tokens w, for each node h of level m: 1, if they are distributions.

    Not for add-k, which has no P(w | h′).

        Σ_w P(w | h) = Σ_seen p(hw) + backoff(h) (Σ_w P(w | h′) − Σ_seen P(w | h′))
    """
    sums = [np.array([p[0].sum()])]
    for m in range(2, len(p) + 1):
        parent, _ = counts.parents(m)
        context = Contexts(parent, len(p[m - 2]))
        below = sums[-1][counts.suffixes[m - 2]]
        sums.append(context.sum(p[m - 1]) + backoff[m - 2] * (below - context.sum(p[m - 2][counts.suffixes[m - 1]])))
    return sums[1:]


def _normalise(counts, p, backoff):
    """Divide stupid back-off's scores by their sum Z(h), in place: p(hw) / Z(h), and backoff(h) Z(h′) / Z(h)."""
    sums = masses(counts, p, backoff)
    for m in range(2, len(p) + 1):
        parent, _ = counts.parents(m)
        Z = sums[m - 2]
        p[m - 1] /= Z[parent]
        backoff[m - 2] *= (sums[m - 3][counts.suffixes[m - 2]] if m > 2 else 1) / Z


def check_tables(arrays, own, V):
    """An error unless ``arrays`` {name: array}, read from somewhere, are tables of a model that has ``own`` so far.

    p1…pn, keys2…keysn, backoff1…backoff(n−1): those of one m are of one length, which the keys say.
    """
    sizes = {int(name[4:]): array.size for name, array in arrays.items() if name.startswith("keys")} | {1: V}
    for name, array in arrays.items():
        m = int(name.lstrip("keysbackoffp"))
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
