"""The doctor: from the evidence to the name of the mistake, the most specific suspicion first."""

from __future__ import annotations

import functools

import numpy as np

from .evidence import WIDE, Evidence, points
from .hypotheses import layout, paths, ratio, support, whole
from .report import Finding

RAISE = False                   # tests set it: a suspicion that fails must not be taken for one that does not fit

# In this order; the first that fits decisively is told.
HYPOTHESES = (whole.zero, whole.upstream, whole.factor, layout.swapped, layout.permuted, support.masks, layout.rearranged,
              ratio.named_factor, paths.wrong_step, layout.averaged, ratio.difference, paths.uses, paths.lost_path, paths.wrong_step_scaled,
               ratio.output_factor, ratio.row_scale,
              support.reaches, ratio.elementwise)


class Doctor:
    """Explains what is wrong with the gradients of one function at one place.

    subject, cotangents     the function with its inputs, and the gradients of its outputs
    eps                     the resolution of its values
    """

    def __init__(self, subject, cotangents, eps):
        self.subject, self.cotangents, self.eps = subject, cotangents, eps

    @functools.cached_property
    def places(self):
        return points(self.subject, self.cotangents)

    def explain(self, i, numeric):
        """Findings about the gradient of input i, of the right shape and wrong; none where nothing fits decisively."""
        small = self.subject.arrays[i].size <= WIDE
        e = self._evidence(i, self.places if small else self.places[:1], None if small else numeric)
        for suspect in HYPOTHESES if e else ():
            findings = self._asked(suspect, e)
            if findings:
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
        return self._asked(lambda: Evidence(self.subject, i, places, self.eps, numeric))

    def _asked(self, suspect, *evidence):
        """A suspicion looked into. One that cannot be (a vjp that fails for other gradients, arrays too odd) says nothing."""
        try:
            return suspect(*evidence)
        except Exception:
            if RAISE:
                raise
            return None
