"""What a call costs: pybind11 and cffi over the same library, and NumPy's own, on arrays too small to matter.

    python benchmarks/bindings.py [--rounds 15]
"""

from __future__ import annotations

import argparse

import numpy as np
from gemm import turns

from tinyformer import kernels
from tinyformer.kernels import backend, cffi, native


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    backend.use("native")
    a, b, c = np.ones((3, 8, 8), np.float32)
    rivals = {"np.matmul(a, b, out=c)": lambda: np.matmul(a, b, out=c),
              "pybind11: library.matmul": lambda: native.library.matmul(a, b, c),
              "cffi: library.matmul": lambda: cffi.library.matmul(a, b, c), "np.matmul(a, b)": lambda: np.matmul(a, b),
              "pybind11: native.matmul": lambda: native.matmul(a, b), "cffi: cffi.matmul": lambda: cffi.matmul(a, b),
              "kernels.matmul (pybind11)": lambda: kernels.matmul(a, b)}
    times = turns({name: (run, 5000) for name, run in rivals.items()}, rounds)
    print("8 × 8 × 8, microseconds a call, best of turns and median")
    for name, seconds in times.items():
        print(f"{name:<28}{min(seconds) * 1e6:8.2f}{sorted(seconds)[len(seconds) // 2] * 1e6:8.2f}")


if __name__ == "__main__":
    main()
