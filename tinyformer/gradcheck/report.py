"""What a check found, as data and as a table that a learner understands."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

NOTES = ("flat", "float32", "kink")                  # findings that are worth saying and no mistake


@dataclass
class Finding:
    """One thing that was seen.

    code            a stable word, such as "shape" or "kink"
    message         one plain sentence
    evidence        what it rests on: indices, shapes, values
    confidence      from 0 to 1
    """

    code: str
    message: str
    evidence: dict = field(default_factory=dict)
    confidence: float = 1.0

    @property
    def is_mistake(self):
        return self.code not in NOTES

    @property
    def page(self):
        """How this comes about, and how it is mended: a section of the documentation, as Markdown."""
        from .code_pages import page
        return page(self.code)


@dataclass
class InputReport:
    """The gradient of one input, held against the numeric one.

    error           max |analytic − numeric| / max(|analytic|, |numeric|) over the entries compared; inf if none could be
    agrees          whether that is small enough
    compared        in words: how many entries, or random directions of a large input
    analytic        the gradient as the function gave it, None if it was unusable
    numeric         the numeric gradient, NaN at entries that were not looked at
    """

    name: str
    shape: tuple
    error: float = 0.0
    agrees: bool = True
    differentiated: bool = True
    compared: str = ""
    findings: list = field(default_factory=list)
    analytic: np.ndarray | None = None
    numeric: np.ndarray | None = None

    @property
    def ok(self):
        return self.agrees and not any(finding.is_mistake for finding in self.findings)


@dataclass
class Report:
    """What ``check`` found: ``ok``, and an ``InputReport`` for each input in order."""

    name: str
    rtol: float
    inputs: list

    @property
    def ok(self):
        return all(one.ok for one in self.inputs)

    def __str__(self):
        wrong = [one for one in self.inputs if not one.ok]
        head = (f"{self.name}: wrong in {', '.join(one.name for one in wrong)}" if wrong
                else f"{self.name}: every gradient agrees with the numeric one")
        rows = [("input", "shape", "compared", "error", "")]
        rows += [(one.name, str(one.shape), one.compared, f"{one.error:.1e}", "ok" if one.ok else "wrong")
                 if one.differentiated else (one.name, str(one.shape), "", "", "no gradient wanted" if one.ok else "wrong")
                 for one in self.inputs]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [head, ""]
        lines += ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        for one in self.inputs:
            said = {}                                       # one sentence may hold for several codes
            for finding in one.findings:
                said.setdefault(_sentence(finding), []).append(finding.code)
            for sentence, named in said.items():
                lines += ["", f"  {one.name}: {sentence}  [{', '.join(named)}]"]
            worst = next((finding.evidence["worst"] for finding in one.findings if "worst" in finding.evidence), ())
            lines += [f"      {line}" for line in _worst(worst)]
        codes = dict.fromkeys(finding.code for one in wrong for finding in one.findings if finding.is_mistake)
        if codes:
            lines += ["", f"  How this comes about and is mended: tinyformer doctor {' '.join(codes)}"]
        lines += ["", f"  error: the largest difference from the numeric gradient, over the largest entry of either; "
                      f"right below {self.rtol:g}"]
        return "\n".join(lines)

    def _repr_html_(self):
        from .html import as_html
        return as_html(self)


GUESSED = 0.999                              # a finding that is surer is a fact: a shape, a zero, a changed input


def _sentence(finding):
    """What is found, said as surely as it is known."""
    return f"probably {finding.message}" if 0 < finding.confidence < GUESSED else finding.message


def _worst(entries):
    """Lines that set the worst entries, (index, analytic, numeric) each, side by side."""
    if entries:
        yield f"{'index':<14}{'yours':>14}{'numeric':>14}"
    for index, analytic, numeric in entries:
        yield f"{str(list(index)):<14}{analytic:>14.6g}{numeric:>14.6g}"
