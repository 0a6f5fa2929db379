"""Numeric gradients by central differences.

    ∂L/∂x ≈ (L(x + h) − L(x − h)) / 2h,        L = Σ c ⊙ f(x) with random c

The error of the formula grows as h², that of rounding as ε/h; together they are least near h = ε^⅓, 6e-6 in float64.
"""

from __future__ import annotations

import numpy as np


class Probe:
    """L as a function of one input, the others held still.

    at          x ↦ all outputs, flat
    c           the gradients of the outputs, flat
    eps         the resolution of f's values; h follows from it
    noise       the rounding error to expect in a derivative of L
    """

    def __init__(self, at, x, c, eps, rng):
        self.at, self.x, self.c, self.eps = at, x, c, eps
        self.step = eps ** (1 / 3)
        self.scales = np.maximum(1, np.where(np.isfinite(x), np.abs(x), 1))      # entry i moves by step · this
        self.middle = at(x)
        self.noise = self._noise(rng)

    def _noise(self, rng):
        """How far L scatters when x moves by no more than its last digit, as an error of a derivative.

        What scatters more than rounding can, for values and intermediate results within 1e6 of each other, is a jump.
        """
        scatter = 0.0
        for _ in range(3):
            nudged = self.x * (1 + self.eps * rng.choice([-1, 1], self.x.shape))
            scatter = max(scatter, abs(self._dot(self.at(nudged) - self.middle)))
        least = self.eps * np.linalg.norm(self.c * self.middle)
        most = 1e6 * (least + self.eps * np.linalg.norm(self.c))
        return 8 * np.clip(scatter, least, most) / (2 * self.step)

    def widen(self, factor):
        """Take longer steps: less rounding in the derivatives, more of the formula's own error."""
        self.step *= factor
        self.noise /= factor

    def _dot(self, change):
        return float(np.sum(self.c * change))

    def entry(self, i, factor=1.0):
        """∂L/∂xᵢ (flat index i) with the step times ``factor``: (central, low, high).

        low and high bound what the derivative can be if an output has a kink at x: each output's slope to the left and to
        the right, the smaller and the larger of the two summed. Without a kink they differ by about h f″.
        """
        h = self.step * factor * self.scales.flat[i]
        plus, minus = self.x.copy(), self.x.copy()
        plus.flat[i] += h
        minus.flat[i] -= h
        right, left = plus.flat[i] - self.x.flat[i], self.x.flat[i] - minus.flat[i]         # h, as it came out
        above, below = self.at(plus), self.at(minus)
        up, down = self.c * (above - self.middle) / right, self.c * (self.middle - below) / left
        return self._dot(above - below) / (right + left), np.minimum(up, down).sum(), np.maximum(up, down).sum()

    def mismatch(self, gradient, where, rng):
        """How far ⟨gradient, v⟩ is from dL along a random direction v, over the flat indices ``where``.

        |vᵢ| lies in [½, 3/2] so that no entry goes unseen. The differences at h and h/2 together cancel the h² term.
        """
        v = np.zeros(self.x.size)
        v[where] = rng.choice([-1, 1], len(where)) * rng.uniform(0.5, 1.5, len(where))
        v = v.reshape(self.x.shape) * self.scales
        off = []
        for h in (self.step, self.step / 2):
            plus, minus = self.x + h * v, self.x - h * v
            off.append((np.sum(gradient * (plus - minus)) - self._dot(self.at(plus) - self.at(minus))) / (2 * h))
        return abs(4 * off[1] - off[0]) / 3
