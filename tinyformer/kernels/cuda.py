"""Matrix product and attention on a GPU: csrc/cuda, which ``TINYFORMER_CUDA=1 pip install .`` builds with nvcc.

Every call copies its arrays to the GPU and the results back, so only large products are faster. The native kernels
compute the rest of a training step. A child process of fork cannot use the GPU if its parent did.

``TINYFORMER_CUDA_LIBRARY`` names another library to open, such as the library of the tests (csrc/cuda/README.md).
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from .cffi import Products, ffi
from .compiled import functions
from .native import library as _native

ffi.cdef("int tf_cuda_device(char *name, int64_t size);", override=True)     # again at each try to import this module


class Library(Products):
    """Matrix product and attention on the GPU; all other functions are those of ``tinyformer._native``."""

    def __init__(self, path: str) -> None:
        super().__init__(ffi.dlopen(path))
        name = ffi.new("char[]", 256)
        if code := self.C.tf_cuda_device(name, 256):
            raise ImportError(ffi.string(self.C.tf_message(code)).decode())
        self._device = ffi.string(name).decode()

    def isa(self) -> str:
        """The name of the GPU, and the instruction set of the other kernels."""
        return f"{self._device}; all but products: {_native.isa()}"

    def __getattr__(self, name: str) -> Any:
        return getattr(_native, name)


def _path() -> str:
    if path := os.environ.get("TINYFORMER_CUDA_LIBRARY"):
        return path
    found = importlib.util.find_spec("tinyformer._cuda")            # does not import it: it is no Python module
    if found is None:
        raise ImportError("tinyformer._cuda was not built; "
                          "with nvcc on PATH, installing with TINYFORMER_CUDA=1 builds it")
    return str(found.origin)


library = Library(_path())
globals().update(functions(library))
