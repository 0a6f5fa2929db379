"""Numeric gradients: ``check(fn, *inputs)`` says whether a gradient is right, entry by entry, and what else is wrong.

>>> from tinyformer.gradcheck import check
>>> print(check(ops.softmax, x, axis=1))
"""

from .compare import check, diagnose
from .report import Finding, InputReport, Report
from .samples import sample
from .trace import Trace, trace

__all__ = ["Finding", "InputReport", "Report", "Trace", "check", "diagnose", "sample", "trace"]
