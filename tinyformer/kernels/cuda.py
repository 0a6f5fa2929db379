"""Matrix product and attention on a graphics card: csrc/cuda, which ``TINYFORMER_CUDA=1 pip install .`` builds with nvcc.

Every call copies its arrays to the card and the results back, so this pays for large products only. The rest of a training step
is the native kernels'. A process that was forked from one that used the card cannot use it.

``TINYFORMER_CUDA_LIBRARY`` names another library to open, such as the tests' (csrc/cuda/README.md).
"""

from __future__ import annotations

import importlib.util
import os

from .cffi import Products, ffi
from .compiled import functions
from .native import library as _native

ffi.cdef("int tf_cuda_device(char *name, int64_t size);", override=True)         # anew each time that this module is tried


class Library(Products):
    """The two products on the card; all else as ``tinyformer._native`` does it."""

    def __init__(self, path):
        super().__init__(ffi.dlopen(path))
        name = ffi.new("char[]", 256)
        if code := self.C.tf_cuda_device(name, 256):
            raise ImportError(ffi.string(self.C.tf_message(code)).decode())
        self._device = ffi.string(name).decode()

    def isa(self):
        return f"{self._device}; all but products: {_native.isa()}"

    def __getattr__(self, name):
        return getattr(_native, name)


def _path():
    if path := os.environ.get("TINYFORMER_CUDA_LIBRARY"):
        return path
    found = importlib.util.find_spec("tinyformer._cuda")            # finds it without importing what is no module
    if found is None:
        raise ImportError("tinyformer._cuda was not built; with nvcc on PATH, installing with TINYFORMER_CUDA=1 builds it")
    return found.origin


library = Library(_path())
globals().update(functions(library))
