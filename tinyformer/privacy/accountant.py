"""How much privacy a training costs: ε for a given δ, from the noise, the sampling rate and the number of steps.

The mechanism is DP-SGD's: each example is in a batch with probability q, independently (Poisson sampling). The sum of
the clipped gradients gets noise σC, where C bounds the norm of what one example adds. Two data sets are neighbors if
one of them has one example more.

Its Rényi divergence of order α is that of a mixture of two Gaussians from one of them, with ν = N(0, σ²):

    R_α = ln A_α / (α − 1)        A_α = E_{z∼ν} [(1 − q + q e^{(2z − 1)/(2σ²)})^α]
        = Σₖ C(α, k) (1 − q)^{α−k} q^k e^{(k² − k)/(2σ²)}        for an integer α

Divergences of successive steps add up, and the sum R over all steps gives, for every α,

    ε = R + ln(1 − 1/α) − ln(α δ) / (α − 1)

The smallest of these bounds is the result. Source: Mironov, Talwar and Zhang (2019); the last formula is Proposition 12
of Canonne, Kamath and Steinke (2020); book (18.9) to (18.11).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_fraction, check_integer, check_number
from ..option_checks import check_choice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    History = Sequence[tuple[float, float, int]]            # (noise multiplier, sampling rate, steps) of each part

__all__ = ["ACCOUNTANTS", "epsilon", "epsilon_of_history", "gaussian_epsilon", "noise_multiplier_for",
           "renyi_divergence"]

ORDERS = np.concatenate([np.arange(11, 110) / 10, np.arange(11, 64), [128, 256, 512, 1024]])       # dp-accounting's
ACCOUNTANTS = ("rdp", "pld")        # what computes ε: Rényi divergences, or privacy loss distributions
SMALLEST_NOISE, LARGEST_NOISE = 0.05, 1e6


def epsilon(noise_multiplier: float, sample_rate: float, steps: int, delta: float, accountant: str = "rdp") -> float:
    """The ε of ``steps`` steps of DP-SGD for the given δ: the smallest bound that the accountant finds.

    noise_multiplier    σ, the standard deviation of the noise in units of the clipping norm C
    sample_rate         q, the probability with which an example is in a batch
    accountant          "rdp": Rényi divergences, computed here. "pld": privacy loss distributions, a smaller bound,
                        computed by Google's dp-accounting (``pip install "tinyformer[privacy]"``).

    Without steps ε is 0; without noise it is infinite. ValueError for a number out of its range.

    >>> round(epsilon(1.5, 0.1, 300, 1e-5), 2)
    6.87
    """
    noise_multiplier = check_number("epsilon", "noise_multiplier", noise_multiplier, at_least=0)
    sample_rate = check_fraction("epsilon", "sample_rate", sample_rate)
    steps = check_integer("epsilon", "steps", steps, at_least=0)
    return epsilon_of_history([(noise_multiplier, sample_rate, steps)], delta, accountant)


def epsilon_of_history(history: History, delta: float, accountant: str = "rdp") -> float:
    """The ε of a training whose parts differ: (noise multiplier, sampling rate, steps) of each; see ``epsilon``."""
    delta = check_number("epsilon", "delta", delta, above=0, below=1)
    check_choice("epsilon", "accountant", accountant, ACCOUNTANTS)
    history = [part for part in history if part[1] and part[2]]
    if not history:
        return 0.0
    if any(noise == 0 for noise, _, _ in history):
        return math.inf
    if accountant == "pld":
        return _loss_distribution_epsilon(history, delta)
    R = sum(steps * renyi_divergence(noise, rate) for noise, rate, steps in history)
    bounds = R + np.log1p(-1 / ORDERS) - np.log(ORDERS * delta) / (ORDERS - 1)
    bounds[delta ** 2 + np.expm1(-R) > 0] = 0               # total variation ≤ √(1 − e^{−R}), so δ alone suffices
    return max(0.0, float(np.nanmin(bounds)))


def gaussian_epsilon(noise_multiplier: float, steps: int, delta: float) -> float:
    """The closed form without sampling (q = 1): the minimum over α of T α/(2σ²) + ln(1/δ)/(α − 1).

        ε = T/(2σ²) + √(2 T ln(1/δ)) / σ

    A little above ``epsilon``, which converts R to ε more tightly.   Source: Mironov (2017); book (18.8).
    """
    sigma = check_number("gaussian_epsilon", "noise_multiplier", noise_multiplier, above=0)
    T = check_integer("gaussian_epsilon", "steps", steps, at_least=0)
    delta = check_number("gaussian_epsilon", "delta", delta, above=0, below=1)
    if sigma ** 2 == 0:                                     # of 1e-200
        return math.inf if T else 0.0
    return T / (2 * sigma ** 2) + math.sqrt(2 * T * math.log(1 / delta)) / sigma


def renyi_divergence(noise_multiplier: float, sample_rate: float) -> NDArray[np.float64]:
    """R_α of one step for each order α of ``ORDERS``, in nats."""
    sigma, q = noise_multiplier, sample_rate
    if sigma ** 2 == 0:                                     # of 1e-200: no privacy, as without noise
        return np.full(len(ORDERS), math.inf)
    if q == 1:
        return ORDERS / (2 * sigma ** 2)
    with np.errstate(over="ignore", invalid="ignore"):
        log_A = [_series(sigma, q, int(alpha)) if alpha == int(alpha) else _between(sigma, q, float(alpha))
                 for alpha in ORDERS]
    return np.maximum(log_A, 0) / (ORDERS - 1)


def _series(sigma: float, q: float, alpha: int) -> float:
    """ln A_α for an integer α: the binomial formula."""
    k = np.arange(alpha + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, alpha + 1)))])
    log_choose = log_factorial[-1] - log_factorial - log_factorial[::-1]
    return _log_sum(log_choose + (alpha - k) * math.log1p(-q) + k * math.log(q) + (k * k - k) / (2 * sigma ** 2))


def _between(sigma: float, q: float, alpha: float) -> float:
    """ln A_α for an α between two integers.

    Where the noise is so small that the integrand needs a very fine grid, a bound: ln A_α is convex in α.
    """
    if sigma > SMALLEST_NOISE:
        return _integral(sigma, q, alpha)
    low, share = int(alpha), alpha - int(alpha)
    return (1 - share) * _series(sigma, q, low) + share * _series(sigma, q, low + 1)


def _integral(sigma: float, q: float, alpha: float) -> float:
    """ln A_α for any α, by the trapezoidal rule, whose error falls exponentially for such a function.

    The integrand is a sum of bumps of width σ around 0…α, and analytic in a strip of half-width π σ² around the axis.
    """
    step = min(sigma / 8, sigma ** 2 / 2)
    z = np.arange(-14 * sigma, alpha + 14 * sigma, step)
    log_ratio = np.logaddexp(math.log1p(-q), math.log(q) + (2 * z - 1) / (2 * sigma ** 2))
    log_density = -z * z / (2 * sigma ** 2) - math.log(sigma * math.sqrt(2 * math.pi))
    return _log_sum(alpha * log_ratio + log_density) + math.log(step)


def _log_sum(terms: NDArray[Any]) -> float:
    top = terms.max()
    return float(top + np.log(np.exp(terms - top).sum())) if np.isfinite(top) else math.inf


def _loss_distribution_epsilon(history: History, delta: float) -> float:
    """ε by the privacy loss distributions of dp-accounting."""
    try:
        from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent       # type: ignore
        from dp_accounting.pld import PLDAccountant                             # type: ignore
    except ImportError:
        raise ModuleNotFoundError('epsilon: accountant "pld" needs dp-accounting; `pip install "tinyformer[privacy]"` '
                                  'installs it, and accountant "rdp" works without it') from None
    accountant = PLDAccountant()
    for noise, rate, steps in history:
        accountant.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)), steps)
    return float(accountant.get_epsilon(delta))


def noise_multiplier_for(target_epsilon: float, sample_rate: float, steps: int, delta: float,
                         accountant: str = "rdp") -> float:
    """The smallest noise multiplier, up to 1 in 10,000, whose ``epsilon`` is at most ``target_epsilon``.

    ValueError for a target that is not above 0 or that no noise reaches.
    """
    target = check_number("noise_multiplier_for", "target_epsilon", target_epsilon, above=0)

    def cost(noise: float) -> float:
        return epsilon(noise, sample_rate, steps, delta, accountant)

    if cost(0.0) == 0:
        return 0.0                                          # no example is ever drawn
    low, high = 0.0, 1.0
    while cost(high) > target:
        low, high = high, 2 * high
        if high > LARGEST_NOISE:
            raise ValueError(f"noise_multiplier_for: no noise up to {LARGEST_NOISE:g} gives ε ≤ {target:g} for δ = "
                             f"{delta:g}, sampling rate {sample_rate:g} and {steps} steps; expected a larger ε")
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if cost(middle) > target else (low, middle)
    return high
