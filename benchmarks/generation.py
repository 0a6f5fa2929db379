"""Text from the model of shakespeare-char-cpu, one stream with a cache of keys and values: tokens a second, here and in
PyTorch.

    python benchmarks/generation.py [--rounds 15] [--threads 2] [--tokens 48]

Both read 16 tokens and then choose the most likely next one, again and again, within the model's 64 positions. PyTorch
eager has a cache of its own (peer.py) and the same weights; the tokens must be the same.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
from measure import expect_steady, interleave, machine, pytorch, ratio
from train_step import C, H, L, T, V

import tinyformer as tfm
from tinyformer.models import GPT, GPTConfig

PROMPT = 16


def same_weights(peer, model, torch):
    """The peer with the model's weights: they bear other names, but stand in the same order."""
    with torch.no_grad():
        for theirs, ours in zip(peer.parameters(), model.parameters(), strict=True):
            theirs.copy_(torch.from_numpy(ours.data))
    return peer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=T - PROMPT)
    arguments = parser.parse_args()
    tfm.backend.set_num_threads(arguments.threads)
    tfm.seed(0)
    model = GPT(GPTConfig(vocab_size=V, block_size=T, n_layer=L, n_head=H, n_embd=C, bias=False)).eval()
    ids, n = np.random.default_rng(0).integers(0, V, (1, PROMPT)), arguments.tokens
    rivals = {"tinyformer": lambda: model.generate(ids, n, temperature=0)[:, PROMPT:]}
    if torch := pytorch(arguments.threads):
        from peer import TorchGPT
        peer, tensor = same_weights(TorchGPT(V, T, L, H, C, bias=False).eval(), model, torch), torch.from_numpy(ids)
        rivals["PyTorch eager"] = lambda: peer.generate(tensor, n)
        if not (rivals["tinyformer"]() == rivals["PyTorch eager"]().numpy()).all():
            raise SystemExit("the two do not choose the same tokens: this compares different work")
    limits = machine(arguments.threads)
    times = interleave(rivals, arguments.rounds)
    print(f"{n} tokens after {PROMPT}, {arguments.threads} threads, {arguments.rounds} rounds\n")
    for name, seconds in times.items():
        print(f"{name:<16}{n / statistics.median(seconds):8,.0f} tokens/s")
    if len(times) == 2:
        mine, theirs = times.values()
        print(f"\ntinyformer makes {ratio(theirs, mine)} × the tokens of PyTorch eager (median of the "
              f"rounds' ratios, quartiles)")
    expect_steady(limits, arguments.threads)


if __name__ == "__main__":
    main()
