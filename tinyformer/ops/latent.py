"""Latent variables: normal distributions with diagonal covariance, their divergence, and samples with a gradient.

A distribution N(μ, diag e^λ) is given by its mean μ and its log variance λ = ln σ², which may be any real number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import expect_floating
from ..autograd import differentiable

if TYPE_CHECKING:
    from ..typing import TensorLike, ValueAndVjp


def _check_shapes(operation, **inputs):
    """ValueError unless all ``inputs`` that are given have the shape of the first, (…, D)."""
    (first, array), *others = inputs.items()
    if np.ndim(array) == 0:
        raise ValueError(f"{operation}: {first} is a single number, expected (…, D)")
    for name, other in others:
        if other is not None and np.shape(other) != np.shape(array):
            raise ValueError(f"{operation}: {name} has shape {np.shape(other)} and {first} {np.shape(array)}: "
                             f"expected one shape")
    expect_floating(operation, **inputs)


@differentiable
def gaussian_kl(mean: TensorLike, log_variance: TensorLike, other_mean: TensorLike | None = None,
                other_log_variance: TensorLike | None = None) -> ValueAndVjp:
    """K = KL(N(μ, e^λ) ‖ N(m, e^l)) = ½ Σ (e^{λ−l} + (μ − m)² e^{−l} − 1 − λ + l), in nats, summed over the last axis.

        dμ = dK (μ − m) e^{−l}      dλ = ½ dK (e^{λ−l} − 1)      dm = −dμ      dl = ½ dK (1 − e^{λ−l} − (μ − m)² e^{−l})

    Without m and l the second distribution is N(0, I): K = ½ Σ (e^λ + μ² − 1 − λ), dμ = dK μ, dλ = ½ dK (e^λ − 1).

    All inputs (…, D); K (…), one number for each distribution. ValueError for unequal shapes, or if only one of the
    second distribution's inputs is given.

    Source: Kingma and Welling (2014), appendix B; book (19.6).
    """
    if (other_mean is None) != (other_log_variance is None):
        raise ValueError("gaussian_kl: got one of other_mean and other_log_variance, expected both or neither")
    _check_shapes("gaussian_kl", mean=mean, log_variance=log_variance, other_mean=other_mean,
                  other_log_variance=other_log_variance)
    standard = other_mean is None
    difference = mean if standard else mean - other_mean
    log_ratio = log_variance if standard else log_variance - other_log_variance
    precision = 1 if standard else np.exp(-other_log_variance)
    square = difference * difference * precision
    ratio_less_one = np.expm1(log_ratio)                    # exact near λ = l, where the divergence is 0
    value = 0.5 * (ratio_less_one + square - log_ratio).sum(axis=-1)

    def vjp(dK):
        dK = np.expand_dims(dK, -1)
        dmean, dlog_variance = dK * (difference * precision), 0.5 * dK * ratio_less_one
        if standard:
            return dmean, dlog_variance, None, None
        return dmean, dlog_variance, -dmean, -dlog_variance - 0.5 * dK * square

    return value, vjp


@differentiable
def reparametrize(mean: TensorLike, log_variance: TensorLike, noise: TensorLike) -> ValueAndVjp:
    """z = μ + e^{λ/2} ⊙ ε: a sample of N(μ, e^λ), made from noise ε of N(0, I), so that μ and λ have gradients.

        dμ = dz      dλ = ½ dz ⊙ ε ⊙ e^{λ/2}      dε = dz ⊙ e^{λ/2}

    All (…, D), of one shape. The noise is an input and not drawn here: the backward pass needs the same ε.

    Source: Kingma and Welling (2014); book (19.7).
    """
    _check_shapes("reparametrize", mean=mean, log_variance=log_variance, noise=noise)
    deviation = np.exp(0.5 * log_variance)

    def vjp(dz):
        dnoise = dz * deviation
        return dz, 0.5 * dnoise * noise, dnoise

    return mean + deviation * noise, vjp
