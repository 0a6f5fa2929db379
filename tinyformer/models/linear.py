"""Linear regression: a linear function that predicts numbers.

The loss is convex, so every method reaches the same minimum: a closed form, gradient descent on all examples, or
stochastic gradient descent on a few at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import nn, ops
from ..arrays import plain_array
from ..nn import init
from ..number_checks import check_integer, check_number
from ..optim import SGD
from ..rng import generator
from ..writes import write
from .config_checks import check_integers
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike
    from typing_extensions import Self

    from ..autograd import Tensor
    from ..typing import RNGLike, TensorLike

__all__ = ["LinearConfig", "LinearRegression"]


@dataclass(frozen=True)
class LinearConfig:
    """x has n_features numbers, y has n_outputs."""

    n_features: int
    n_outputs: int = 1

    def __post_init__(self) -> None:
        check_integers(self, "n_features", "n_outputs")


@register
class LinearRegression(Pretrained):
    """ŷ = x Wᵀ + b.   x (N, n_features), ŷ (N, n_outputs)

        L = ½ Σₙ ‖yₙ − ŷₙ‖²        ∂L/∂W = −Σₙ (yₙ − ŷₙ) xₙᵀ        ∂L/∂b = −Σₙ (yₙ − ŷₙ)

    The minus comes from the inner derivative of y − ŷ. Without it, the step W − η ∂L/∂W increases the loss.
    """

    architecture, Config = "linear", LinearConfig
    config: LinearConfig

    def __init__(self, config: LinearConfig, dtype: DTypeLike = np.float64) -> None:
        self.config = config
        self.linear = nn.Linear(config.n_features, config.n_outputs, dtype=dtype)
        for parameter in self.linear.parameters():
            init.zeros_(parameter)

    def forward(self, x: TensorLike) -> Tensor:
        """ŷ (N, n_outputs)."""
        return self.linear(x)

    def loss(self, x: TensorLike, y: TensorLike) -> Tensor:
        """½ Σ (y − ŷ)² over all examples and outputs."""
        return ops.mse_loss(self(x), y, reduction="sum") * 0.5

    def solve(self, x: ArrayLike, y: ArrayLike, l2: float = 0.0) -> Self:
        """Set the weights to the minimum of ½ Σ (y − ŷ)² + ½ l2 ‖W‖², where the gradient is zero. Returns the model.

            (X̃ᵀX̃ + l2 I) Wᵀ = X̃ᵀỸ,    b = ȳ − W x̄,    X̃ and Ỹ are X and Y minus their means

        A least-squares solver finds it, because the matrix of this equation has the square of the condition number of
        X. If the minimum is not unique, the W of least norm is chosen.
        """
        x, y = self._checked(x, y)
        l2 = check_number(self, "l2", l2, at_least=0)
        mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
        n = self.config.n_features
        rows = np.concatenate([x - mean_x, np.sqrt(l2) * np.eye(n)])
        wanted = np.concatenate([y - mean_y, np.zeros((n, y.shape[1]))])
        W = np.linalg.lstsq(rows, wanted, rcond=None)[0].T
        weight, bias = self.linear.parameters()
        write(weight.data, W)
        write(bias.data, mean_y - W @ mean_x)
        return self

    def descend(self, x: ArrayLike, y: ArrayLike, lr: float, steps: int, batch_size: int | None = None,
                rng: RNGLike = None) -> list[float]:
        """Take ``steps`` steps of gradient descent.

        Each uses all examples, or ``batch_size`` examples drawn for this step (SGD).

        ``lr`` applies to the mean gradient over the examples. With SGD, lr falls linearly to 0, because a constant rate
        does not converge. Returns L/N on the examples used, before each step.
        """
        x, y = self._checked(x, y)
        lr = check_number(self, "lr", lr, at_least=0)
        steps = check_integer(self, "steps", steps, at_least=0)
        if batch_size is not None:
            batch_size = check_integer(self, "batch_size", batch_size, 1, len(x))
        rng, optimizer, history = generator(rng), SGD(self.parameters(), lr=lr), []
        for step in range(steps):
            chosen = slice(None)
            if batch_size is not None:
                chosen = rng.integers(0, len(x), batch_size)
                optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
            loss = self.loss(x[chosen], y[chosen]) * (1 / len(x[chosen]))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            history.append(loss.item())
        return history

    def _checked(self, x, y):
        dtype = self.linear.weight.dtype
        x, y = (plain_array("linear regression", values, dtype) for values in (x, y))
        y = y[:, None] if y.ndim == 1 else y
        n_features, n_outputs = self.config.n_features, self.config.n_outputs
        if x.ndim != 2 or x.shape[1] != n_features or y.shape != (len(x), n_outputs) or not len(x):
            raise ValueError(f"linear regression: x has shape {x.shape} and y {y.shape}, expected (N, {n_features}) "
                             f"and (N, {n_outputs}) with N ≥ 1")
        return x, y
