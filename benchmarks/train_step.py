"""One training step of the recipe shakespeare-char-cpu, here and in PyTorch eager, in one process with equal threads.

    python benchmarks/train_step.py [--rounds 30] [--threads 2]
    python benchmarks/train_step.py --compile       torch.compile beside them; it takes a minute to compile
    python benchmarks/train_step.py --busy          and all of them once more while another program keeps one core busy

A step is forward, backward, clipping and AdamW on 12 windows of 64 tokens. Ours runs on the C++ kernels and, as it does
where they could not be built, on NumPy. PyTorch's AdamW is its default, not its fused one. Where PyTorch is not
installed it measures ours.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

import numpy as np
from measure import expect_steady, interleave, machine, ratio

import tinyformer as tfm
from tinyformer.models import GPT, GPTConfig
from tinyformer.optim import AdamW, clip_grad_norm_, param_groups_by_decay

B, T, V, L, H, C = 12, 64, 65, 4, 4, 128
TOGETHER = 3            # steps of a turn: a training step finds the caches as the step before it left them


def step_flops():
    """Floating-point operations of a step: 6 for each weight of a matrix product and token, 12 L T C a token for
    attention."""
    weights = L * 12 * C * C + V * C
    return B * T * (6 * weights + 12 * L * T * C)


def ours(x, y, backend=None):
    """A step on a backend, or on the one that is in use."""
    tfm.seed(0)
    model = GPT(GPTConfig(vocab_size=V, block_size=T, n_layer=L, n_head=H, n_embd=C, bias=False))
    optimizer = AdamW(param_groups_by_decay(model.parameters(), 0.1), lr=1e-3, betas=(0.9, 0.99))
    parameters = list(model.parameters())

    def step():
        if backend:
            tfm.backend.use(backend)
        model.loss(x, y).backward()
        clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def pytorch(x, y, threads, compiled=False):
    import torch
    from peer import TorchGPT, make_optimizer
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = TorchGPT(V, T, L, H, C, bias=False)
    optimizer = make_optimizer(model)
    forward = torch.compile(model) if compiled else model
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def step():
        forward(x, y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def several(step):
    def steps():
        for _ in range(TOGETHER):
            step()

    return steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--busy", action="store_true")
    arguments = parser.parse_args()
    tfm.backend.set_num_threads(arguments.threads)
    x, y = np.random.default_rng(0).integers(0, V, (2, B, T))
    rivals = {"tinyformer": ours(x, y, "native"), "tinyformer, NumPy": ours(x, y, "numpy")}
    try:
        rivals["PyTorch eager"] = pytorch(x, y, arguments.threads)
    except ModuleNotFoundError:
        print("PyTorch is not installed: measuring tinyformer alone")
    if arguments.compile and "PyTorch eager" in rivals:
        try:
            rivals["torch.compile"] = pytorch(x, y, arguments.threads, compiled=True)
            rivals["torch.compile"]()
        except Exception as error:                      # whatever its compiler lacks here
            del rivals["torch.compile"]
            print(f"torch.compile does not work here: {type(error).__name__}: {str(error).splitlines()[0]}")
    rivals = {name: several(step) for name, step in rivals.items()}
    limits = machine(arguments.threads)
    print(f"{arguments.threads} threads, {arguments.rounds} rounds, {step_flops() / 1e9:.2f} GFLOP a step, "
          f"multiply-add peak "
          f"{limits[0]:.0f} GFLOP/s; × ours: the median of the rounds' ratios (quartiles)\n")
    print(f"{'':<20}{'ms':>8}{'tokens/s':>11}{'GFLOP/s':>9}{'% of peak':>11}{'× ours':>20}")
    times = interleave(rivals, arguments.rounds)
    for name, seconds in times.items():
        median = statistics.median(seconds) / TOGETHER
        rate = step_flops() / median / 1e9
        print(f"{name:<20}{median * 1e3:8.1f}{B * T / median:11,.0f}{rate:9.1f}{100 * rate / limits[0]:11.1f}"
              f"{ratio(seconds, times['tinyformer']):>20}")
    if arguments.busy:
        other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            disturbed = interleave(rivals, arguments.rounds)
        finally:
            other.kill()
        print("\nwhile another program keeps one core busy:")
        for name, seconds in disturbed.items():
            median = statistics.median(seconds)
            print(f"{name:<20}{median / TOGETHER * 1e3:8.1f} ms, {median / statistics.median(times[name]):.2f} × its "
                  f"own quiet time")
    expect_steady(limits, arguments.threads)


if __name__ == "__main__":
    main()
