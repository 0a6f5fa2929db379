"""The doctor: from the evidence to the name of the mistake, the most specific suspicion first."""

from __future__ import annotations

import functools

from .evidence import WIDE, Evidence, points
from .hypotheses import exchanged, layout, paths, ratio, slopes, support, weights, whole, wrong_step
from .report import Finding

RAISE = False                   # tests set it: a suspicion that fails must not be taken for one that does not fit

# In this order, each with how sure it may be; the first that fits decisively is told.
HYPOTHESES = (
    (paths.empty_use, 0.9), (whole.zero, 1.0), (whole.upstream, 1.0), (whole.factor, 1.0), (layout.swapped, 0.95),
    (layout.permuted, 0.95), (support.masks, 0.95),
    (ratio.named_factor, 0.9), (layout.rearranged, 0.9), (support.diagonal, 0.95), (paths.lost_before, 0.85),
    (wrong_step.wrong_step, 0.9), (weights.wrong_weights, 0.9), (wrong_step.wrong_step_within, 0.85),
    (layout.averaged, 0.85),
    (ratio.difference, 0.85), (paths.uses, 0.9), (paths.duplicated, 0.9), (paths.overwritten, 0.9), (paths.lost_path, 0.85),
    (support.one_place, 0.85), (wrong_step.wrong_step_scaled, 0.8), (ratio.output_factor, 0.7), (ratio.row_scale, 0.8),
    (whole.varying_factor, 0.8), (slopes.solved_slopes, 0.8), (exchanged.other_input, 0.8), (support.reaches, 0.7),
    (ratio.elementwise, 0.7))


class Doctor:
    """Explains what is wrong with the gradients of one function at one place.

    subject, cotangents     the function with its inputs, and the gradients of its outputs
    eps                     the resolution of its values
    """

    def __init__(self, subject, cotangents, eps):
        self.subject, self.cotangents, self.eps, self.known = subject, cotangents, eps, set()

    @functools.cached_property
    def places(self):
        return points(self.subject, self.cotangents, self.eps)

    def explain(self, i, numeric):
        """Findings about the gradient of input i, of the right shape and wrong; none where nothing fits decisively."""
        small = self.subject.arrays[i].size <= WIDE
        e = self._evidence(i, self.places, None if small else numeric)
        for suspect, confidence in HYPOTHESES if e else ():
            findings = self._asked(suspect, e)
            if findings:
                for finding in findings:
                    finding.confidence = confidence
                return findings
        return []

    def shape(self, i, came):
        """Findings about a gradient of the wrong shape."""
        expected = self.subject.arrays[i].shape
        name = self.subject.names[i]
        e = self._evidence(i, self.places)
        return e and self._asked(layout.shape, e) or [Finding(
            "shape", f"the gradient of {name} has shape {came}, expected {expected}", {"came": came, "expected": expected})]

    def _evidence(self, i, places, numeric=None):
        return self._asked(lambda: Evidence(self.subject, i, places, self.eps, numeric, self.known))

    def _asked(self, suspect, *evidence):
        """A suspicion looked into. One that cannot be (a vjp that fails for other gradients, arrays too odd) says nothing."""
        try:
            return suspect(*evidence)
        except Exception:
            if RAISE:
                raise
            return None
