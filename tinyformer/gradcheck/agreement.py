"""A gradient against the numeric one: which entries to look at, and what counts as agreement."""

from __future__ import annotations

import numpy as np

ALL = 2000                      # inputs of at most so many entries are compared entry by entry
DIRECTIONS = 3                  # larger ones along so many random directions first
LOOKS = (10.0, 0.1, 0.01)       # steps of the second look at an entry, as multiples of the first


class Comparison:
    """The gradient of one input held against what its ``Probe`` measures.

    An entry agrees when |analytic − numeric| ≤ rtol · (the largest entry of either) + rounding. One that does not is
    looked at again: with a larger step, which rounding disturbs less, and smaller ones, which step over a kink close by
    less often and come closer to the limit where f is steep. Where the slopes to the left and to the right stay apart
    however small the step, it lies on a kink, and any value between them will do.

    agrees      the verdict, with ``code`` and ``reason`` where it is no
    error       max |analytic − numeric| / the largest entry of either; 0 where both are no more than rounding
    compared    in words, how much was looked at
    numeric     flat, NaN where it was not measured
    worst       flat indices of entries that disagree, the worst first
    kinks       flat indices of entries on a kink
    """

    def __init__(self, probe, gradient, rtol, rng):
        self.probe, self.gradient = probe, gradient
        self.flat = gradient.reshape(-1)
        self.rtol = max(rtol, 1e4 * probe.eps)
        self.numeric, self.low, self.high = (np.full(gradient.size, np.nan) for _ in range(3))
        self.looked = np.zeros(0, int)
        self.worst, self.kinks, self.excused = [], [], 0
        self.agrees, self.error, self.code, self.reason = True, 0.0, "", ""

        if probe.noise > self.rtol * np.max(np.abs(gradient), initial=0):
            probe.widen(100)                                # a small gradient of a large value: see deeper into it
        entries = np.flatnonzero(np.isfinite(probe.x))      # what is infinite (a mask) cannot be moved
        self.movable = len(entries)
        if len(entries) <= ALL:
            self._measure(entries)
            self._grade()
            self.compared = f"{len(entries)} entries"
        elif self._along_directions(entries, rng):
            self.compared = f"{DIRECTIONS} directions"
        else:
            self._localize(entries, rng)
            self.compared = f"{len(self.looked)} of {len(entries)} entries"

    # -- large inputs

    def _along_directions(self, entries, rng):
        """Whether random directions through all entries agree. The error is as if a single entry were to blame."""
        off = max(self.probe.mismatch(self.gradient, entries, rng) for _ in range(DIRECTIONS))
        largest = np.max(np.abs(self.flat))
        self.error = off / largest if off > self.probe.noise else 0.0
        return off <= self.rtol * largest + self.probe.noise

    def _localize(self, entries, rng):
        """Measure the blocks of entries that disagree, the worst first, until enough is seen of what is wrong."""
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

    def _measure(self, entries):
        for i in entries:
            self.numeric[i], self.low[i], self.high[i] = self.probe.entry(i)
        self.looked = np.concatenate([self.looked, entries])

    def _grade(self):
        scale = self._scale()
        zero = max(self.probe.noise, 1e-6 * scale)          # if all that remains is smaller, it was none
        tolerance = self.rtol * scale + self.probe.noise
        off = self._off(self.looked)
        uneven = self.high - self.low > 1e-3 * scale + 10 * self.probe.noise
        for i in sorted(self.looked[(off > tolerance) | uneven[self.looked]], key=lambda i: -self._off(i)):
            agreed = self._off(i) <= tolerance
            if i in self.kinks:
                continue
            if self._look_again(i, scale):
                self.excused += i in self.kinks and not agreed
            elif not agreed:
                break                                       # wrong, and nothing below will make it right

        self.looked = self.looked[~np.isin(self.looked, self.kinks)]
        off, scale = self._off(self.looked), self._scale()
        tolerance = self.rtol * scale + self.probe.noise if scale > zero else zero
        self.error = float(np.max(off, initial=0) / scale) if scale > zero else 0.0
        self.worst = [int(i) for i in self.looked[np.argsort(-off)] if self._off(i) > tolerance]
        self.agrees = not self.worst
        if self.worst:
            self.code = "unexplained"
            self.reason = f"{len(self.worst)} of {len(self.looked)} entries differ from the numeric gradient"
            if not np.isfinite(self.numeric[self.worst[0]]):
                self.code, self.reason = "nonfinite", "the value is NaN or infinite just beside this point: choose another"
        elif self.excused > self.movable / 2:
            self.agrees, self.code, self.reason = False, "kink", "most entries lie on a kink: choose other inputs"

    def _scale(self):
        sizes = np.abs([self.flat[self.looked], self.numeric[self.looked]])
        return float(np.max(sizes, initial=0, where=np.isfinite(sizes)))

    def _off(self, i):
        off = np.abs(self.flat[i] - self.numeric[i])
        return np.where(np.isnan(off), np.inf, off)

    def _look_again(self, i, scale):
        """Whether entry i is right after all: it agrees at another step, or it lies on a kink and within its slopes."""
        g, noise = self.flat[i], self.probe.noise
        first, gap, agreed, kink = self.numeric[i], self.high[i] - self.low[i], False, False
        for factor in LOOKS:
            if noise / factor > 1e-2 * scale:               # at this step the rounding would hide what is to be seen
                continue
            numeric, low, high = self.probe.entry(i, factor)
            tolerance = self.rtol * scale + noise / factor
            if abs(g - numeric) <= tolerance <= 2 * self.rtol * scale:
                self.numeric[i], agreed = numeric, True
            elif factor < 1 and abs(g - numeric) < 2 * factor ** 2 * abs(g - first):      # on its way to g, as h² goes to 0
                self.numeric[i], agreed = (numeric - factor ** 2 * first) / (1 - factor ** 2), True
            # The gap shrinks with the step where f is smooth, grows where it jumps, and stays at a kink.
            kink = factor < 1 and max(5 * factor * gap, self.rtol * scale) < high - low < 2 * gap
            between = low - tolerance <= g <= high + tolerance
        if kink and between:
            self.kinks.append(int(i))
            return True
        return agreed and not kink
