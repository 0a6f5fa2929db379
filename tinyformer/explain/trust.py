"""How far to trust an attribution: deletion and insertion curves, random weights, exchanged attention weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import no_grad
from ..rng import generator
from ..writes import write
from .scores import checked_baseline, checked_input, score_values

if TYPE_CHECKING:
    from ..nn import Module
    from ..typing import Array, RNGLike, TensorLike
    from .scores import Scores

FRACTIONS = np.linspace(0, 1, 11)                           # of the entries that are removed, or are there


def deletion_curve(f: Scores, x: TensorLike, attributions: Array, target: Any = None,
                   baseline: TensorLike | None = None) -> Array:
    """The scores (11, N) after 0, 10, … 100 % of the entries are removed, those with the largest attributions first.

    f, x, target    as in ``saliency``; f may also return an array
    attributions    of the shape of x, or of its first axes: (N, T) removes whole time steps of x (N, T, C)
    baseline        what a removed entry becomes: None (0), a number, an array like x, or one like x[0]

    A good attribution makes the score fall early: compare ``curve_area`` with that of a random order.
    Source: Samek et al. (2017), "Evaluating the visualization of what a deep neural network has learned"; Petsiuk, Das
    and Saenko (2018), "RISE"; book (17.10).
    """
    return _curves("deletion_curve", f, x, attributions, target, baseline)[0]


def insertion_curve(f: Scores, x: TensorLike, attributions: Array, target: Any = None,
                    baseline: TensorLike | None = None) -> Array:
    """The scores (11, N) with 0, 10, … 100 % of the entries there and the others at the baseline.

    Those with the largest attributions come first. The arguments are ``deletion_curve``'s. A good attribution makes the
    score rise early.
    """
    return _curves("insertion_curve", f, x, attributions, target, baseline)[1]


def curve_area(curve: Array) -> Array:
    """The area under a curve along its first axis, (11, …) → (…), by the trapezoid rule on [0, 1]."""
    return (curve[1:] + curve[:-1]).mean(axis=0) / 2


def removal_curves(values: Callable[[Array], Array], attributions: Array, players: Array) -> tuple[Array, Array]:
    """(deletion, insertion), each (11, N): the scores of the N rows with the largest attributions gone, or alone there.

    values          maps (N, D), True at the entries that are there, to scores (N,)
    players         (N, D), True at the entries that can be removed, such as the tokens of a padded text
    """
    order = np.argsort(np.argsort(-np.where(players, attributions, -np.inf), axis=1, kind="stable"), axis=1)
    count = players.sum(axis=1, keepdims=True)
    top = [order < np.rint(fraction * count) for fraction in FRACTIONS]
    return (np.stack([values(~(chosen & players)) for chosen in top]),
            np.stack([values(chosen | ~players) for chosen in top]))


def _curves(owner: str, f: Scores, x: TensorLike, attributions: Array, target: Any, baseline: TensorLike | None
            ) -> tuple[Array, Array]:
    x, given = checked_input(owner, x), np.asarray(attributions)
    start = checked_baseline(owner, baseline, x)
    if given.ndim < 2 or given.shape != x.shape[:given.ndim] or not np.isfinite(given).all():
        raise ValueError(f"{owner}: attributions have shape {given.shape}, expected finite numbers of the shape "
                         f"{x.shape} of x, or of its first axes")
    rest = (1,) * (x.ndim - given.ndim)

    def values(present: Array) -> Array:
        return score_values(owner, f, np.where(present.reshape(*given.shape, *rest), x, start), target)

    flat = given.reshape(len(x), -1)
    return removal_curves(values, flat, np.ones(flat.shape, bool))


def with_random_weights(model: Module, rng: RNGLike = None) -> Module:
    """A copy of ``model`` whose parameters have their entries in random order: what it learned is gone.

    An explanation of what the model learned must change with it. Source: Adebayo et al. (2018), "Sanity checks for
    saliency maps".
    """
    rng, random = generator(rng), copy.deepcopy(model)
    with no_grad():
        for parameter in random.parameters():
            write(parameter.data[...], rng.permutation(parameter.data.ravel()).reshape(parameter.shape))
    return random


def rank_correlation(a: Array, b: Array) -> Array:
    """Spearman's rank correlation of each row of a and b, (N, …) → (N,): 1 for the same order, near 0 for none.

    Equal values share their mean rank; NaN for a row of equal values.
    """
    a, b = (_ranks(np.asarray(array).reshape(len(array), -1)) for array in (a, b))
    if a.shape != b.shape:
        raise ValueError(f"rank_correlation: got {a.shape} and {b.shape} values, expected two arrays of one shape")
    a, b = (array - array.mean(axis=1, keepdims=True) for array in (a, b))
    with np.errstate(invalid="ignore"):
        return (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))


def _ranks(rows: Array) -> Array:
    less, equal = (compare(rows[:, None, :], rows[:, :, None]).sum(axis=2) for compare in (np.less, np.equal))
    return less + (equal - 1) / 2


def alternative_attention(weights: Array, outputs: Array, rng: RNGLike = None, tries: int = 200) -> Array:
    """Other attention weights (T,) with the same output.

        w′ ≥ 0,   Σ w′ = 1,   outputsᵀ w′ = outputsᵀ w

    weights     (T,), of one query
    outputs     (T, K): what each key adds to the result at weight 1, such as the logits of its value
    tries       random directions to search; the result with the largest Σ |w′ − w| / 2 is returned

    Weights live in T − 1 dimensions and the result in K, so T > K + 1 leaves a choice. The attention that a model shows
    is then one of many that give the same answer. Source: Jain and Wallace (2019), "Attention is not explanation".
    """
    weights, outputs = np.asarray(weights, np.float64), np.asarray(outputs, np.float64)
    if weights.ndim != 1 or outputs.ndim != 2 or len(weights) != len(outputs) or not len(weights):
        raise ValueError(f"alternative_attention: weights have shape {weights.shape} and outputs {outputs.shape}, "
                         "expected (T,) and (T, K)")
    rng, fixed = generator(rng), np.column_stack([np.ones(len(weights)), outputs]).T           # (1 + K, T)
    best = weights
    for _ in range(tries):
        found = _corner(weights, fixed, rng)
        if np.abs(found - weights).sum() > np.abs(best - weights).sum():
            best = found
    return best


def _corner(weights: Array, fixed: Array, rng: np.random.Generator) -> Array:
    """A random corner of {w ≥ 0, fixed · w = fixed · weights}: steps that each end where another weight becomes 0."""
    found = weights.copy()
    while True:
        used = np.flatnonzero(found > 1e-12)
        _, sizes, rows = np.linalg.svd(fixed[:, used])
        free = rows[(sizes > 1e-9 * sizes.max()).sum():]                        # directions that change nothing
        if not len(free):
            return found
        step = rng.normal(size=len(free)) @ free            # its entries add up to 0, so that some are negative
        with np.errstate(divide="ignore"):
            lengths = np.where(step < 0, found[used] / -step, np.inf)
        found[used] = np.maximum(found[used] + step * lengths.min(), 0)
        found[used[lengths.argmin()]] = 0
