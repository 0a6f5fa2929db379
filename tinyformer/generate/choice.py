"""One token out of many: by chance, among those that are likely enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import plain_array
from ..nn.argument_checks import check_finite
from ..rng import generator


def choose(logits, temperature=1.0, *, ids=None, rng=None, **choice):
    """One token a row, drawn from softmax(logits / temperature).   logits (B, V) → ids (B,)

    rng                   a seed or Generator
    temperature           0 takes the likeliest (greedy); below 1 sharpens, above 1 flattens
    top_k                 only the k likeliest are drawn from
    top_p                 only the fewest likeliest whose probabilities reach p together.   Source: Holtzman et al. (2019).
    min_p                 only those at least p times as likely as the likeliest.   Source: Nguyen et al. (2024).
    repetition_penalty    above 1 makes tokens that stand in ``ids`` (B, T), those so far, less likely; see ``penalised``

    The penalty comes first, then temperature, top_k, top_p and min_p in this order, each on what the one before has left.
    """
    choice = Choice(temperature, **choice)
    logits = plain_array("choose", logits)
    return choice(logits, ids, generator(rng).random(len(logits)))


@dataclass(frozen=True)
class Choice:
    """A way of choosing. ``choice(logits (B, V), ids (B, T), draws (B,))`` → (B,), where draws are numbers in [0, 1)."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self):
        for name, right, expected in (
                ("temperature", 0 <= self.temperature < np.inf, "a finite number of at least 0"),
                ("top_k", self.top_k is None or self.top_k >= 1, "at least 1"),
                ("top_p", self.top_p is None or 0 < self.top_p <= 1, "0 < top_p ≤ 1"),
                ("min_p", self.min_p is None or 0 <= self.min_p <= 1, "0 ≤ min_p ≤ 1"),
                ("repetition_penalty", 0 < self.repetition_penalty < np.inf, "a finite number above 0")):
            if not right:
                raise ValueError(f"generate: {name} is {getattr(self, name)}, expected {expected}")

    def __call__(self, logits, ids, draws):
        logits = finite(logits)
        if self.repetition_penalty != 1:
            logits = penalised(logits, ids, self.repetition_penalty)
        if self.temperature == 0:
            return logits.argmax(axis=-1)
        order, rows = np.argsort(-logits, axis=-1, kind="stable"), np.arange(len(logits))       # likeliest first
        p = self.probabilities(logits[rows[:, None], order])
        reached = np.cumsum(p, axis=-1)
        rank = (reached <= draws[:, None] * reached[:, -1:]).sum(axis=-1)
        return order[rows, np.minimum(rank, (p > 0).sum(axis=-1) - 1)]          # rounding may go past the last one

    def probabilities(self, ranked):
        """What is drawn with, up to a factor, from logits (B, V) that fall from left to right."""
        p = np.exp((ranked - ranked[:, :1]) / self.temperature)
        if self.top_k is not None:
            p[:, self.top_k:] = 0
        p /= p.sum(axis=-1, keepdims=True)
        if self.top_p is not None:
            p[np.cumsum(p, axis=-1) - p >= self.top_p] = 0                      # those before it reach top_p already
        if self.min_p is not None:
            p[p < self.min_p * p[:, :1]] = 0
        return p


def finite(logits):
    """``logits`` as float64; ValueError where one is no finite number."""
    logits = np.asarray(logits, np.float64)
    check_finite("generate: the model's logits", logits)
    return logits


def penalised(logits, ids, penalty):
    """``logits`` (B, V) with those of the tokens in ``ids`` (B, T) divided by ``penalty`` where they are above 0, multiplied
    by it where below: less likely either way.

    Source: Keskar et al. (2019, CTRL), who divide only; the sign is looked at as in Hugging Face's transformers.
    """
    if ids is None:
        raise ValueError("generate: repetition_penalty needs the tokens so far: choose(logits, ids=…)")
    seen = np.take_along_axis(logits, ids, axis=1)
    logits = logits.copy()
    np.put_along_axis(logits, ids, np.where(seen < 0, seen * penalty, seen / penalty), axis=1)
    return logits
