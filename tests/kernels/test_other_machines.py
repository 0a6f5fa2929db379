"""The kernels on processors, systems and compilers other than this one's: ``driver.cpp`` checks them without Python.

Zig (``pip install ziglang``) is a C++ compiler for any of them; qemu-user runs what was compiled for another
processor."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(str(path) for path in (ROOT / "csrc").glob("*.cpp") if not path.name.startswith("python"))
DRIVER = str(Path(__file__).with_name("driver.cpp"))
FLAGS = ["-std=c++17", "-O1", "-ffp-contract=fast", "-fno-math-errno", "-Wall", "-Werror", "-Wno-psabi",
         f"-I{ROOT / 'csrc'}"]
LIKE_MSVC = "-DTF_NO_VECTOR_TYPES"                          # the kernels without the vector types of GCC and Clang

pytestmark = pytest.mark.slow


def run(command, folder, **variables):
    cache = {f"ZIG_{which}_CACHE_DIR": str(folder / "zig") for which in ("GLOBAL", "LOCAL")}
    environment = {**cache, **os.environ, **variables}
    result = subprocess.run(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    assert result.returncode == 0, result.stdout
    return result.stdout


def compile_all(compiler, flags, folder):
    """The objects of all sources, each compiled separately."""
    def compile(source):
        run([*compiler, *FLAGS, *flags, "-c", source, "-o", f"{Path(source).stem}.o"], folder)
        return f"{Path(source).stem}.o"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compile, [DRIVER, *SOURCES]))


@pytest.fixture
def zig():
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    return [sys.executable, "-m", "ziglang", "c++"]


def test_64_bit_arm(tmp_path, zig):
    qemu = shutil.which("qemu-aarch64-static")
    if not qemu:
        pytest.skip("qemu-aarch64-static is not installed")
    run([*zig, "-target", "aarch64-linux-musl", "-static", *FLAGS, DRIVER, *SOURCES, "-o", "driver"], tmp_path)
    assert run([qemu, "driver"], tmp_path) == "neon pool: 0 failures\n"


@pytest.mark.parametrize("target, more",
                         [("aarch64-macos", []), ("x86_64-macos", []), ("x86_64-windows-gnu", [LIKE_MSVC])])
def test_other_systems_compile(tmp_path, zig, target, more):
    compile_all(zig, ["-target", target, "-O0", *more], tmp_path)


@pytest.mark.skipif(not shutil.which("g++") or sys.platform == "win32", reason="needs g++")
@pytest.mark.parametrize("flags, expected", [([LIKE_MSVC], "portable pool"),
                                             (["-fopenmp", "-DTF_OPENMP"], "portable openmp")])
def test_other_builds(tmp_path, flags, expected):
    objects = compile_all(["g++"], flags, tmp_path)
    run(["g++", *flags, *objects, "-o", "driver", "-pthread"], tmp_path)
    assert run(["./driver"], tmp_path, TINYFORMER_ISA="portable") == f"{expected}: 0 failures\n"
