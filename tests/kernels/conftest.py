"""The compiled library, through each binding and on each instruction set that this processor has."""

from __future__ import annotations

import importlib
import os

import pytest


def load(name):
    if os.environ.get("TINYFORMER_REQUIRE_NATIVE"):
        return importlib.import_module(name)
    return pytest.importorskip(name, reason="the C++ kernels were not built", exc_type=ImportError)


@pytest.fixture(params=["native", "cffi"])
def binding(request):
    """The backend module of each binding."""
    module = load(f"tinyformer.kernels.{request.param}")
    isa, threads = module.library.isa(), module.library.get_num_threads()
    yield module
    module.library.use_isa(isa)
    module.library.set_num_threads(threads)


@pytest.fixture(params=["avx512", "avx2", "neon", "portable"])
def isa(request):
    """The backend module of one binding, on each instruction set."""
    module = load("tinyformer.kernels.native")
    before, threads = module.library.isa(), module.library.get_num_threads()
    try:
        module.library.use_isa(request.param)
    except ValueError:
        pytest.skip(f"this processor has no {request.param}")
    yield module
    module.library.use_isa(before)
    module.library.set_num_threads(threads)
