"""Tiny Shakespeare: the published recipe and our best one, several seeds, on the whole validation split; PyTorch beside
them.

    python benchmarks/shakespeare.py                                    shakespeare-char-cpu, seeds 1 2 3
    python benchmarks/shakespeare.py --recipe shakespeare-char-cpu-best
    python benchmarks/shakespeare.py --pytorch                          the published recipe in PyTorch eager, the same
    seeds

Both are scored the same way: windows of the model's block side by side, every token but the first. TINYFORMER_DATA must
name the folder of tinyshakespeare.txt, or it is downloaded. Run it when the machine has nothing else to do: it prints
seconds too. Ours include evaluations and checkpoints, PyTorch's do not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import statistics
import tempfile
import time

import numpy as np

from tinyformer.data import random_windows, windows
from tinyformer.train import load_recipe, train
from tinyformer.train.tasks import Language


def ours(name, seed):
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        result = train(load_recipe(name, [f"train.seed={seed}"]), folder)
    return result.val_loss, result.seconds


def pytorch(name, seed):
    import torch
    from peer import TorchGPT, make_optimizer
    recipe = load_recipe(name)
    settings, corpus = recipe.train, Language(recipe.data)
    config = recipe.model_config(**corpus.sizes())
    torch.manual_seed(seed)
    model = TorchGPT(config.vocab_size, config.block_size, config.n_layer, config.n_head, config.n_embd, config.bias)
    optimizer = make_optimizer(model, settings.lr, (settings.beta1, settings.beta2), settings.weight_decay)
    rng = np.random.default_rng(seed)

    def tensors(pair):
        return (torch.from_numpy(np.ascontiguousarray(ids)) for ids in pair)

    began = time.perf_counter()
    for step in range(settings.max_steps):
        if step < settings.warmup_steps:
            lr = settings.lr * (step + 1) / (settings.warmup_steps + 1)
        else:
            done = (step - settings.warmup_steps) / (settings.max_steps - settings.warmup_steps)
            lr = settings.min_lr + 0.5 * (1 + math.cos(math.pi * done)) * (settings.lr - settings.min_lr)
        for group in optimizer.param_groups:
            group["lr"] = lr
        model(*tensors(random_windows(corpus.train, settings.batch_size, config.block_size, rng))).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - began
    total = count = 0
    with torch.no_grad():
        for x, y in windows(corpus.validation, 32, config.block_size):
            total += model(*tensors((x, y))).item() * y.size
            count += y.size
    return total / count, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="shakespeare-char-cpu")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--pytorch", action="store_true")
    arguments = parser.parse_args()
    run = pytorch if arguments.pytorch else ours
    print(f"{arguments.recipe} in {'PyTorch eager' if arguments.pytorch else 'tinyformer'}")
    losses, times = [], []
    for seed in arguments.seeds:
        loss, seconds = run(arguments.recipe, seed)
        losses.append(loss)
        times.append(seconds)
        print(f"seed {seed}: {loss:.4f} nats per character, {seconds:.0f} s", flush=True)
    spread = f" ± {statistics.stdev(losses):.4f} between seeds" if len(losses) > 1 else ""
    print(f"mean {statistics.mean(losses):.4f}{spread}, {statistics.mean(times):.0f} s")


if __name__ == "__main__":
    main()
