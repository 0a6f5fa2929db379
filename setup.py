"""Builds the C++ kernels, tinyformer._native. Everything else is declared in pyproject.toml.

Without a compiler the installation goes on, and tinyformer computes with NumPy. Environment variables:

    TINYFORMER_REQUIRE_NATIVE=1     a failed build is an error
    TINYFORMER_NO_NATIVE=1          do not try
    TINYFORMER_THREADS=openmp       share work by OpenMP instead of the pool of std::thread in csrc/threads.cpp
    TINYFORMER_CUDA=1               build tinyformer._cuda too, with nvcc
    TINYFORMER_SANITIZE=address,undefined | thread      build with these sanitizers, for tests
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.modified import newer_group

HERE = Path(__file__).parent
EXPORT = "__declspec(dllexport)" if sys.platform == "win32" else '__attribute__((visibility("default")))'


def asked(name):
    """Is the environment variable ``name`` set, and not to 0?"""
    return os.environ.get(name, "0") not in ("", "0")


REQUIRED = asked("TINYFORMER_REQUIRE_NATIVE")


def flags():
    """(compiler flags, linker flags). Never -march=native, which would not run elsewhere, nor -ffast-math, which loses
    NaN."""
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


def cuda():
    """What nvcc makes of csrc/cuda: no module of Python's, but a plain library, which tinyformer/kernels/cuda.py
    opens."""
    if shutil.which("nvcc") is None:
        sys.exit("TINYFORMER_CUDA=1 asks for the CUDA kernels, but nvcc is not on PATH: "
                 "install NVIDIA's CUDA toolkit, or leave TINYFORMER_CUDA unset")
    sources = sorted(f"csrc/cuda/{path.name}" for path in (HERE / "csrc" / "cuda").glob("*.cu"))
    headers = sorted(str(path.relative_to(HERE)) for path in (HERE / "csrc").rglob("*.h"))
    return Extension("tinyformer._cuda", [*sources, "csrc/products.cpp"], depends=headers)


def nvcc(sources, to):
    """The command: for Ampere (sm_80), for Hopper (sm_90), and as PTX, which the driver of a later card compiles for
    it."""
    targets = [("compute_80", "sm_80"), ("compute_90", "sm_90"), ("compute_90", "compute_90")]
    host = "/MD,/utf-8" if sys.platform == "win32" else "-fPIC,-fvisibility=hidden"
    return ["nvcc", "-std=c++17", "-O3", "--threads", "0", "-shared", "-cudart", "static", "-Xcompiler", host,
            *[f"-gencode=arch={real},code={code}" for real, code in targets], f"-DTF_EXPORT={EXPORT}", *sources, "-o",
            str(to)]


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

        def build_extension(self, extension):
            if extension.name != "tinyformer._cuda":
                return super().build_extension(extension)
            to = Path(self.get_ext_fullpath(extension.name))
            if self.force or newer_group([*extension.sources, *extension.depends], to):
                to.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run(nvcc(extension.sources, to), check=True)

    compile_flags, link_flags = flags()
    extension = Pybind11Extension(
        "tinyformer._native",
        sorted(f"csrc/{path.name}" for path in (HERE / "csrc").glob("*.cpp")),
        depends=sorted(f"csrc/{path.name}" for path in (HERE / "csrc").glob("*.h")),
        include_dirs=["csrc"], cxx_std=17, optional=not REQUIRED,
        define_macros=[("TF_EXPORT", EXPORT)], extra_compile_args=compile_flags, extra_link_args=link_flags)
    ParallelCompile("TINYFORMER_BUILD_JOBS", default=os.cpu_count() or 1).install()
    extensions = [extension, cuda()] if asked("TINYFORMER_CUDA") else [extension]
    return {"ext_modules": extensions, "cmdclass": {"build_ext": BuildNative}}


if __name__ == "__main__":
    setup(**({} if asked("TINYFORMER_NO_NATIVE") else native()))
