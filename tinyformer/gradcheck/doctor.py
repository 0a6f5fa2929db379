"""The doctor: find the hypothesis that explains a wrong gradient."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .evidence import WIDE, Evidence, Uncallable, points
from .hypotheses import (
    elsewhere,
    exchanged,
    layout,
    loops,
    lost_paths,
    ratio,
    slopes,
    support,
    uses,
    weights,
    whole,
    wrong_step,
)
from .report import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .evidence import Point
    from .function_forms import CheckedFunction

# Hypotheses in order of priority, with the confidence of each. The first whose residual is at noise level is reported.
HYPOTHESES: list[tuple[Callable[[Evidence], list[Finding]], float]] = [
    (whole.zero, 1.0), (whole.upstream, 1.0), (whole.factor, 1.0), (layout.swapped, 0.95), (layout.permuted, 0.95),
    (support.masks, 0.95), (ratio.named_factor, 0.9), (layout.rearranged, 0.9), (lost_paths.lost_before, 0.85),
    (uses.lost_uses, 0.9), (lost_paths.lost_branch, 0.85), (wrong_step.wrong_step, 0.9), (weights.wrong_weights, 0.9),
    (wrong_step.wrong_step_within, 0.85), (ratio.difference, 0.85), (uses.uses, 0.9), (uses.duplicated, 0.9),
    (uses.overwritten, 0.9), (lost_paths.lost_path, 0.85), (support.one_place, 0.85),
    (wrong_step.wrong_step_scaled, 0.8), (loops.unreversed, 0.85), (ratio.output_factor, 0.7), (ratio.row_scale, 0.8),
    (slopes.solved_slopes, 0.8), (exchanged.other_input, 0.8), (elsewhere.elsewhere, 0.75), (elsewhere.one_use, 0.75),
    (layout.averaged, 0.75), (support.reaches, 0.7)]


class Doctor:
    """Explains the wrong gradients of one function at its inputs.

    checked         the function with its inputs
    cotangents      the gradients of its outputs, in their shapes
    eps             the machine epsilon of its values
    failures        hypotheses that raised an exception, in words: bugs of this library, which cost the learner a name
    """

    def __init__(self, checked: CheckedFunction, cotangents: list[NDArray[Any]], eps: float) -> None:
        self.checked, self.cotangents, self.eps = checked, cotangents, eps
        self.known: set[Any] = set()
        self.failures: list[str] = []

    @functools.cached_property
    def places(self) -> list[Point]:
        """The given inputs and others close to them."""
        return points(self.checked, self.cotangents, self.eps)

    @property
    def unrecorded(self) -> str:
        """Why the forward pass could not be recorded; "" if it was, or if that was not tried."""
        return self.places[0].unrecorded if "places" in vars(self) and self.places else ""

    def explain(self, i: int, numeric: NDArray[Any]) -> list[Finding]:
        """Findings about a wrong gradient of input i that has the right shape; empty if no hypothesis fits."""
        small = self.checked.arrays[i].size <= WIDE
        e = self._evidence(i, None if small else numeric)
        for suspect, confidence in HYPOTHESES if e else ():
            findings = self._try(suspect, e)
            if findings:
                for finding in findings:
                    finding.confidence = confidence
                    finding.evidence.setdefault("hypothesis", suspect.__name__)
                return findings
        return []

    def shape(self, i: int, came: tuple[int, ...]) -> list[Finding]:
        """Findings about a gradient of input i whose shape ``came`` is wrong."""
        expected = self.checked.arrays[i].shape
        name = self.checked.names[i]
        e = self._evidence(i)
        return e and self._try(layout.shape, e) or [Finding(
            "shape", f"the gradient of {name} has shape {came}, expected {expected}",
            {"came": came, "expected": expected})]

    def _evidence(self, i: int, numeric: NDArray[Any] | None = None) -> Any:
        return self._try(lambda: Evidence(self.checked, i, self.places, self.eps, numeric, self.known))

    def _try(self, suspect: Callable[..., Any], *evidence: Evidence) -> Any:
        """The findings of one hypothesis; None if it cannot be tested or fails."""
        try:
            return suspect(*evidence)
        except Uncallable:                                  # the learner's vjp refuses another upstream gradient
            return None
        except Exception as error:
            self.failed(f"{getattr(suspect, '__name__', suspect)}: {type(error).__name__}: {error}", error)
            return None

    def failed(self, what: str, error: Exception) -> None:
        """Note a hypothesis that raised an exception. Tests replace this by a function that raises it again."""
        self.failures.append(what)
