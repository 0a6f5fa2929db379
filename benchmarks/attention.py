"""Causal attention, forward and forward with backward: ours, the NumPy reference and PyTorch, with equal threads.

    python benchmarks/attention.py [--rounds 9] [--threads 2] [--memory]

GFLOP/s count the half of the square that a causal mask leaves. --memory measures what 8,192 positions need beyond
inputs and outputs, in a process of its own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

import numpy as np
from gemm import turns
from measure import expect_steady, machine, pytorch, roof

import tinyformer as tfm
from tinyformer.kernels import native, reference

SHAPES = [(12, 4, 64, 32), (4, 6, 256, 64), (1, 8, 1024, 64), (1, 8, 2048, 64)]

MEMORY = """
import resource, numpy as np
from tinyformer.kernels import native
q, k, v, do = np.ones((4, 1, 1, 8192, 64), np.float32)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
small = native.attention(q[:, :, :64], k[:, :, :64], v[:, :, :64], is_causal=True, scale=0.125)[1](do[:, :, :64])
before = peak()
out, vjp = native.attention(q, k, v, is_causal=True, scale=0.125)
gradients = vjp(do)
print((peak() - before - out.nbytes - sum(g.nbytes for g in gradients[:3])) / 1e6)
"""


def both(run, do):
    """Forward, then backward."""
    def step():
        out, vjp = run()
        vjp(do)

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    if arguments.memory:
        grown = subprocess.run([sys.executable, "-c", MEMORY], text=True, capture_output=True, check=True).stdout
        print(f"8,192 positions, one head of width 64, forward and backward: {float(grown):.1f} MB beyond inputs and "
              f"outputs")
        return
    tfm.backend.set_num_threads(arguments.threads)
    torch = pytorch(arguments.threads)
    limits = peak, bandwidth = machine(arguments.threads)
    print(f"{native.library.isa()}, {arguments.threads} threads, multiply-add peak {peak:.0f} GFLOP/s, "
          f"triad {bandwidth:.1f} GB/s\n")
    print(f"{'(B, H, T, D)':<20}{'':<10}{'ours ms':>9}{'% roof':>8}{'NumPy':>9}{'PyTorch':>9}{'/NumPy':>8}"
          f"{'/PyTorch':>10}   medians, ms")
    for B, H, T, D in SHAPES:
        rng = np.random.default_rng(0)
        q, k, v, do = (rng.standard_normal((B, T, H, D), dtype=np.float32).swapaxes(1, 2) for _ in range(4))
        options = {"is_causal": True, "scale": D ** -0.5}
        runs = {"ours": lambda: native.attention(q, k, v, **options),
                "NumPy": lambda: reference.attention(q, k, v, **options)}
        forward, full = dict(runs), {name: both(run, do) for name, run in runs.items()}
        if torch:
            sdpa = torch.nn.functional.scaled_dot_product_attention
            tq, tk, tv, tdo = (torch.from_numpy(a) for a in (q, k, v, do))
            gq, gk, gv = (t.clone().requires_grad_() for t in (tq, tk, tv))
            forward["PyTorch"] = lambda: sdpa(tq, tk, tv, is_causal=True)

            def torch_full():
                torch.autograd.grad(sdpa(gq, gk, gv, is_causal=True), (gq, gk, gv), tdo)
            full["PyTorch"] = torch_full
        products = B * H * T * T * D / 1e9                      # GFLOP of one product, its masked half left out
        # Moved at least: q, k, v and the output; then these again, the output's gradient and the three of q, k, v.
        for what, rivals, flops, arrays in (("forward", forward, 2 * products, 4), ("both", full, 7 * products, 12)):
            calls = max(1, round(2e-3 * peak / 2 / flops))
            times = turns({name: (run, 1 if name == "NumPy" else calls) for name, run in rivals.items()},
                          arguments.rounds)
            best = {name: min(seconds) for name, seconds in times.items()}
            theirs = best.get("PyTorch", float("nan"))
            of_roof = 100 * flops / best["ours"] / roof(limits, flops * 1e9, arrays * q.nbytes)
            print(f"{str((B, H, T, D)):<20}{what:<10}{best['ours'] * 1e3:9.2f}{of_roof:8.1f}"
                  f"{best['NumPy'] * 1e3:9.2f}{theirs * 1e3:9.2f}{best['NumPy'] / best['ours']:8.2f}"
                  f"{theirs / best['ours']:10.2f}   "
                  + ", ".join(f"{name} {statistics.median(seconds) * 1e3:.2f}" for name, seconds in times.items()))
    expect_steady(limits, arguments.threads)


if __name__ == "__main__":
    main()
