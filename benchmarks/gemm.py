"""Matrix products on the shapes of the small GPT: ours, NumPy's BLAS and PyTorch, in one process with equal threads.

    python benchmarks/gemm.py [--rounds 15] [--threads 2]

Results are written into arrays that are there already. Rivals take turns, each as many calls as take about a
millisecond. "best" is the fastest turn, which a busy machine disturbs least; ratios above 1 say that ours is faster. "%
roof" is ours against the least of the machine's multiply-add peak and what its memory bandwidth allows if every operand
is moved once.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time

import numpy as np
from measure import PAUSE, expect_steady, machine, pytorch, roof

import tinyformer as tfm
from tinyformer.kernels import native

# (batch, M, K, N, which operand is a transposed view)
SHAPES = [((), 768, 128, 384, "b"), ((), 768, 128, 512, "b"), ((), 768, 512, 128, "b"), ((), 768, 128, 65, "b"),
          ((), 768, 384, 128, ""), ((), 128, 768, 512, "a"), ((), 512, 768, 128, "a"), ((), 64, 64, 64, ""),
          ((), 256, 256, 256, ""), ((), 1024, 1024, 1024, ""), ((48,), 64, 32, 64, "b")]


def turns(rivals, rounds):
    """{name: [seconds a call, …]}"""
    times = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, (run, calls) in rivals.items():
            time.sleep(PAUSE)
            run()
            began = time.perf_counter()
            for _ in range(calls):
                run()
            times[name].append((time.perf_counter() - began) / calls)
    return times


def operands(batch, M, K, N, transposed):
    rng = np.random.default_rng(0)

    def one(rows, columns, turned):
        shape = (*batch, columns, rows) if turned else (*batch, rows, columns)
        array = rng.standard_normal(shape, dtype=np.float32)
        return array.swapaxes(-1, -2) if turned else array

    return one(M, K, transposed == "a"), one(K, N, transposed == "b"), np.empty((*batch, M, N), np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    tfm.backend.set_num_threads(arguments.threads)
    torch = pytorch(arguments.threads)
    limits = peak, bandwidth = machine(arguments.threads)
    print(f"{native.library.isa()}, {arguments.threads} threads by {native.library.threading()}, multiply-add peak "
          f"{peak:.0f} "
          f"GFLOP/s, triad {bandwidth:.1f} GB/s\n")
    print(f"{'M × K × N':<26}{'ours':>8}{'% roof':>8}{'NumPy':>8}{'PyTorch':>9}{'/NumPy':>9}{'/best':>8}   GFLOP/s, "
          f"best of turns; medians")
    ratios, medians = [], []
    for batch, M, K, N, transposed in SHAPES:
        a, b, c = operands(batch, M, K, N, transposed)
        work = 2 * math.prod(batch) * M * K * N / 1e9
        calls = max(1, round(1e-3 * peak / 2 / work))
        rivals = {"ours": (lambda: native.library.matmul(a, b, c), calls),
                  "NumPy": (lambda: np.matmul(a, b, out=c), calls)}
        if torch:
            ta, tb, tc = map(torch.from_numpy, (a, b, c))
            rivals["PyTorch"] = (lambda: torch.matmul(ta, tb, out=tc), calls)
        times = turns(rivals, arguments.rounds)
        best = {name: min(seconds) for name, seconds in times.items()}
        middle = {name: statistics.median(seconds) for name, seconds in times.items()}
        rate = {name: work / seconds for name, seconds in best.items()}
        ratios.append(min(best[name] for name in best if name != "ours") / best["ours"])
        medians.append(min(middle[name] for name in middle if name != "ours") / middle["ours"])
        of_roof = 100 * rate["ours"] / roof(limits, work * 1e9, a.nbytes + b.nbytes + c.nbytes)
        label = f"{f'{batch[0]} × ' if batch else ''}{M}×{K}×{N}" + (f" ({transposed}ᵀ)" if transposed else "")
        print(f"{label:<26}{rate['ours']:8.1f}{of_roof:8.1f}{rate['NumPy']:8.1f}"
              f"{rate.get('PyTorch', math.nan):9.1f}{best['NumPy'] / best['ours']:9.2f}{ratios[-1]:8.2f}   "
              + ", ".join(f"{name} {work / seconds:.0f}" for name, seconds in middle.items()))
    print(f"\ngeometric mean against the best rival: {statistics.geometric_mean(ratios):.3f} by best turns, "
          f"{statistics.geometric_mean(medians):.3f} by medians")
    expect_steady(limits, arguments.threads)


if __name__ == "__main__":
    main()
