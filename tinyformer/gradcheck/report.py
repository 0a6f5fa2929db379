"""The result of a check, as data and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from .codes import page, table
from .wording import more_about, sentence_of


@dataclass
class Finding:
    """One finding about a gradient.

    code            a stable name, such as "shape" or "kink"; ``codes.md`` has a section on each
    message         one plain sentence
    evidence        the indices, shapes and values behind the finding, by name
    confidence      from 0 to 1; 1 is certain
    """

    code: str
    message: str
    evidence: dict[str, Any] = field(default_factory=dict)
    confidence: float = 1.0

    @property
    def is_mistake(self) -> bool:
        """Whether the finding is a mistake, and not only a note, such as ``kink``."""
        code = table().get(self.code)
        return code is None or code.is_mistake

    @property
    def page(self) -> str:
        """The section of the documentation on this code, as Markdown: its meaning, its cause and its fix."""
        return page(self.code)


@dataclass
class InputReport:
    """The gradient of one input, compared with the numeric one.

    name            the parameter of the function
    shape           the shape of the input
    error           max |analytic − numeric| / max(|analytic|, |numeric|), each maximum over the entries compared; inf
                    if no entry could be compared
    agrees          whether every entry is within the tolerance
    differentiated  whether the input is a floating-point array, which has a gradient
    compared        how much was compared, in words: "15 entries", or "3 directions" of a large input
    findings        list of ``Finding``
    analytic        the gradient that the function returned, in the input's shape; None if it could not be used
    numeric         the numeric gradient, in the input's shape, NaN at entries that were not measured
    """

    name: str
    shape: tuple[int, ...]
    error: float = 0.0
    agrees: bool = True
    differentiated: bool = True
    compared: str = ""
    findings: list[Finding] = field(default_factory=list)
    analytic: NDArray[Any] | None = None
    numeric: NDArray[Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether the gradient agrees with the numeric one and there is no finding that is a mistake."""
        return self.agrees and not any(finding.is_mistake for finding in self.findings)


@dataclass
class Report:
    """The result of ``check``.

    ``print(report)`` shows a table and the findings; Jupyter also shows maps of the gradients.

    name        the name of the function
    rtol        the relative tolerance
    inputs      one ``InputReport`` for each input, in order
    notes       sentences on how the function was asked, for forms that need one
    failures    hypotheses of the doctor that raised an exception: bugs of this library
    """

    name: str
    rtol: float
    inputs: list[InputReport]
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every gradient is right."""
        return all(one.ok for one in self.inputs)

    def __str__(self) -> str:
        wrong = [one for one in self.inputs if not one.ok]
        by_design = [one.name for one in self.inputs if any(f.code == "straight-through" for f in one.findings)]
        head = (f"{self.name}: wrong in {', '.join(one.name for one in wrong)}" if wrong
                else f"{self.name}: the gradient of {', '.join(by_design)} differs from the derivative by design"
                if by_design else f"{self.name}: every gradient agrees with the numeric one")
        rows = [("input", "shape", "compared", "error", "")]
        rows += [(one.name, str(one.shape), one.compared, f"{one.error:.1e}",
                  "wrong" if not one.ok else "by design" if one.name in by_design else "ok")
                 if one.differentiated else (one.name, str(one.shape), "", "",
                                             "no gradient needed" if one.ok else "wrong")
                 for one in self.inputs]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [head, *(f"  {note}" for note in self.notes), ""]
        lines += ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        for one in self.inputs:
            codes_of: dict[str, list[str]] = {}             # one sentence may explain several codes
            for finding in one.findings:
                codes_of.setdefault(sentence_of(finding), []).append(finding.code)
            for sentence, named in codes_of.items():
                lines += ["", f"  {one.name}: {sentence}  [{', '.join(named)}]"]
                finding = next(f for f in one.findings if f.code == named[0])
                lines += [f"      {line}" for line in more_about(finding)]
            worst = next((finding.evidence["worst"] for finding in one.findings if "worst" in finding.evidence), ())
            lines += [f"      {line}" for line in _worst(worst)]
        codes = dict.fromkeys(finding.code for one in wrong for finding in one.findings if finding.is_mistake)
        if codes:
            lines += ["", f"  The causes and how to fix them: tinyformer doctor {' '.join(codes)}"]
        lines += ["", "  error: max |yours − numeric| / max(|yours|, |numeric|); "
                      f"a gradient is right below {self.rtol:g}"]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from .html import as_html
        return as_html(self)


def _worst(entries: Sequence[tuple[Any, float, float]]) -> Iterator[str]:
    """Lines that show the worst entries, (index, analytic, numeric) each, in columns."""
    if entries:
        yield f"{'index':<14}{'yours':>14}{'numeric':>14}"
    for index, analytic, numeric in entries:
        yield f"{str(list(index)):<14}{analytic:>14.6g}{numeric:>14.6g}"
