"""The C++ kernels through pybind11: ``tinyformer._native``, which setup.py builds from csrc/."""

from __future__ import annotations

from .compiled import functions

try:
    from .. import _native
except ImportError as error:
    reason = "tinyformer._native was not built" if "cannot import name" in str(error) else f"it does not load: {error}"
    raise ImportError(f"{reason}; installing with TINYFORMER_REQUIRE_NATIVE=1 shows what the compiler says") from None

library = _native
globals().update(functions(library))
