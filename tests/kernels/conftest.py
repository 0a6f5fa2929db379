"""The compiled library, through each binding and on each instruction set that this processor has; and the CUDA kernels,
compiled for this processor by csrc/cuda/shim.h."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"


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


@pytest.fixture(scope="session")
def compile_shim():
    """A function: compile the CUDA kernels of the folder ``csrc`` for this processor, to the library ``to``."""
    if not sys.platform.startswith("linux") or shutil.which("g++") is None:
        pytest.skip("the shim that runs CUDA kernels on the processor needs g++ on Linux")

    def build(to, csrc=CSRC, flags=()):
        sources = [*sorted((csrc / "cuda").glob("*.cu")), csrc / "products.cpp"]
        export = '-DTF_EXPORT=__attribute__((visibility("default")))'
        command = ["g++", "-std=c++17", "-O1", "-g", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall",
                   "-Wno-unknown-pragmas", "-Werror", export, *flags, "-x", "c++", *map(str, sources), "-o", str(to)]
        subprocess.run(command, check=True)
        return to

    return build


@pytest.fixture(scope="session")
def cuda_library(request, tmp_path_factory):
    """The path of the library to test: TINYFORMER_CUDA_LIBRARY if that names one, such as the card's own, else the
    shim's."""
    if path := os.environ.get("TINYFORMER_CUDA_LIBRARY"):
        return path
    return str(request.getfixturevalue("compile_shim")(tmp_path_factory.mktemp("cuda") / "shim.so"))
