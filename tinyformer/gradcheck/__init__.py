"""Numeric gradients, and a doctor that names the mistake.

    check       hold the gradients of a function against numeric ones, entry by entry; what is wrong is probably this
    diagnose    only what is wrong, as a list of findings
    trace       the first operation of a graph whose own gradient is wrong
    sample      inputs to check at, in which a mistake has nowhere to hide

>>> from tinyformer.gradcheck import check, sample
>>> print(check(ops.linear, *sample("BI", "OI", "O")))
"""

from .checker import check, diagnose
from .report import Finding, InputReport, Report
from .samples import sample
from .trace import Trace, trace

__all__ = ["Finding", "InputReport", "Report", "Trace", "check", "diagnose", "sample", "trace"]
