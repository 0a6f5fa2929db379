"""Compare a gradient with the numeric one: which entries to measure, and what counts as agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .numeric import Probe

ALL = 2000                      # an input with at most this many entries is compared entry by entry
DIRECTIONS = 3                  # a larger input is first compared along this many random directions
STEPS = (10.0, 0.1, 0.01)       # further steps at an entry that disagrees, as multiples of the first step


class Comparison:
    """The gradient of one input, compared with what its ``Probe`` measures.

    An entry agrees if |analytic − numeric| ≤ rtol · (the largest entry of either) + rounding. An entry that disagrees
    is measured again: with a larger step, which suffers less from rounding, and with smaller ones, which cross a nearby
    kink less often and are more accurate where f is steep. If the left and the right derivative differ for every step,
    the entry is at a kink, and any value between them is right.

    agrees      whether every entry agrees; if not, ``code`` and ``reason`` say why
    error       max |analytic − numeric| / (the largest entry of either); 0 if both are at rounding level
    compared    how much was compared, in words
    numeric     the numeric gradient, flat, NaN where it was not measured
    worst       flat indices of the entries that disagree, the worst first
    kinks       flat indices of the entries at a kink
    is_zero     whether both gradients are zero, up to rounding
    """

    def __init__(self, probe: Probe, gradient: NDArray[Any], rtol: float, rng: np.random.Generator) -> None:
        self.probe, self.gradient = probe, gradient
        self.flat = gradient.reshape(-1)
        self.rtol = max(rtol, 6e4 * probe.eps if probe.eps > 1e-9 else 0)
        self.numeric, self.low, self.high = (np.full(gradient.size, np.nan) for _ in range(3))
        self.measured = np.zeros(0, int)
        self.worst: list[int] = []
        self.kinks: list[int] = []
        self.excused, self.is_zero = 0, False
        self.agrees, self.error, self.code, self.reason = True, 0.0, "", ""

        if probe.noise > self.rtol * np.max(np.abs(gradient), initial=0):
            probe.widen(100 if probe.eps < 1e-9 else 4)     # a small gradient of a large value drowns in rounding
        entries = np.flatnonzero(np.isfinite(probe.x))      # an infinite entry (of a mask) cannot be changed
        self.movable = len(entries)
        if len(entries) <= ALL:
            self._measure(entries)
            self._grade()
            self.compared = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
        elif self._along_directions(entries, rng):
            self.compared = f"{DIRECTIONS} directions"
        else:
            self._localize(entries, rng)
            self.compared = f"{len(self.measured)} of {len(entries)} entries"

    # -- large inputs

    def _along_directions(self, entries: NDArray[Any], rng: np.random.Generator) -> bool:
        """Whether random directions through all entries agree.

        The error assumes that one entry causes the difference.
        """
        off = max(self.probe.mismatch(self.gradient, entries, rng) for _ in range(DIRECTIONS))
        largest = np.max(np.abs(self.flat))
        self.error = off / largest if off > self.probe.noise else 0.0
        self.is_zero = largest == 0 and off <= self.probe.noise
        return off <= self.rtol * largest + self.probe.noise

    def _localize(self, entries: NDArray[Any], rng: np.random.Generator) -> None:
        """Measure the blocks of entries that disagree, the worst first, until a wrong entry is found."""
        blocks = np.array_split(entries, int(np.sqrt(len(entries))))
        off = np.array([self.probe.mismatch(self.gradient, block, rng) for block in blocks])
        off[np.isnan(off)] = np.inf
        tolerance = self.rtol * np.max(np.abs(self.flat)) + self.probe.noise
        suspects = [blocks[b] for b in np.argsort(-off) if off[b] > tolerance]
        self.error = 0.0
        while suspects and self.agrees:
            n = 1 + np.searchsorted(np.cumsum([len(block) for block in suspects]), ALL)
            self._measure(np.concatenate(suspects[:n]))
            self._grade()
            suspects = suspects[n:]

    # -- entry by entry

    def _measure(self, entries: NDArray[Any]) -> None:
        for i in entries:
            self.numeric[i], self.low[i], self.high[i] = self.probe.entry(i)
        self.measured = np.concatenate([self.measured, entries])

    def _grade(self) -> None:
        scale = self._scale()
        zero = max(self.probe.noise, 1e-6 * scale)          # below this, the entries that remain count as zero
        tolerance = self.rtol * scale + self.probe.noise
        off = self._off(self.measured)
        uneven = self.high - self.low > max(1e-3, 2 * self.probe.step) * scale + 10 * self.probe.noise
        for i in sorted(self.measured[(off > tolerance) | uneven[self.measured]], key=lambda i: -self._off(i)):
            agreed = self._off(i) <= tolerance
            if i in self.kinks:
                continue
            if self._agrees_at_other_steps(i, scale):
                self.excused += i in self.kinks and not agreed
            elif not agreed:
                break                                       # one wrong entry decides

        self.measured = self.measured[~np.isin(self.measured, self.kinks)]
        off, scale = self._off(self.measured), self._scale()
        tolerance = self.rtol * scale + self.probe.noise if scale > zero else zero
        self.is_zero = scale <= self.probe.noise
        self.error = float(np.max(off, initial=0) / scale) if scale > zero else 0.0
        self.worst = [int(i) for i in self.measured[np.argsort(-off)] if self._off(i) > tolerance]
        self.agrees = not self.worst
        if self.worst:
            self.code = "unexplained"
            self.reason = f"{len(self.worst)} of {len(self.measured)} entries differ from the numeric gradient"
            if not np.isfinite(self.numeric[self.worst[0]]):
                self.code, self.reason = "nonfinite", \
                    "the value is NaN or infinite close to these inputs: choose other inputs"
        elif self.excused > self.movable / 2:
            self.agrees, self.code, self.reason = False, "kink", "most entries are at a kink: choose other inputs"

    def _scale(self) -> float:
        sizes = np.abs([self.flat[self.measured], self.numeric[self.measured]])
        return float(np.max(sizes, initial=0, where=np.isfinite(sizes)))

    def _off(self, i: Any) -> NDArray[Any]:
        off = np.abs(self.flat[i] - self.numeric[i])
        return np.where(np.isnan(off), np.inf, off)

    def _agrees_at_other_steps(self, i: int, scale: float) -> bool:
        """Whether entry i agrees at another step, or is at a kink and lies between the two one-sided derivatives."""
        g, noise = self.flat[i], self.probe.noise
        first, gap, agreed, kink = self.numeric[i], self.high[i] - self.low[i], False, False
        # Rounding of what cancels in the value may hide the difference.
        if self.rtol * scale + noise < abs(g - first) <= self.probe.hidden:
            numeric, noise_there = self.probe.wide(i)
            if abs(g - numeric) <= self.rtol * scale + noise_there:
                self.numeric[i] = numeric if noise_there < self.rtol * scale else g
                return True
        if self.probe.eps > 1e-9 and gap > 2 * self.rtol * scale and \
                self.low[i] - self.rtol * scale <= g <= self.high[i] + self.rtol * scale:
            self.numeric[i] = g                             # float32 leaves no smaller step at which to see more
            return True
        for factor in STEPS:
            if noise / factor > 1e-2 * scale:               # at this step, rounding would hide the difference
                continue
            numeric, low, high = self.probe.entry(i, factor)
            tolerance = self.rtol * scale + noise / factor
            if abs(g - numeric) <= tolerance <= 2 * self.rtol * scale:
                self.numeric[i], agreed = numeric, True
            elif factor < 1 and abs(g - numeric) < 2 * factor ** 2 * abs(g - first):      # it converges to g, as h²
                self.numeric[i], agreed = (numeric - factor ** 2 * first) / (1 - factor ** 2), True
            # The gap shrinks with the step where f is smooth, grows where it jumps, and stays at a kink.
            kink = factor < 1 and max(5 * factor * gap, self.rtol * scale) < high - low < 2 * gap
            between = low - tolerance <= g <= high + tolerance
        if kink and between:
            self.kinks.append(int(i))
            return True
        return agreed and not kink
