"""Sampling: the choice of the next token from its logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import plain_array
from ..nn.argument_checks import check_finite
from ..rng import generator

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike

    from ..typing import Array, RNGLike


def choose(logits: ArrayLike, temperature: float = 1.0, *, ids: Array | None = None, rng: RNGLike = None,
           **choice: Any) -> Array:
    """One token for each row, drawn from softmax(logits / temperature).   logits (B, V) → ids (B,)

    rng                   a seed or Generator
    temperature           0 takes the most likely token (greedy); below 1 sharpens the distribution, above 1 flattens it
    top_k                 draw from the k most likely tokens
    top_p                 draw from the smallest set of most likely tokens whose probabilities sum to at least p.
                          Source: Holtzman et al. (2019).
    min_p                 draw from the tokens at least p times as likely as the most likely.   Source: Nguyen et al.
                          (2024).
    repetition_penalty    above 1 makes tokens in ``ids`` (B, T), the text so far, less likely; see ``penalized``

    The repetition penalty applies first, then temperature, top_k, top_p and min_p, each to what the step before left.
    """
    settings = Choice(temperature, **choice)
    logits = plain_array("choose", logits)
    return settings(logits, ids, generator(rng).random(len(logits)))


@dataclass(frozen=True)
class Choice:
    """Settings of ``choose``. ``choice(logits (B, V), ids (B, T), draws (B,))`` → tokens (B,), with draws in [0, 1)."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        for name, right, expected in (
                ("temperature", 0 <= self.temperature < np.inf, "a finite number of at least 0"),
                ("top_k", self.top_k is None or self.top_k >= 1, "at least 1"),
                ("top_p", self.top_p is None or 0 < self.top_p <= 1, "0 < top_p ≤ 1"),
                ("min_p", self.min_p is None or 0 <= self.min_p <= 1, "0 ≤ min_p ≤ 1"),
                ("repetition_penalty", 0 < self.repetition_penalty < np.inf, "a finite number above 0")):
            if not right:
                raise ValueError(f"generate: {name} is {getattr(self, name)}, expected {expected}")

    def __call__(self, logits: ArrayLike, ids: Array | None, draws: Array) -> Array:
        logits = finite(logits)
        if self.repetition_penalty != 1:
            logits = penalized(logits, ids, self.repetition_penalty)
        if self.temperature == 0:
            return logits.argmax(axis=-1)
        order, rows = np.argsort(-logits, axis=-1, kind="stable"), np.arange(len(logits))       # most likely first
        p = self.probabilities(logits[rows[:, None], order])
        reached = np.cumsum(p, axis=-1)
        rank = (reached <= draws[:, None] * reached[:, -1:]).sum(axis=-1)
        return order[rows, np.minimum(rank, (p > 0).sum(axis=-1) - 1)]          # rounding may go past the last one

    def probabilities(self, ranked: Array) -> Array:
        """The unnormalized probabilities (B, V) of tokens with the descending logits ``ranked`` (B, V)."""
        p = np.exp((ranked - ranked[:, :1]) / self.temperature)
        if self.top_k is not None:
            p[:, self.top_k:] = 0
        p /= p.sum(axis=-1, keepdims=True)
        if self.top_p is not None:
            p[np.cumsum(p, axis=-1) - p >= self.top_p] = 0                      # the tokens before it reach top_p
        if self.min_p is not None:
            p[p < self.min_p * p[:, :1]] = 0
        return p


def finite(logits: ArrayLike) -> Array:
    """``logits`` as float64. ValueError if any is not finite."""
    logits = np.asarray(logits, np.float64)
    check_finite("generate: the model's logits", logits)
    return logits


def penalized(logits: Array, ids: Array | None, penalty: float) -> Array:
    """``logits`` (B, V), with a repetition penalty on the tokens in ``ids`` (B, T).

    Their logits are divided by ``penalty`` where positive and multiplied by it where negative, so both become less
    likely.

    Source: Keskar et al. (2019, CTRL), who only divide. The case of negative logits follows Hugging Face's
    transformers.
    """
    if ids is None:
        raise ValueError("generate: repetition_penalty needs the tokens so far: choose(logits, ids=…)")
    seen = np.take_along_axis(logits, ids, axis=1)
    logits = logits.copy()
    np.put_along_axis(logits, ids, np.where(seen < 0, seen * penalty, seen / penalty), axis=1)
    return logits
