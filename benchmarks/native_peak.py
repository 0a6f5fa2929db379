"""The machine's own limits, measured by the C++ kernels: multiply-adds and memory bandwidth."""

from __future__ import annotations

import threading
import time

import numpy as np

from tinyformer.kernels import native


def fma_gflops(threads, rounds=3_000_000, repeats=5):
    """The most float32 multiply-adds that ``threads`` threads do at once, counted as two operations each, in
    GFLOP/s."""
    def run():
        done.append(native.library.peak(0, rounds))

    best = 0.0
    for _ in range(repeats):
        done, team = [], [threading.Thread(target=run) for _ in range(threads)]
        began = time.perf_counter()
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()
        best = max(best, 2 * sum(done) / (time.perf_counter() - began) / 1e9)
    return best


def triad_gbytes(n=8_000_000, repeats=5):
    """Bytes that one thread moves in a = b + a, arrays beyond the caches, in GB/s."""
    a, b = np.ones(n, np.float32), np.ones(n, np.float32)
    best = 0.0
    for _ in range(repeats):
        began = time.perf_counter()
        np.add(a, b, out=a)
        best = max(best, 3 * a.nbytes / (time.perf_counter() - began) / 1e9)
    return best
