"""Would the tests of the CUDA kernels see a mistake? They are run over kernels that have one, and under sanitizers; and
nvcc compiles the kernels as they are."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADDRESS = ["-fsanitize=address,bounds", "-fno-sanitize-recover=all"]

# file: what is written there, what is put in its place, and whether only AddressSanitizer sees it
MISTAKES = {
    "reading before the chunk is whole":
        ("tile.h", "        __syncthreads(); /* the chunk is whole */\n", "", False),
    "overwriting before all have read":
        ("tile.h", "        multiply(sums, chunks.a, 0, chunks.b);\n        __syncthreads();",
         "        multiply(sums, chunks.a, 0, chunks.b);", False),
    "the weights read before they are written":
        ("tile.h", "        __syncthreads(); /* the chunk is whole, and a */\n", "", False),
    "the weights overwritten before all have read":
        ("tile.h", "        multiply(sums, a, k, chunks.b);\n        __syncthreads();",
         "        multiply(sums, a, k, chunks.b);", False),
    "maxima read before they are written":
        ("attention.cu", "= mine_alone[i];\n    __syncthreads();", "= mine_alone[i];", False),
    "a barrier for some threads only":
        ("tile.h", "        load(chunks.a, A.from(0, k));\n",
         "        load(chunks.a, A.from(0, k));\n        if (threadIdx.x) __syncthreads();\n", False),
    "a tile too few": ("device.h", "shim::launch([&] { kernel(call); }, unsigned(blocks), threads)",
                       "shim::launch([&] { kernel(call); }, unsigned(blocks) - (blocks > 1), threads)", False),
    "the last key left out": ("attention.cu", "first < keys; first += TILE<T>) {\n        T s[",
                              "first + 1 < keys; first += TILE<T>) {\n        T s[", False),
    "the diagonal hidden": ("attention.cu", "s > t", "s >= t", False),
    "a tile of the diagonal skipped": ("attention.cu", "call.is_causal ? at.first : 0",
                                       "call.is_causal ? at.first + TILE<T> : 0", False),
    "a row too many of the input": ("tile.h", "r < from.rows && c < from.columns", "r <= from.rows && c < from.columns",
                                    True),
    "a column too many of the output": ("attention.cu", "if (t < call.T && d < call.D)",
                                        "if (t < call.T && d <= call.D)", True),
    "a row too many of L": ("attention.cu", "if (t >= call.T) continue;", "if (t > call.T) continue;", True),
}


def run_tests(library, *, sanitized=False):
    """What pytest says of test_cuda.py over ``library``. Stops at the first failure."""
    environment = {**os.environ, "TINYFORMER_CUDA_LIBRARY": str(library), "OPENBLAS_NUM_THREADS": "1"}
    if sanitized:
        # libstdc++ too: AddressSanitizer must find at the start what it is to stand before.
        preload = [subprocess.run(["g++", f"-print-file-name={name}"], text=True, capture_output=True,
                                  check=True).stdout.strip()
                   for name in ("libasan.so", "libstdc++.so")]
        environment |= {"LD_PRELOAD": " ".join(preload),
                        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-s", "-p", "no:cacheprovider", "-n", "0", "-p",
               "no:faulthandler", "-k", "not model", str(Path(__file__).with_name("test_cuda.py"))]
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def _kernels():
    pytest.importorskip("tinyformer.kernels.cffi", reason="the C++ kernels were not built", exc_type=ImportError)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(compile_shim, tmp_path, mistake):
    name, right, wrong, by_address = MISTAKES[mistake]
    csrc = shutil.copytree(ROOT / "csrc", tmp_path / "csrc")
    file = csrc / "cuda" / name
    text = file.read_text(encoding="utf-8")
    assert text.count(right) == 1, "the source no longer says this"
    file.write_text(text.replace(right, wrong), encoding="utf-8")
    result = run_tests(compile_shim(tmp_path / "shim.so", csrc, ADDRESS if by_address else []), sanitized=by_address)
    assert result.returncode != 0, "the tests passed"
    if by_address:
        assert "ERROR: AddressSanitizer" in result.stderr
    elif "barrier" in mistake:
        assert "threads part at a barrier: thread 0 waits at the barrier in line" in result.stdout
    else:
        assert "AssertionError" in result.stdout or "assert " in result.stdout


@pytest.mark.slow
def test_no_address_is_out_of_bounds(compile_shim, tmp_path):
    result = run_tests(compile_shim(tmp_path / "shim.so", flags=ADDRESS), sanitized=True)
    assert result.returncode == 0, result.stdout + result.stderr


# ------------------------------------------------------------------------------------------------ nvcc

@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The library that setup.py has nvcc make."""
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not on PATH")
    spec = importlib.util.spec_from_file_location("setup_of_tinyformer", ROOT / "setup.py")
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    to = tmp_path_factory.mktemp("nvcc") / "cuda.so"
    subprocess.run(setup.nvcc(setup.cuda().sources, to), cwd=ROOT, check=True)
    return to


@pytest.mark.slow
def test_nvcc_compiles_for_each_architecture(compiled):
    if shutil.which("cuobjdump") is None:
        pytest.skip("cuobjdump is not on PATH")
    listed = subprocess.run(["cuobjdump", "--list-elf", "--list-ptx", str(compiled)], text=True, capture_output=True,
                            check=True).stdout
    names = {line.split(".")[-2] + "." + line.split(".")[-1] for line in listed.splitlines() if "file" in line}
    assert names == {"sm_80.cubin", "sm_90.cubin", "sm_90.ptx"}, listed


@pytest.mark.slow
def test_without_a_card_the_compiled_library_says_so(compiled):
    script = ("import tinyformer as tfm; tfm.backend.use('numpy')\ntry: tfm.backend.use('cuda')\n"
              "except RuntimeError as e: print(e)\nprint(tfm.backend.info()['live'])")
    result = subprocess.run([sys.executable, "-c", script],
                            env={**os.environ, "TINYFORMER_CUDA_LIBRARY": str(compiled)},
                            cwd=ROOT, text=True, capture_output=True, check=True, encoding="utf-8")
    said = result.stdout.splitlines()
    if said == ["cuda"]:
        # there is one: then the tests pass on it
        assert run_tests(compiled).returncode == 0
    else:
        assert said[0].startswith("backend: cuda is not available: no CUDA device") and said[1] == "numpy"
