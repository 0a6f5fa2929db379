"""Linear models: a straight line to a number, and the softmax of straight lines to a class.

Their losses are convex, so there is one best answer, and every honest way down must reach the same one: an equation solved, the
gradient followed over all examples, or over a few at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import nn, ops
from ..nn import init
from ..optim import SGD
from ..rng import generator
from .pretrained import Pretrained


@dataclass(frozen=True)
class LinearConfig:
    """x has n_features numbers, y n_outputs."""

    n_features: int
    n_outputs: int = 1

    def __post_init__(self):
        _check_sizes(self, "n_features", "n_outputs")


@dataclass(frozen=True)
class LogisticConfig:
    """x has n_features numbers and one of n_classes. ``l1`` and ``l2`` weigh the penalties on W; the bias bears none."""

    n_features: int
    n_classes: int
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self):
        _check_sizes(self, "n_features", "n_classes")
        for name in ("l1", "l2"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"LogisticConfig: {name} is {getattr(self, name)!r}, expected a finite number of at least 0")


def _check_sizes(config, *names):
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{type(config).__name__}: {name} is {value!r}, expected a whole number of at least 1")


class LinearRegression(Pretrained):
    """ŷ = x Wᵀ + b.   x (N, n_features), ŷ (N, n_outputs)

        L = ½ Σₙ ‖yₙ − ŷₙ‖²        ∂L/∂W = −Σₙ (yₙ − ŷₙ) xₙᵀ        ∂L/∂b = −Σₙ (yₙ − ŷₙ)

    The minus comes from ŷ standing behind a minus in L; without it the step W − η ∂L/∂W climbs.
    """

    architecture, Config = "linear", LinearConfig

    def __init__(self, config, dtype=np.float64):
        self.config = config
        self.linear = nn.Linear(config.n_features, config.n_outputs, dtype=dtype)
        init.zeros_(self.linear.weight)
        init.zeros_(self.linear.bias)

    def forward(self, x):
        return self.linear(x)

    def loss(self, x, y):
        """½ Σ (y − ŷ)², over all examples and outputs."""
        return ops.mse_loss(self(x), y, reduction="sum") * 0.5

    def solve(self, x, y, l2=0.0):
        """Set the weights that make ½ Σ (y − ŷ)² + ½ l2 ‖W‖² least: where its gradient is zero.

            (X̃ᵀX̃ + l2 I) Wᵀ = X̃ᵀỸ,    b = ȳ − W x̄,    X̃ and Ỹ being X and Y without their means

        Solved as least squares rather than by that equation, whose matrix has the square of X's condition; where more than one
        W is best, the shortest is taken.
        """
        x, y = self._checked(x, y)
        if l2 < 0:
            raise ValueError(f"linear regression: l2 is {l2}, expected at least 0")
        mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
        n = self.config.n_features
        rows = np.concatenate([x - mean_x, np.sqrt(l2) * np.eye(n)])
        wanted = np.concatenate([y - mean_y, np.zeros((n, y.shape[1]))])
        W = np.linalg.lstsq(rows, wanted, rcond=None)[0].T
        self.linear.weight.data[...] = W
        self.linear.bias.data[...] = mean_y - W @ mean_x
        return self

    def descend(self, x, y, lr, steps, batch_size=None, rng=None):
        """Follow the gradient ``steps`` times: of all examples, or of ``batch_size`` drawn anew each time (SGD).

        ``lr`` is for the gradient's mean over the examples. With SGD it falls along a line to 0: a constant rate would wander
        about the answer for ever. Returns L/N on the examples used, before each step.
        """
        x, y = self._checked(x, y)
        if batch_size is not None and not 1 <= batch_size <= len(x):
            raise ValueError(f"linear regression: batch_size is {batch_size}, expected 1…{len(x)}")
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
        x, y = np.asarray(x, dtype), np.asarray(y, dtype)
        y = y[:, None] if y.ndim == 1 else y
        if x.ndim != 2 or x.shape[1] != self.config.n_features or y.shape != (len(x), self.config.n_outputs) or not len(x):
            raise ValueError(f"linear regression: x has shape {x.shape} and y {y.shape}, expected (N, {self.config.n_features}) "
                             f"and (N, {self.config.n_outputs}) with N ≥ 1")
        return x, y


class LogisticRegression(Pretrained):
    """p = softmax(x Wᵀ + b).   x (N, n_features), p (N, n_classes)

        L = −(1/N) Σₙ ln pₙ,ᵧ₍ₙ₎ + l1 Σ |W| + ½ l2 Σ W²
        ∂L/∂W = (1/N) (P − onehot(y))ᵀ X + l1 sign W + l2 W        ∂L/∂b = (1/N) Σₙ (pₙ − onehot(yₙ))
    """

    architecture, Config = "logistic", LogisticConfig

    def __init__(self, config, dtype=np.float64):
        self.config = config
        self.linear = nn.Linear(config.n_features, config.n_classes, dtype=dtype)
        init.zeros_(self.linear.weight)
        init.zeros_(self.linear.bias)

    def forward(self, x):
        return self.linear(x)

    def loss(self, x, y):
        """The mean cross-entropy in nats of the classes ``y``, integers (N,), and the penalties."""
        W, loss = self.linear.weight, ops.cross_entropy(self(x), y)
        if self.config.l1:
            loss = loss + self.config.l1 * ops.sum(ops.abs(W))
        return loss + 0.5 * self.config.l2 * ops.sum(W * W) if self.config.l2 else loss

    def predict(self, x):
        """The likeliest class of each row of x: (N,)."""
        return self(x).data.argmax(axis=1)

    def fit(self, x, y, steps=1000, tolerance=1e-6):
        """Descend to the best weights with Nesterov's momentum, and W towards 0 by l1 after each step (FISTA).

            V ← W + (k − 1)/(k + 2) (W − W_before)
            W ← shrink(V − ∂L/∂V / S, l1 / S),    shrink(w, a) = sign(w) max(|w| − a, 0)

        S = ½ λmax(X̃ᵀX̃)/N + l2 bounds the curvature (X̃: X without its mean, with a column of ones; the bias makes up for the
        mean), so 1/S is a rate that needs no choosing. An overshoot, seen where the last step points up, drops the momentum.
        Stops when no weight moves by more than ``tolerance``. Returns how many steps it took.
        Source: Beck and Teboulle (2009); O'Donoghue and Candès (2015) for the restart.
        """
        X, T = self._checked(x, y)
        mean = X[:, :-1].mean(axis=0)
        X[:, :-1] -= mean
        S = 0.5 * _largest_eigenvalue(X) / len(X) + self.config.l2
        shrink = np.full(X.shape[1], self.config.l1 / S)
        shrink[-1] = 0                                                          # the bias stays whole
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

    def newton(self, x, y, steps=50, tolerance=1e-10):
        """Newton's method: solve H ΔW = −∂L/∂W, a few steps to many digits. For small models without l1.

            H[(k, i), (l, j)] = (1/N) Σₙ pₙₖ (δₖₗ − pₙₗ) xₙᵢ xₙⱼ + l2 δₖₗ δᵢⱼ

        Adding one number to all biases changes no p, so H has no inverse; least squares takes the shortest step. Steps are
        halved until the loss falls. Returns how many it took.   Source: iteratively reweighted least squares, Rubin (1983).
        """
        if self.config.l1:
            raise ValueError("logistic regression: newton needs a smooth loss, but l1 is not 0; use fit")
        X, T = self._checked(x, y)
        N, (K, I) = len(X), (T.shape[1], X.shape[1])
        if K * I > 2000:
            raise ValueError(f"logistic regression: newton solves for {K * I} weights at once, expected at most 2000; use fit")
        W, penalty = self._joined(), self._penalty(K, I)
        loss = self._loss(X, T, W)
        for step in range(1, steps + 1):
            gradient, p = self._gradient(X, T, W)
            H = np.einsum("nk,nkl,ni,nj->kilj", p, np.eye(K) - p[:, None], X, X, optimize=True).reshape(K * I, K * I) / N
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
        return np.concatenate([self.linear.weight.data, self.linear.bias.data[:, None]], axis=1)

    def _split(self, W):
        self.linear.weight.data[...], self.linear.bias.data[...] = W[:, :-1], W[:, -1]

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
        x, y, K = np.asarray(x, self.linear.weight.dtype), np.asarray(y), self.config.n_classes
        if x.ndim != 2 or x.shape[1] != self.config.n_features or y.shape != (len(x),) or not len(x):
            raise ValueError(f"logistic regression: x has shape {x.shape} and y {y.shape}, expected "
                             f"(N, {self.config.n_features}) and (N,) with N ≥ 1")
        if y.dtype.kind not in "iu":
            raise TypeError(f"logistic regression: y is {y.dtype}, expected integers")
        if not (0 <= y.min() and y.max() < K):
            raise ValueError(f"logistic regression: a class is {y[(y < 0) | (y >= K)][0]}, expected 0…{K - 1}")
        return np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1), np.eye(K, dtype=x.dtype)[y]


def _largest_eigenvalue(X, rounds=100):
    """λmax(XᵀX), from above by 1 %, by the power method."""
    v = np.ones(X.shape[1], X.dtype)
    for _ in range(rounds):
        v = X.T @ (X @ v)
        size = np.linalg.norm(v)
        if not size:
            return 1.0                                      # X is zero: any rate will do
        v /= size
    return 1.01 * size
