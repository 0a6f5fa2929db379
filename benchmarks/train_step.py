"""One training step of the recipe shakespeare-char-cpu, here and in PyTorch eager, in one process with equal threads.

    python benchmarks/train_step.py [--rounds 30] [--threads 2]

A step is forward, backward, clipping and AdamW on 12 windows of 64 tokens. Where PyTorch is not installed it measures ours.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
from measure import interleave, median_ratio, peak_gflops

import tinyformer as tfm
from tinyformer.models import GPT, GPTConfig
from tinyformer.optim import AdamW, clip_grad_norm_, param_groups_by_decay

B, T, V, L, H, C = 12, 64, 65, 4, 4, 128


def step_flops():
    """Floating-point operations of a step: 6 for each weight of a matrix product and token, 12 L T C a token for attention."""
    weights = L * 12 * C * C + V * C
    return B * T * (6 * weights + 12 * L * T * C)


def ours(x, y):
    tfm.seed(0)
    model = GPT(GPTConfig(vocab_size=V, block_size=T, n_layer=L, n_head=H, n_embd=C, bias=False))
    optimizer = AdamW(param_groups_by_decay(model.parameters(), 0.1), lr=1e-3, betas=(0.9, 0.99))
    parameters = list(model.parameters())

    def step():
        model.loss(x, y).backward()
        clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def pytorch(x, y, threads):
    import torch
    from peer import TorchGPT, make_optimizer
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = TorchGPT(V, T, L, H, C, bias=False)
    optimizer = make_optimizer(model)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def step():
        model(x, y).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    tfm.backend.set_num_threads(arguments.threads)
    x, y = np.random.default_rng(0).integers(0, V, (2, B, T))
    rivals = {f"tinyformer ({tfm.backend.info()['live']})": ours(x, y)}
    try:
        rivals["PyTorch eager"] = pytorch(x, y, arguments.threads)
    except ModuleNotFoundError:
        print("PyTorch is not installed: measuring tinyformer alone")
    before = peak_gflops()
    times = interleave(rivals, arguments.rounds)
    peak = max(before, peak_gflops())
    print(f"{arguments.threads} threads, {arguments.rounds} rounds, {step_flops() / 1e9:.2f} GFLOP a step, "
          f"measured peak {peak:.0f} GFLOP/s\n")
    print(f"{'':<22}{'ms':>8}{'tokens/s':>11}{'GFLOP/s':>9}{'% of peak':>11}")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        rate = step_flops() / median / 1e9
        print(f"{name:<22}{median * 1e3:8.1f}{B * T / median:11,.0f}{rate:9.1f}{100 * rate / peak:11.1f}")
    if len(times) == 2:
        mine, theirs = times.values()
        print(f"\ntinyformer takes {median_ratio(mine, theirs):.2f} × the time of PyTorch eager (median of the rounds' ratios)")


if __name__ == "__main__":
    main()
