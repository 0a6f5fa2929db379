"""Logistic regression: the softmax of linear functions predicts a class.

The loss is convex, but the minimum has no closed form. Iterations find it, with the gradient alone or with the
curvature too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import nn, ops
from ..arrays import plain_array
from ..nn import init
from ..number_checks import check_integer, check_number
from ..writes import write
from .config_checks import check_at_least_zero, check_integers
from .pretrained import Pretrained
from .registry import register

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..autograd import Tensor
    from ..typing import Array, TensorLike

__all__ = ["LogisticConfig", "LogisticRegression"]


@dataclass(frozen=True)
class LogisticConfig:
    """x has n_features numbers and one of n_classes. ``l1`` and ``l2`` weight the penalties on W; the bias has none."""

    n_features: int
    n_classes: int
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        check_integers(self, "n_features", "n_classes")
        check_at_least_zero(self, "l1", "l2")


@register
class LogisticRegression(Pretrained):
    """p = softmax(x Wᵀ + b).   x (N, n_features), p (N, n_classes)

        L = −(1/N) Σₙ ln pₙ,ᵧ₍ₙ₎ + l1 Σ |W| + ½ l2 Σ W²
        ∂L/∂W = (1/N) (P − onehot(y))ᵀ X + l1 sign W + l2 W        ∂L/∂b = (1/N) Σₙ (pₙ − onehot(yₙ))
    """

    architecture, Config = "logistic", LogisticConfig
    config: LogisticConfig

    def __init__(self, config: LogisticConfig, dtype: DTypeLike = np.float64) -> None:
        self.config = config
        self.linear = nn.Linear(config.n_features, config.n_classes, dtype=dtype)
        for parameter in self.linear.parameters():
            init.zeros_(parameter)

    def forward(self, x: TensorLike) -> Tensor:
        """The logits (N, n_classes)."""
        return self.linear(x)

    def loss(self, x: TensorLike, y: TensorLike) -> Tensor:
        """The mean cross-entropy in nats of the classes ``y``, integers (N,), plus the penalties."""
        W, loss = self.linear.weight, ops.cross_entropy(self(x), y)
        if self.config.l1:
            loss = loss + self.config.l1 * ops.sum(ops.abs(W))
        return loss + 0.5 * self.config.l2 * ops.sum(W * W) if self.config.l2 else loss

    def predict(self, x: TensorLike) -> Array:
        """The most likely class of each row of x: (N,)."""
        return self(x).data.argmax(axis=1)

    def fit(self, x: TensorLike, y: TensorLike, steps: int = 1000, tolerance: float = 1e-6) -> int:
        """Minimize the loss by FISTA: gradient steps with Nesterov's momentum; after each, l1 shrinks W towards 0.

            V ← W + (k − 1)/(k + 2) (W − W_before)
            W ← shrink(V − ∂L/∂V / S, l1 / S),    shrink(w, a) = sign(w) max(|w| − a, 0)

        S = ½ λmax(X̃ᵀX̃)/N + l2 bounds the curvature, so the step size 1/S needs no tuning. X̃ is X minus its mean,
        with a column of ones; the bias compensates for the mean. A step that points uphill is an overshoot and resets
        the momentum. Stops when no weight changes by more than ``tolerance``. Returns the number of steps.
        Source: Beck and Teboulle (2009); O'Donoghue and Candès (2015) for the restart.
        """
        steps = check_integer(self, "steps", steps, at_least=1)
        tolerance = check_number(self, "tolerance", tolerance, at_least=0)
        X, T = self._checked(x, y)
        mean = X[:, :-1].mean(axis=0)
        X[:, :-1] -= mean
        S = 0.5 * _largest_eigenvalue(X) / len(X) + self.config.l2
        shrink = np.full(X.shape[1], self.config.l1 / S)
        shrink[-1] = 0                                                          # the bias is not shrunk
        W = self._joined()
        W[:, -1] += W[:, :-1] @ mean
        before, momentum = W, 0
        for step in range(1, steps + 1):
            momentum += 1
            V = W + (momentum - 1) / (momentum + 2) * (W - before)
            moved = V - self._gradient(X, T, V)[0] / S
            before, W = W, np.sign(moved) * np.maximum(np.abs(moved) - shrink, 0)
            if np.sum((V - W) * (W - before)) > 0:
                momentum = 0
            if np.abs(W - before).max() <= tolerance:
                break
        W[:, -1] -= W[:, :-1] @ mean
        self._split(W)
        return step

    def newton(self, x: TensorLike, y: TensorLike, steps: int = 50, tolerance: float = 1e-10) -> int:
        """Newton's method: solve H ΔW = −∂L/∂W. A few steps give many digits. For small models without l1.

            H[(k, i), (l, j)] = (1/N) Σₙ pₙₖ (δₖₗ − pₙₗ) xₙᵢ xₙⱼ + l2 δₖₗ δᵢⱼ

        Adding one number to all biases changes no p, so H is singular; least squares gives the shortest step. Steps are
        halved
        until the loss falls. Returns the number of steps.   Source: iteratively reweighted least squares, Rubin (1983).
        """
        if self.config.l1:
            raise ValueError("logistic regression: newton needs a smooth loss, but l1 is not 0; use fit")
        steps = check_integer(self, "steps", steps, at_least=1)
        tolerance = check_number(self, "tolerance", tolerance, at_least=0)
        X, T = self._checked(x, y)
        N, (K, I) = len(X), (T.shape[1], X.shape[1])
        if K * I > 2000:
            raise ValueError("logistic regression: "
                             f"newton solves for {K * I} weights at once, expected at most 2000; use fit")
        W, penalty = self._joined(), self._penalty(K, I)
        loss = self._loss(X, T, W)
        for step in range(1, steps + 1):
            gradient, p = self._gradient(X, T, W)
            H = np.einsum("nk,nkl,ni,nj->kilj", p, np.eye(K) - p[:, None], X, X, optimize=True) / N
            H = H.reshape(K * I, K * I)
            delta = -np.linalg.lstsq(H + np.diag(penalty.ravel()), gradient.ravel(), rcond=1e-12)[0].reshape(K, I)
            while (new := self._loss(X, T, W + delta)) > loss and np.abs(delta).max() > tolerance:
                delta = delta / 2
            W, loss = W + delta, new
            if np.abs(delta).max() <= tolerance:
                break
        self._split(W)
        return step

    def _joined(self):
        """(W, b) as one matrix (K, n_features + 1)."""
        weight, bias = self.linear.parameters()
        return np.concatenate([weight.data, bias.data[:, None]], axis=1)

    def _split(self, W):
        weight, bias = self.linear.parameters()
        write(weight.data, W[:, :-1])
        write(bias.data, W[:, -1])

    def _penalty(self, K, I):
        return np.concatenate([np.full((K, I - 1), self.config.l2), np.zeros((K, 1))], axis=1)

    def _gradient(self, X, T, W):
        """(∂L/∂W without l1, p)."""
        p = ops.softmax.raw(X @ W.T)[0]
        return (p - T).T @ X / len(X) + self._penalty(*W.shape) * W, p

    def _loss(self, X, T, W):
        return -np.sum(T * ops.log_softmax.raw(X @ W.T)[0]) / len(X) + 0.5 * np.sum(self._penalty(*W.shape) * W * W)

    def _checked(self, x, y):
        """(x with a column of ones, y as one-hot rows)."""
        x = plain_array("logistic regression", x, self.linear.weight.dtype)
        y, K = plain_array("logistic regression", y), self.config.n_classes
        if x.ndim != 2 or x.shape[1] != self.config.n_features or y.shape != (len(x),) or not len(x):
            raise ValueError(f"logistic regression: x has shape {x.shape} and y {y.shape}, expected "
                             f"(N, {self.config.n_features}) and (N,) with N ≥ 1")
        if y.dtype.kind not in "iu":
            raise TypeError(f"logistic regression: y is {y.dtype}, expected integers")
        if not (0 <= y.min() and y.max() < K):
            raise ValueError(f"logistic regression: a class is {y[(y < 0) | (y >= K)][0]}, expected 0…{K - 1}")
        if y.min() == y.max():
            raise ValueError("logistic regression: "
                             f"all {len(y)} examples are of the class {y[0]}, expected at least two classes")
        return np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1), np.eye(K, dtype=x.dtype)[y]


def _largest_eigenvalue(X, rounds=100):
    """λmax(XᵀX), from above by 1 %, by the power method."""
    v = np.ones(X.shape[1], X.dtype)
    for _ in range(rounds):
        v = X.T @ (X @ v)
        size = np.linalg.norm(v)
        if not size:
            return 1.0                                      # X is zero, so any step size works
        v /= size
    return 1.01 * size
