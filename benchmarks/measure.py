"""How things are measured here: rivals in turn within one process, equal threads, medians, ratios with quartiles."""

from __future__ import annotations

import statistics
import time

# seconds; OpenBLAS's and OpenMP's idle threads keep a core busy for tens of milliseconds after the last call
PAUSE = 0.06


def interleave(rivals, rounds):
    """{name: [seconds, …]}: each round gives every rival a turn, so that whatever else the machine does falls on all of
    them.

    A turn is a pause in which the threads of the rival before go to sleep, one call that is not timed, and one that is.
    """
    times = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, run in rivals.items():
            time.sleep(PAUSE)
            run()
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return times


def ratio(a, b):
    """The median over rounds of a/b, and the quartiles in brackets: "1.31 (1.28–1.35)"; no brackets after one round."""
    found = [x / y for x, y in zip(a, b)]
    if len(found) < 2:
        return f"{found[0]:.2f}"
    low, middle, high = statistics.quantiles(found, n=4)
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 8: 2.365, 10: 2.262}     # by n, 95 %, n − 1 degrees


def interval(shares):
    """The mean of several shares in percent with its 95 % interval: "93.1 ± 0.6"."""
    n = len(shares)
    error = statistics.stdev(shares) / n ** 0.5 * STUDENT[n]
    return f"{100 * statistics.fmean(shares):.1f} ± {100 * error:.1f}"


def machine(threads):
    """(multiply-adds, bandwidth): what the machine can do at most, in GFLOP/s with ``threads`` threads and in GB/s."""
    from native_peak import fma_gflops, triad_gbytes        # they need the C++ kernels
    return fma_gflops(threads), triad_gbytes()


def roof(limits, flops, nbytes):
    """The most GFLOP/s that work of ``flops`` operations on ``nbytes`` bytes can reach: by arithmetic, or by what must
    be moved."""
    peak, bandwidth = limits
    return min(peak, flops / nbytes * bandwidth)


def expect_steady(before, threads):
    """Measure the peak again and refuse the run if it drifted: then the machine had other things to do."""
    after, _ = machine(threads)
    drift = abs(after / before[0] - 1)
    print(f"multiply-add peak before {before[0]:.0f}, after {after:.0f} GFLOP/s")
    if drift > 0.05:
        raise SystemExit(f"the peak drifted by {drift:.0%}: the machine was not ours alone, discard these figures")


def pytorch(threads):
    """PyTorch, limited to ``threads`` threads; None where it is not installed."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    torch.set_num_threads(threads)
    return torch
