"""What a report says about a finding, for the terminal and for a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .codes import rule_of, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .report import Finding

CERTAIN = 0.999                              # at this confidence a finding is a fact: a shape, a zero, a changed input


def sentence_of(finding: Finding) -> str:
    """The message of a finding, with "probably" before it unless it is certain."""
    return f"probably {finding.message}" if 0 < finding.confidence < CERTAIN else finding.message


def more_about(finding: Finding) -> Iterator[str]:
    """What a report says below a finding: the rule of the step, one entry by hand, what to try, another suspicion."""
    rule = rule_of(finding.evidence.get("step", ""))
    if rule:
        yield f"the rule: {rule}"
    if "by_hand" in finding.evidence:
        index, h, above, below, yours = finding.evidence["by_hand"]
        yield (f"by hand at {list(index)}: L = Σ upstream gradient · value is {above:.10g} at +{h:.2g} and "
               f"{below:.10g} at −{h:.2g}; their difference / {2 * h:.2g} = {(above - below) / (2 * h):.6g}, "
               f"and yours is {yours:.6g}")
    code = table().get(finding.code)
    if finding.is_mistake and code is not None and code.advice:
        yield f"try: {code.advice}"
    if "alternative" in finding.evidence:
        yield f"or, less likely: {finding.evidence['alternative']}"
