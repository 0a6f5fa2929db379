"""The C++ kernels through pybind11: ``tinyformer._native``, which setup.py builds from csrc/."""

from __future__ import annotations

from .. import _native
from .compiled import Compiled

library = _native
_kernels = Compiled(library)
matmul, attention = _kernels.matmul, _kernels.attention
