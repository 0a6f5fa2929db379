"""Every environment variable that tinyformer reads: the one table for `tinyformer doctor` and the reference."""

from __future__ import annotations

from dataclasses import dataclass

# When a variable is read, Variable.read: the heading.
HEADINGS = {"run": "While tinyformer runs", "install": "While it is installed", "develop": "For tests and the book"}


@dataclass(frozen=True)
class Variable:
    """An environment variable.

    name        as the shell writes it
    values      the allowed values
    default     the value, or the behavior, if the variable is not set
    meaning     what it changes
    read        when it is read: "run", "install" (``pip install``) or "develop" (tests and the book)
    """

    name: str
    values: str
    default: str
    meaning: str
    read: str = "run"


VARIABLES = (
    Variable("TINYFORMER_BACKEND", "native, cffi, cuda or numpy", "the first that loads, in this order without cuda",
             "The code that the kernels run on. Read at the first use; "
             "`tinyformer.backend.use` changes the choice later."),
    Variable("TINYFORMER_NUM_THREADS", "an integer ≥ 1", "one for each processor of the process",
             "The maximum number of threads in one call of a C++ kernel. Read when the kernels are loaded."),
    Variable("OMP_NUM_THREADS", "an integer ≥ 1", "one for each processor",
             "Threads of NumPy's BLAS, and of the C++ kernels if they were built with TINYFORMER_THREADS=openmp."),
    Variable("OPENBLAS_NUM_THREADS", "an integer ≥ 1", "the value of OMP_NUM_THREADS",
             "Threads of NumPy's BLAS where that is OpenBLAS, as in the wheels for Linux and Windows."),
    Variable("TINYFORMER_ISA", "avx512, avx2, neon or portable", "the best that the processor has",
             "The instruction set of the C++ kernels. A set that the processor lacks is ignored."),
    Variable("TINYFORMER_CUDA_LIBRARY", "the path of a shared library", "tinyformer's own",
             "The library of CUDA kernels to load."),
    Variable("TINYFORMER_DATA", "a folder", "the user's cache folder",
             "The folder of downloaded data sets, corpora and checkpoints."),
    Variable("TINYFORMER_STATIC", "1", "show sliders in Jupyter",
             "Draw a row of pictures where a notebook would show sliders."),
    Variable("TINYFORMER_API_KEY", "a text", "ask for no key",
             "The key that `tinyformer serve` asks for."),
    Variable("TINYFORMER_TRACEBACK", "1", "show one line for an error",
             "Show the traceback of an error on the command line."),
    Variable("MALLOC_TRIM_THRESHOLD_", "bytes; see `man mallopt`", "512 MB are kept",
             "If this, MALLOC_MMAP_THRESHOLD_ or GLIBC_TUNABLES is set, tinyformer does not "
             "change glibc's settings for freed memory."),
    Variable("TINYFORMER_REQUIRE_NATIVE", "1", "go on with NumPy alone",
             "If the C++ kernels cannot be built, installation fails and shows the compiler's message.", "install"),
    Variable("TINYFORMER_NO_NATIVE", "1", "build them", "Do not build the C++ kernels.", "install"),
    Variable("TINYFORMER_THREADS", "openmp", "a pool of std::thread",
             "The threads of the C++ kernels.", "install"),
    Variable("TINYFORMER_CUDA", "1", "do not build them", "Build the CUDA kernels too, with nvcc.", "install"),
    Variable("TINYFORMER_BUILD_JOBS", "an integer ≥ 1", "one for each processor",
             "The number of C++ files that compile at once.",
             "install"),
    Variable("TINYFORMER_SANITIZE", "address,undefined or thread", "none",
             "Build the C++ kernels with these sanitizers of the compiler.", "install"),
    Variable("TINYFORMER_REQUIRE_TORCH", "1", "skip those tests", "Parity tests fail where PyTorch is not installed.",
             "develop"),
    Variable("TINYFORMER_CONTAINER_IMAGE", "an image that buildah has", "skip that test",
             "The image of Python with a C++ compiler that `tests/test_container.py` builds on; "
             "`.ci/container` makes one.", "develop"),
    Variable("TINYFORMER_BOOK_CACHE", "a folder", "`tinyformer book build` sets it",
             "The folder of the saved outputs of the book's cells.", "develop"),
)
