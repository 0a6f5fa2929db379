"""Numeric gradients by central differences.

    ∂L/∂x ≈ (L(x + h) − L(x − h)) / 2h,        L = Σ c ⊙ f(x) with random c

The truncation error grows as h² and the rounding error as ε/h. Their sum is smallest near h = ε^⅓, which is 6e-6 in
float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class Probe:
    """L as a function of one input, with the other inputs fixed.

    at          x ↦ all outputs, flat
    c           the gradients of the outputs, flat
    eps         the machine epsilon of f's values, which sets h
    noise       the expected rounding error of a derivative of L
    """

    def __init__(self, at: Callable[[NDArray[Any]], NDArray[Any]], x: NDArray[Any], c: NDArray[Any], eps: float,
                 rng: np.random.Generator) -> None:
        self.at, self.x, self.c, self.eps = at, x, c, eps
        self.step = eps ** (1 / 3)
        self.scales = np.maximum(1, np.where(np.isfinite(x), np.abs(x), 1))      # entry i changes by step · scales[i]
        self.middle = at(x)
        self.noise = self._noise(rng)

    def _noise(self, rng: np.random.Generator) -> float:
        """How much L varies when only the last digit of x changes, as the error of a derivative.

        The result is limited to what rounding can cause if values and intermediate results differ by a factor of at
        most 1e6. Anything larger is a jump of the function.
        """
        scatter = 0.0
        for _ in range(3):
            nudged = self.x * (1 + self.eps * rng.choice([-1, 1], self.x.shape))
            scatter = max(scatter, abs(self._dot(self.at(nudged) - self.middle)))
        least = self.eps * np.linalg.norm(self.c * self.middle)
        most = 1e6 * (least + self.eps * np.linalg.norm(self.c))
        return 8 * np.clip(scatter, least, most) / (2 * self.step)

    def widen(self, factor: float) -> None:
        """Multiply the step by ``factor``: less rounding error, more truncation error."""
        self.step *= factor
        self.noise /= factor

    def _dot(self, change: NDArray[Any]) -> float:
        return float(np.sum(self.c * change))

    def entry(self, i: int, factor: float = 1.0) -> tuple[float, float, float]:
        """∂L/∂xᵢ (flat index i) with the step times ``factor``: (central, low, high).

        low and high bound the derivative if an output has a kink at x: for each output, the smaller or the larger of
        the left and the right derivative, summed over the outputs. Without a kink they differ by about h f″.
        """
        h = self.step * factor * self.scales.flat[i]
        plus, minus = self.x.copy(), self.x.copy()
        plus.flat[i] += h
        minus.flat[i] -= h
        right, left = plus.flat[i] - self.x.flat[i], self.x.flat[i] - minus.flat[i]         # h after rounding
        above, below = self.at(plus), self.at(minus)
        up, down = self.c * (above - self.middle) / right, self.c * (self.middle - below) / left
        return self._dot(above - below) / (right + left), np.minimum(up, down).sum(), np.maximum(up, down).sum()

    def mismatch(self, gradient: NDArray[Any], where: NDArray[Any], rng: np.random.Generator) -> float:
        """|⟨gradient, v⟩ − the derivative of L along v| for a random direction v over the flat indices ``where``.

        |vᵢ| is between ½ and 3/2, so that every entry counts. Richardson extrapolation of the steps h and h/2 cancels
        the h² term.
        """
        v = np.zeros(self.x.size)
        v[where] = rng.choice([-1, 1], len(where)) * rng.uniform(0.5, 1.5, len(where))
        v = v.reshape(self.x.shape) * self.scales
        off = []
        for h in (self.step, self.step / 2):
            plus, minus = self.x + h * v, self.x - h * v
            off.append((np.sum(gradient * (plus - minus)) - self._dot(self.at(plus) - self.at(minus))) / (2 * h))
        return abs(4 * off[1] - off[0]) / 3
