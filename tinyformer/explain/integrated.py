"""Integrated gradients: the gradient along the straight line from a baseline to the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_integer
from ..option_checks import check_choice
from .scores import checked_baseline, checked_input, score_gradient, score_values

if TYPE_CHECKING:
    from ..typing import Array, TensorLike
    from .scores import Scores


def integrated_gradients(f: Scores, x: TensorLike, baseline: TensorLike | None = None, target: Any = None,
                         n_steps: int = 50, method: str = "gausslegendre") -> tuple[Array, Array]:
    """(attributions, convergence_delta) of integrated gradients. f and target are ``saliency``'s.

        A = (x − x′) ⊙ ∫₀¹ ∂ f_c(x′ + α (x − x′)) / ∂ x dα
        convergence_delta = Σ A − (f_c(x) − f_c(x′))

    x                   array or Tensor (N, …) of floating-point numbers; attributions have its shape and type
    baseline            x′: None (zeros), a number, an array like x, or one like x[0]
    n_steps             number of gradients along the line
    method              where they are taken: "gausslegendre", "riemann_middle", or "riemann_trapezoid"
    convergence_delta   (N,), what the sum of each example misses. The exact integral gives 0 (completeness)

    Gauss–Legendre's rule is exact for polynomials of degree 2 n_steps − 1. The other two have errors of order
    1/n_steps² for smooth f. ReLU networks have kinks along the line, where every rule converges more slowly.
    Names and values are those of Captum's ``IntegratedGradients``, except for "riemann_trapezoid": Captum's weights add
    up to 1 − 1/n_steps, and these to 1.

    Source: Sundararajan, Taly and Yan (2017), "Axiomatic attribution for deep networks"; book (17.3), (17.4).
    """
    owner = "integrated_gradients"
    x = checked_input(owner, x)
    start = checked_baseline(owner, baseline, x)
    points, weights = nodes(owner, method, n_steps)
    mean = np.zeros(x.shape)
    for point, weight in zip(points, weights):
        mean += weight * score_gradient(owner, f, start + x.dtype.type(point) * (x - start), target)
    attributions = ((x - start) * mean).astype(x.dtype)
    moved = score_values(owner, f, x, target) - score_values(owner, f, start, target)
    gap = attributions.sum(axis=tuple(range(1, x.ndim)), dtype=np.float64) - moved
    return attributions, gap.astype(x.dtype)


def nodes(owner: str, method: str, n_steps: int) -> tuple[Array, Array]:
    """(points in [0, 1], weights that add up to 1) of a rule for ∫₀¹; ValueError for an unknown method."""
    check_choice(owner, "method", method, RULES)
    return RULES[method](check_integer(owner, "n_steps", n_steps, at_least=2 if method == "riemann_trapezoid" else 1))


def _gauss_legendre(n: int) -> tuple[Array, Array]:
    points, weights = np.polynomial.legendre.leggauss(n)    # on [−1, 1]
    return (points + 1) / 2, weights / 2


def _middle(n: int) -> tuple[Array, Array]:
    return (np.arange(n) + 0.5) / n, np.full(n, 1 / n)


def _trapezoid(n: int) -> tuple[Array, Array]:
    weights = np.full(n, 1 / (n - 1))
    weights[[0, -1]] /= 2
    return np.linspace(0, 1, n), weights


RULES = {"gausslegendre": _gauss_legendre, "riemann_middle": _middle, "riemann_trapezoid": _trapezoid}
