"""Shapley values: each entry's mean contribution over all orders in which the entries can be added."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from ..number_checks import check_integer
from ..rng import generator
from .scores import checked_baseline, checked_input, score_values

if TYPE_CHECKING:
    from ..typing import Array, RNGLike, TensorLike
    from .scores import Scores

MOST = 16                                                   # players of an exact computation: 2¹⁶ scores


@overload
def shapley_values(f: Scores, x: TensorLike, baseline: TensorLike | None = None, target: Any = None,
                   n_samples: int | None = None, rng: RNGLike = None,
                   return_error: Literal[False] = False) -> Array: ...
@overload
def shapley_values(f: Scores, x: TensorLike, baseline: TensorLike | None = None, target: Any = None,
                   n_samples: int | None = None, rng: RNGLike = None, *,
                   return_error: Literal[True]) -> tuple[Array, Array]: ...
def shapley_values(f: Scores, x: TensorLike, baseline: TensorLike | None = None, target: Any = None,
                   n_samples: int | None = None, rng: RNGLike = None, return_error: bool = False) -> Any:
    """The Shapley value of each entry of x. Shape and type of x.

        φ_i = Σ over S ⊆ players without i of  |S|! (D − 1 − |S|)! / D! · (v(S ∪ {i}) − v(S))
        v(S) = f_c(x with the entries outside S at the baseline),   Σ_i φ_i = f_c(x) − f_c(baseline)

    f               maps a Tensor (N, …) to scores, (N,) or (N, classes); it may also return an array
    x               array or Tensor (N, …) of floating-point numbers; the players are the D entries of x[n]
    baseline        None (zeros), a number, an array like x, or one like x[0]
    target          None for scores (N,); a class, or classes (N,), for scores (N, classes)
    n_samples       None: exact, from 2^D scores, with at most 16 players; else the number of random orders
    rng             generator or seed of the orders; None: the framework's generator
    return_error    also return the standard error of each value, like x: 0 if exact, NaN for one random order

    The sum is exact in both forms. Raises ValueError for too many players without n_samples.

    Source: Shapley (1953); sampled: Štrumbelj and Kononenko (2010); book (17.7).
    """
    owner = "shapley_values"
    x = checked_input(owner, x)
    start = checked_baseline(owner, baseline, x)
    D = math.prod(x.shape[1:])

    def values(present: Array) -> Array:
        """v (M, N) of M coalitions (M, D): True at the players that are present."""
        return np.stack([score_values(owner, f, np.where(row.reshape(x.shape[1:]), x, start), target)
                         for row in present])

    if n_samples is None:
        if D > MOST:
            raise ValueError(f"{owner}: x has {D} entries in each example, expected at most {MOST} for exact values: "
                             f"2^{D} scores; pass n_samples, the number of random orders")
        found, error = exact(values, D), np.zeros((D, len(x)))
    else:
        found, error = sampled(values, D, check_integer(owner, "n_samples", n_samples, at_least=1), generator(rng))
    found, error = (part.T.reshape(x.shape).astype(x.dtype) for part in (found, error))
    return (found, error) if return_error else found


def exact(values: Callable[[Array], Array], D: int) -> Array:
    """The Shapley values (D, N) of D players from ``values``, which maps coalitions (M, D) of booleans to v (M, N)."""
    codes = np.arange(2 ** D)
    present = codes[:, None] >> np.arange(D) & 1 == 1       # (2^D, D): coalition m has player i if bit i of m is set
    v, sizes = values(present), present.sum(axis=1)
    weights = np.array([1 / (D * math.comb(D - 1, size)) for size in range(D)])
    found = np.zeros((D, v.shape[1]))
    for i in range(D):
        without = codes[~present[:, i]]
        found[i] = weights[sizes[without]] @ (v[without | 1 << i] - v[without])
    return found


def sampled(values: Callable[[Array], Array], D: int, n_samples: int, rng: np.random.Generator
            ) -> tuple[Array, Array]:
    """(estimates (D, N), their standard errors (D, N)) of D players from random orders; ``values`` as in ``exact``."""
    ends = values(np.array([[False] * D, [True] * D]))      # v of the empty and of the full coalition
    gains = np.zeros((n_samples, D, ends.shape[1]))
    for gain in gains:
        order = rng.permutation(D)
        rank = np.argsort(order)
        joined = rank[None, :] <= np.arange(D - 1)[:, None]                     # (D − 1, D): after 1, 2, … joined
        gain[order] = np.diff(np.concatenate([ends[:1], values(joined) if D > 1 else ends[:0], ends[1:]]), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):    # one order has no spread
        spread = np.sqrt(((gains - gains.mean(axis=0)) ** 2).sum(axis=0) / (n_samples - 1) / n_samples)
    return gains.mean(axis=0), spread
