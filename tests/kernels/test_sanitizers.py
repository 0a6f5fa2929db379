"""The kernels built with the compiler's sanitizers, which stop at a wrong address, at undefined behavior and at two
threads that meet in one place without asking; these tests run once more with that build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What each sanitizer runs, and the libraries that must be there before Python is: the one that watches, and the one
# whose exceptions it has to know of.
BUILDS = {
    "address,undefined": ([f"tests/kernels/test_{name}.py"
                           for name in ("attention", "contracts", "convolution", "lstm", "matmul", "step")],
                          ["libasan.so", "libstdc++.so.6"]),
    "thread": (["tests/kernels/test_threads.py"], ["libtsan.so", "libstdc++.so.6"]),
}


def run(command, **options):
    result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    return result.returncode, result.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("g++"), reason="needs Linux and g++")
@pytest.mark.parametrize("sanitizers", BUILDS)
def test_the_sanitizers_find_nothing(tmp_path, sanitizers):
    tests, libraries = BUILDS[sanitizers]
    found = [run(["g++", f"-print-file-name={name}"])[1].strip() for name in libraries]
    if not all(map(os.path.isabs, found)):
        pytest.skip(f"this compiler has no {libraries[0]}")
    for name in ("tinyformer", "csrc", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    environment = {**os.environ, "TINYFORMER_REQUIRE_NATIVE": "1", "CC": "gcc", "CXX": "g++",
                   "PYTHONPATH": str(tmp_path)}
    code, output = run([sys.executable, "setup.py", "build_ext", "--inplace"], cwd=tmp_path,
                       env={**environment, "TINYFORMER_SANITIZE": sanitizers})
    assert code == 0, output
    watched = {**environment, "LD_PRELOAD": " ".join(found), "PYTHONMALLOC": "malloc", "TINYFORMER_NUM_THREADS": "3",
               "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": "exitcode=66"}
    # The sanitizer's report goes to the process's own stderr, which pytest must not catch.
    code, output = run([sys.executable, "-m", "pytest", "-x", "--capture=sys", "-p", "no:cacheprovider", "-n", "0",
                        # the same source runs
                        "-k", "not portable and not cffi", *tests], cwd=tmp_path, env=watched)
    assert code == 0, output[-20000:]
