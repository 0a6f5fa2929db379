"""Attributions from one gradient, or from the mean of several: saliency, gradient × input, SmoothGrad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_integer, check_number
from ..rng import generator
from .scores import checked_input, score_gradient

if TYPE_CHECKING:
    from ..typing import Array, RNGLike, TensorLike
    from .scores import Scores


def saliency(f: Scores, x: TensorLike, target: Any = None, absolute: bool = True) -> Array:
    """|∂ score / ∂ x|: how much a small change of each entry changes the score. Shape and type of x.

        S = |∂ f_c(x) / ∂ x|,   c = target

    f           maps a Tensor (N, …) to scores, (N,) or (N, classes)
    x           array or Tensor (N, …) of floating-point numbers
    target      None for scores (N,); a class, or classes (N,), for scores (N, classes)
    absolute    False keeps the sign of the gradient

    Explain logits rather than probabilities: where a softmax saturates, its gradient vanishes. A model f runs in
    evaluation mode, while a function around a model leaves the mode to you: call ``model.eval()`` first. Modes,
    parameters and gradients stay as they are. Raises ValueError where shapes or classes do
    not fit, TypeError for integers. As Captum's ``Saliency``.

    Source: Simonyan, Vedaldi and Zisserman (2014), "Deep inside convolutional networks"; book (17.1).
    """
    gradient = score_gradient("saliency", f, checked_input("saliency", x), target)
    return np.abs(gradient) if absolute else gradient


def input_x_gradient(f: Scores, x: TensorLike, target: Any = None) -> Array:
    """x ⊙ ∂ score / ∂ x, the first term of a Taylor series. Shape and type of x; the arguments are ``saliency``'s.

        A = x ⊙ ∂ f_c(x) / ∂ x

    For f with f(a x) = a f(x) for a > 0, such as a ReLU network without biases, the sum over x[n] is the score (Euler).
    For other f it is not: see ``integrated_gradients``.

    Source: Shrikumar et al. (2016), "Not just a black box"; book (17.2).
    """
    x = checked_input("input_x_gradient", x)
    return x * score_gradient("input_x_gradient", f, x, target)


def smooth_grad(f: Scores, x: TensorLike, target: Any = None, n_samples: int = 50, stdev: float = 0.1,
                rng: RNGLike = None) -> Array:
    """The mean signed gradient at n_samples points around x. Shape and type of x; f and target are ``saliency``'s.

        A = mean over i of ∂ f_c(x + ε_i) / ∂ x,   ε_i ~ N(0, stdev² I)

    n_samples   number of noisy copies of x, at least 1
    stdev       standard deviation of the noise, in the units of x
    rng         generator or seed of the noise; None: the framework's generator

    Source: Smilkov et al. (2017), "SmoothGrad: removing noise by adding noise".
    """
    x = checked_input("smooth_grad", x)
    n_samples = check_integer("smooth_grad", "n_samples", n_samples, at_least=1)
    stdev = check_number("smooth_grad", "stdev", stdev, at_least=0)
    rng = generator(rng)
    total = np.zeros(x.shape)
    for _ in range(n_samples):
        noisy = x + rng.normal(0.0, stdev, x.shape).astype(x.dtype)
        total += score_gradient("smooth_grad", f, noisy, target)
    return (total / n_samples).astype(x.dtype)
