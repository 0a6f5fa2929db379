"""DP-SGD for any optimizer: clip the gradient of each example, sum, add noise, divide by the expected batch size."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..number_checks import check_number
from ..optim import Optimizer
from ..rng import generator
from .per_example import PerExample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..autograd import Tensor
    from ..typing import RNGLike

__all__ = ["DPOptimizer", "clipped_sum"]


def clipped_sum(gradients: Sequence[NDArray[Any]] | PerExample, max_grad_norm: float) -> list[NDArray[Any]]:
    """Σₙ gₙ min(1, C/‖gₙ‖) of each parameter, where ‖gₙ‖ is over all parameters together.   Book (18.5).

    gradients       arrays (B, *shape), one for each parameter, or the factors of ``gradient_factors``

    FloatingPointError if the gradient of an example is not finite: clipping would not bound it.
    """
    if isinstance(gradients, PerExample):
        norms, weighted_sum = gradients.norms(), gradients.weighted_sum
    else:
        flat = [g.reshape(len(g), math.prod(g.shape[1:])).astype(np.float64) for g in gradients]
        norms = np.sqrt(sum(np.einsum("bi,bi->b", g, g) for g in flat))

        def weighted_sum(s):
            return [np.tensordot(s, f, 1).reshape(g.shape[1:]).astype(np.result_type(g, np.float32))
                    for f, g in zip(flat, gradients)]
    if not np.isfinite(norms).all():
        raise FloatingPointError(f"clipped_sum: the gradient of example {np.argmin(np.isfinite(norms))} of the batch "
                                 f"is not finite; try a lower learning rate")
    return weighted_sum(max_grad_norm / np.maximum(norms, max_grad_norm))


class DPOptimizer:
    """An optimizer that sees each example only through noise: differentially private training.

        p.grad = (Σₙ gₙ min(1, C/‖gₙ‖) + σ C N(0, I)) / B        then a step of ``optimizer``

    optimizer               any optimizer of ``optim``
    noise_multiplier        σ, the standard deviation of the noise in units of C; 0 adds none
    max_grad_norm           C, the bound on the norm of one example's gradient over all parameters
    expected_batch_size     B, the sampling rate times the number of examples. The size of the batch that was drawn is
                            not used: dividing by it would let one example change the weight of the others.
    rng                     a ``numpy.random.Generator`` or an integer, for the noise; None: the one of
                            ``tinyformer.seed``. It must not be predictable by those from whom the data are private.

    ``epsilon`` says what a number of steps costs, provided that the batches are Poisson samples. Noise of
    floating-point numbers leaks a little through their last bits (Mironov 2012); this is not corrected.

    ValueError for a noise_multiplier below 0 or not finite, and for a norm or batch size that is not above 0.
    Source: Abadi et al. (2016); book (18.7).

    >>> private = DPOptimizer(optim.SGD(model.parameters(), lr=0.5), noise_multiplier=1.0, max_grad_norm=1.0,
    ...                       expected_batch_size=64, rng=0)
    >>> private.step(gradient_factors(model, x, y))
    """

    def __init__(self, optimizer: Optimizer, *, noise_multiplier: float, max_grad_norm: float,
                 expected_batch_size: float, rng: RNGLike = None) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"DPOptimizer: optimizer is a {type(optimizer).__name__}, expected one such as "
                            f"optim.SGD(model.parameters(), lr=0.5)")
        self.optimizer = optimizer
        self.noise_multiplier = check_number(self, "noise_multiplier", noise_multiplier, at_least=0)
        self.max_grad_norm = check_number(self, "max_grad_norm", max_grad_norm, above=0)
        self.expected_batch_size = check_number(self, "expected_batch_size", expected_batch_size, above=0)
        self.rng = generator(rng)

    @property
    def parameters(self) -> list[Tensor]:
        """The parameters in the optimizer's order, which is the order of the gradients that ``step`` takes."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of the optimizer: a schedule writes "lr" here."""
        return self.optimizer.param_groups

    def step(self, gradients: Sequence[NDArray[Any]] | PerExample) -> None:
        """One step from the gradients of the examples of a batch, which may be empty: then the noise alone.

        gradients       arrays (B, *shape) from ``per_example_gradients``, or the factors of ``gradient_factors``,
                        for the ``parameters`` in their order

        Parameters that do not require a gradient stay as they are. ValueError for gradients that do not fit.
        """
        parameters = self.parameters
        if not isinstance(gradients, PerExample):
            gradients = [np.asarray(g) for g in gradients]
            came, expected = [g.shape[1:] for g in gradients], [p.shape for p in parameters]
            if came != expected or len({len(g) for g in gradients}) > 1:
                raise ValueError(f"DPOptimizer: the gradients have shapes {[g.shape for g in gradients]}, expected "
                                 f"(B, *shape) for the parameters {expected}")
        scale = self.noise_multiplier * self.max_grad_norm
        for p, total in zip(parameters, clipped_sum(gradients, self.max_grad_norm)):
            noise = self.rng.standard_normal(p.shape, dtype=p.dtype)            # drawn even if it is not used
            grad = (total + scale * noise) / self.expected_batch_size
            p.grad = grad.astype(p.dtype, copy=False) if p.requires_grad else None
        self.optimizer.step()

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None."""
        self.optimizer.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's state, and "rng", the state of the noise's generator, fit for JSON."""
        noise = json.loads(json.dumps(self.rng.bit_generator.state, default=np.ndarray.tolist))
        return {**self.optimizer.state_dict(), "rng": noise}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from ``state``: the next noise is the one that would have followed.

        ValueError, before anything changes, if it does not fit.
        """
        state = dict(state)
        if "rng" not in state:
            raise ValueError("load_state_dict: this state has no rng, so it is not one of DPOptimizer")
        noise = state.pop("rng")
        fresh = type(self.rng.bit_generator)()
        try:
            fresh.state = json.loads(noise) if isinstance(noise, str) else noise
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"load_state_dict: rng is no state of {type(fresh).__name__} ({error})") from None
        self.optimizer.load_state_dict(state)
        self.rng.bit_generator.state = fresh.state

    def __repr__(self) -> str:
        return (f"DPOptimizer({self.optimizer!r}, noise_multiplier={self.noise_multiplier}, "
                f"max_grad_norm={self.max_grad_norm}, expected_batch_size={self.expected_batch_size})")
