"""Builds the C++ kernels, tinyformer._native. Everything else is declared in pyproject.toml.

Without a compiler the installation goes on, and tinyformer computes with NumPy. Environment variables:

    TINYFORMER_REQUIRE_NATIVE=1     a failed build is an error
    TINYFORMER_NO_NATIVE=1          do not try
    TINYFORMER_THREADS=openmp       share work by OpenMP instead of the pool of std::thread in csrc/threads.cpp
    TINYFORMER_SANITIZE=address,undefined | thread      build with these sanitizers, for tests
"""

import os
import sys
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
REQUIRED = os.environ.get("TINYFORMER_REQUIRE_NATIVE", "0") not in ("", "0")


def flags():
    """(compiler flags, linker flags). Never -march=native, which would not run elsewhere, nor -ffast-math, which loses NaN."""
    openmp = os.environ.get("TINYFORMER_THREADS") == "openmp"
    if sys.platform == "win32":
        return ["/O2", "/fp:precise", "/utf-8"] + ["/openmp", "/DTF_OPENMP"] * openmp, []
    compile_flags = ["-O3", "-ffp-contract=fast", "-fno-math-errno", "-fvisibility=hidden", "-Wno-psabi"]
    link_flags = ["-pthread"]
    if openmp:
        compile_flags += ["-fopenmp", "-DTF_OPENMP"]
        link_flags += ["-fopenmp"]
    if sanitizers := os.environ.get("TINYFORMER_SANITIZE"):
        compile_flags += [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-g", "-O1"]
        link_flags += [f"-fsanitize={sanitizers}"]
    return compile_flags, link_flags


def native():
    """The extension and the commands that build it, as arguments of ``setup``."""
    from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext

    class BuildNative(build_ext):
        def build_extensions(self):
            # The header as a string in the library: cffi reads there what it calls.
            # (A literal for each line: MSVC takes no more than 16,380 bytes in one.)
            lines = (HERE / "csrc" / "tinyformer.h").read_text(encoding="utf-8").splitlines(keepends=True)
            text = "".join(f'R"-({line})-"\n' for line in lines)
            folder = Path(self.build_temp)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "declarations.h").write_text(f"const char tf_declarations[] =\n{text};\n", encoding="utf-8")
            for extension in self.extensions:
                extension.include_dirs.append(str(folder))
            super().build_extensions()

    compile_flags, link_flags = flags()
    export = "__declspec(dllexport)" if sys.platform == "win32" else '__attribute__((visibility("default")))'
    extension = Pybind11Extension(
        "tinyformer._native",
        sorted(f"csrc/{path.name}" for path in (HERE / "csrc").glob("*.cpp")),
        depends=sorted(f"csrc/{path.name}" for path in (HERE / "csrc").glob("*.h")),
        include_dirs=["csrc"], cxx_std=17, optional=not REQUIRED,
        define_macros=[("TF_EXPORT", export)], extra_compile_args=compile_flags, extra_link_args=link_flags)
    ParallelCompile("TINYFORMER_BUILD_JOBS", default=os.cpu_count() or 1).install()
    return {"ext_modules": [extension], "cmdclass": {"build_ext": BuildNative}}


if os.environ.get("TINYFORMER_NO_NATIVE", "0") not in ("", "0"):
    setup()
else:
    setup(**native())
