"""Numeric gradients, and a gradient doctor that names the mistake.

    check       compare the gradients of a function with numeric ones, entry by entry, and name the probable mistakes
    diagnose    only the mistakes, as a list of findings
    trace       find the first operation of a graph whose own gradient is wrong
    sample      draw inputs at which a mistake shows

>>> from tinyformer.gradcheck import check, sample
>>> print(check(ops.linear, *sample("BI", "OI", "O")))
"""

from typing import TYPE_CHECKING

from ..names import module_attributes
from .checker import check, diagnose
from .report import Finding, InputReport, Report
from .samples import sample
from .trace import Trace, trace

__all__ = ["Finding", "InputReport", "Report", "Trace", "check", "diagnose", "sample", "trace"]

if not TYPE_CHECKING:                                       # to a type checker an unknown name is an error
    __getattr__, __dir__ = module_attributes(__name__, __all__)
