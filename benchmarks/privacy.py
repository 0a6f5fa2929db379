"""The time of a private step with ghost clipping, of an ordinary step, and of one that stores all gradients.

    python benchmarks/privacy.py [--batch 256]

The models are the MLP of digits (two hidden layers of 256), LeNet, and a GPT of 64 tokens. Each figure is the median of
the ratio in turns that alternate.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import tinyformer as tfm
from tinyformer import optim, privacy
from tinyformer.models import GPT, MLP, GPTConfig, LeNet, LeNetConfig, MLPConfig


def models(batch, rng):
    """Yield (name, model, x, y)."""
    pictures, labels = rng.random((batch, 784), dtype=np.float32), rng.integers(0, 10, batch)
    yield "MLP", MLP(MLPConfig(784, 10)), pictures, labels
    yield "LeNet", LeNet(LeNetConfig()), pictures, labels
    ids = rng.integers(0, 65, (2, batch // 8, 64))
    yield "GPT", GPT(GPTConfig(vocab_size=65, block_size=64, n_layer=2, n_head=4, n_embd=128)), *ids


def steps(model, x, y):
    """{name: a function that makes one step}."""
    sgd = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    dp = privacy.DPOptimizer(sgd, noise_multiplier=1.0, max_grad_norm=1.0, expected_batch_size=len(x), rng=0)

    def ordinary():
        model.loss(x, y).backward()
        sgd.step()
        model.zero_grad()

    def ghost():
        dp.step(privacy.gradient_factors(model, x, y, dp.parameters))

    def stored():
        dp.step(privacy.gradient_factors(model, x, y, dp.parameters).arrays())

    return {"ordinary": ordinary, "ghost clipping": ghost, "stored gradients": stored}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--turns", type=int, default=15)
    given = parser.parse_args()
    tfm.seed(0)
    print(f"{'model':<8}{'ordinary step':>14}{'ghost clipping':>16}{'stored gradients':>18}")
    for name, model, x, y in models(given.batch, np.random.default_rng(0)):
        turns = steps(model, x, y)
        taken = {key: [] for key in turns}
        for turn in range(given.turns + 2):
            for key, step in turns.items():
                began = time.perf_counter()
                step()
                if turn > 1:                                # the first ones warm up
                    taken[key].append(time.perf_counter() - began)
        ratio = {key: statistics.median(a / b for a, b in zip(seconds, taken["ordinary"]))
                 for key, seconds in taken.items()}
        print(f"{name:<8}{1000 * statistics.median(taken['ordinary']):>11.1f} ms{ratio['ghost clipping']:>14.2f} ×"
              f"{ratio['stored gradients']:>16.2f} ×")


if __name__ == "__main__":
    main()
