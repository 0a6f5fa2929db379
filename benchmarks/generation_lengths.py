"""What a token costs after prompts of different lengths, in a small Llama with a cache of keys and values.

    python benchmarks/generation_lengths.py [--rounds 7] [--threads 2] [--tokens 32] [--lengths 16 64 256 1024]

With the cache a step computes one position, whatever stands before it; attention alone looks back, at every key and
value there is. So its share must grow with the length, and the rest stay flat: the last line says by how much each did.
Attention is timed separately, on arrays of the shapes that it gets from the cache.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from generation_hf import CONFIG
from measure import PAUSE

import tinyformer as tfm
from tinyformer import ops
from tinyformer.generate import stream
from tinyformer.models import Llama


def steps(model, ids, tokens):
    """Seconds of each of ``tokens`` tokens after ``ids``: not of the first one, for which the prompt is read."""
    return np.diff([time.perf_counter() for _ in stream(model, ids, tokens + 1, temperature=0)])


def attention(length, tokens, rng):
    """A function that gives the seconds of attention in all layers, for each of ``tokens`` tokens."""
    c = CONFIG
    q = rng.normal(size=(1, c.n_head, 1, c.head_dim)).astype(np.float32)
    k, v = rng.normal(size=(2, 1, c.n_kv_head, length + tokens + 1, c.head_dim)).astype(np.float32)

    def run():
        came = [time.perf_counter()]
        with tfm.no_grad():
            for past in range(length + 1, length + tokens + 1):
                for _ in range(c.n_layer):
                    ops.scaled_dot_product_attention(q, k[:, :, :past], v[:, :, :past])
                came.append(time.perf_counter())
        return np.diff(came)

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("rounds", 7), ("threads", 2), ("tokens", 32)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--lengths", type=int, nargs="+", default=[16, 64, 256, 1024], metavar="N")
    arguments = parser.parse_args()
    tfm.backend.set_num_threads(arguments.threads)
    tfm.seed(0)
    rng, model, n = np.random.default_rng(0), Llama(CONFIG).eval(), arguments.tokens
    rivals = {}
    for length in arguments.lengths:
        ids = rng.integers(0, CONFIG.vocab_size, (1, length))
        rivals[length] = (lambda ids=ids: steps(model, ids, n)), attention(length, n, rng)
    times = {length: ([], []) for length in rivals}
    # in turn: whatever else the machine does falls on all of them
    for _ in range(arguments.rounds):
        for length, runs in rivals.items():
            for run, seconds in zip(runs, times[length]):
                time.sleep(PAUSE)
                run()
                seconds.extend(run())
    print(f"{n} tokens after each prompt, {arguments.threads} threads, medians over {arguments.rounds} rounds, ms a "
          f"token\n")
    print("prompt      whole  attention   the rest")
    found = []
    for length, (whole, looking) in times.items():
        whole, looking = statistics.median(whole), statistics.median(looking)
        found.append((looking, whole - looking))
        print(f"{length:6}{1e3 * whole:11.3f}{1e3 * looking:11.3f}{1e3 * (whole - looking):11.3f}")
    grown = [after / before for before, after in zip(found[0], found[-1])]
    print(f"\nfrom {arguments.lengths[0]} tokens to {arguments.lengths[-1]}: attention {grown[0]:.2f} ×, the rest "
          f"{grown[1]:.2f} ×")


if __name__ == "__main__":
    main()
