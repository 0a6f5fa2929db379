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


NARROW = float(np.finfo(np.float32).eps)


def computes_in_float32(at: Callable[[float], NDArray[Any]], size: float) -> bool:
    """Whether a function of float64 arrays computes in float32 inside.

    at      s ↦ its value, flat, where each input is multiplied by 1 ± s
    size    the largest input, or 1

    Either a step of 1e-10 changes nothing and one of 3e-6 does. Or the second difference does not shrink with the step:
    that of a smooth function shrinks as s², and at a kink as s. Larger differences are jumps.
    """
    middle = at(0.0)
    scale = np.max(np.abs(middle), initial=0, where=np.isfinite(middle))

    def change(s: float) -> float:
        return float(np.max(np.abs(at(s) - middle), initial=0, where=np.isfinite(middle)))

    def second(s: float) -> float:
        both = at(s) + at(-s) - 2 * middle
        return float(np.max(np.abs(both), initial=0, where=np.isfinite(both)))
    rounding = 1e3 * np.finfo(np.float64).eps * size        # of a value that is a difference of larger numbers
    visible = max(NARROW / 2 * scale, rounding)
    if change(1e-10) == 0 == change(-1e-10) and max(change(3e-6), change(-3e-6)) > visible:
        return True
    small, large = (max(map(second, (s, 1.7 * s, 2.9 * s))) for s in (1e-7, 1e-6))
    return max(1e-9 * scale, rounding) < small < 1e-4 * scale and large < 5 * small


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
        # The rounding error if the value is a difference of numbers as large as x, which need not show.
        inside = max(1.0, np.max(np.abs(x), initial=0, where=np.isfinite(x)))
        self.hidden = 8 * eps * np.linalg.norm(c * np.maximum(np.abs(self.middle), inside)) / (2 * self.step)
        if eps > 1e-9:                                      # float32 is too coarse to measure its rounding
            self.noise = max(self.noise, self.hidden)

    def _noise(self, rng: np.random.Generator) -> float:
        """The rounding error of a derivative, from how L varies over steps so small that only rounding remains.

        The first difference over the last digit of x, and the second difference over a step of 1e-9, which sees
        rounding of intermediate results that cancel in the value. The result is limited to what rounding can cause if
        values and intermediate results differ by a factor of at most 1e6. Anything larger is a jump of the function.
        """
        scatter = 0.0
        for step in (self.eps, self.eps, self.eps, 1e-9, 1e-9, 1e-9) if self.eps < 1e-9 else (self.eps,) * 3:
            nudge = step * rng.choice([-1, 1], self.x.shape) * (self.x if step == self.eps else self.scales)
            change = self.at(self.x + nudge) - self.middle
            if step != self.eps:
                change = change + self.at(self.x - nudge) - self.middle
            scatter = max(scatter, abs(self._dot(change)))
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

    def by_hand(self, i: int) -> tuple[float, float, float]:
        """(h, L at xᵢ + h, L at xᵢ − h), the numbers behind ∂L/∂xᵢ."""
        h, values = float(self.step * self.scales.flat[i]), []
        for change in (h, -h):
            x = self.x.copy()
            x.flat[i] += change
            values.append(float(np.sum(self.c * self.at(x))))
        return h, values[0], values[1]

    def wide(self, i: int) -> tuple[float, float]:
        """∂L/∂xᵢ by a difference of fourth order with a wide step, and its rounding error."""
        h, x = 1e4 * self.step, self.x.copy()
        around = []
        for k in (2, 1, -1, -2):
            x.flat[i] = self.x.flat[i] + k * h
            around.append(self.at(x))
        change = 8 * (around[1] - around[2]) - (around[0] - around[3])
        return self._dot(change) / (12 * h), self.hidden / 1e4

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
