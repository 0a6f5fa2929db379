"""The C++ kernels through pybind11: ``tinyformer._native``, which setup.py builds from csrc/."""

from __future__ import annotations

from .compiled import functions

try:
    from .. import _native
except ImportError as error:
    raise ImportError(f"tinyformer._native was not built or does not load: {error}; installing with "
                      f"TINYFORMER_REQUIRE_NATIVE=1 shows the compiler's errors") from None

library = _native
globals().update(functions(library))
