"""LeNet's convolutions and poolings, forward and backward: ours on each backend, and PyTorch, with equal threads.

    python benchmarks/conv.py [--rounds 9] [--threads 2] [--pictures 64]

float32. The first convolution sees the data, which needs no gradient: neither side computes one in training, nor in the
row "conv 1". The row "conv 1, with dx" asks both for it. "LeNet" is a whole step without the optimizer. Between two
rivals lies a pause of 0.25 s.
"""

from __future__ import annotations

import argparse
import statistics

import measure
import numpy as np
from measure import expect_steady, interleave, machine, pytorch, ratio

import tinyformer as tfm

from tinyformer.models import LeNet, LeNetConfig
from tinyformer.nn import functional as F

measure.PAUSE = 0.25

# name: channels in and out, height and width of x, kernel, padding; or the kernel of a pooling
LAYERS = {"conv 1": (1, 6, 28, 5, 2), "conv 1, with dx": (1, 6, 28, 5, 2), "pool 1": (6, 28, 2),
          "conv 2": (6, 16, 14, 5, 0), "pool 2": (16, 10, 2)}


def draw(name, pictures, rng):
    """(x, weight or None, bias or None, the function of nn.functional that takes its options, options)."""
    sizes = LAYERS[name]
    x = rng.random((pictures, sizes[0], sizes[-3 if len(sizes) == 5 else 1], sizes[-3 if len(sizes) == 5 else 1]),
                   dtype=np.float32)
    if len(sizes) == 3:
        return [x], "max_pool2d", {"kernel_size": sizes[2]}
    channels, out, _, kernel, padding = sizes
    weight = rng.standard_normal((out, channels, kernel, kernel), dtype=np.float32)
    return [x, weight, rng.standard_normal(out, dtype=np.float32)], "conv2d", {"padding": padding}


def ours(arrays, function, options, dy, with_input, backend):
    """One pass forward and backward."""
    def run():
        tfm.backend.use(backend)
        inputs = [tfm.Tensor(array, requires_grad=i > 0 or with_input) for i, array in enumerate(arrays)]
        getattr(F, function)(*inputs, **options).backward(dy)

    return run


def theirs(torch, arrays, function, options, dy, with_input):
    inputs = [torch.from_numpy(array).requires_grad_(i > 0 or with_input) for i, array in enumerate(arrays)]
    dy = torch.from_numpy(dy)

    def run():
        for tensor in inputs:
            tensor.grad = None
        getattr(torch.nn.functional, function)(*inputs, **options).backward(dy)

    return run


def lenet(torch, pictures, rng):
    """{rival: one step of the whole network, without the optimizer}."""
    x, y = rng.random((pictures, 1, 28, 28), dtype=np.float32), rng.integers(0, 10, pictures)
    model = LeNet(LeNetConfig())

    def step(backend):
        def run():
            tfm.backend.use(backend)
            model.zero_grad()
            model.loss(x, y).backward()
        return run

    rivals = {"ours": step("native"), "NumPy": step("numpy")}
    if torch:
        layers = torch.nn
        twin = layers.Sequential(
            layers.Conv2d(1, 6, 5, padding=2), layers.ReLU(), layers.MaxPool2d(2), layers.Conv2d(6, 16, 5),
            layers.ReLU(), layers.MaxPool2d(2), layers.Flatten(), layers.Linear(400, 120), layers.ReLU(),
            layers.Linear(120, 84), layers.ReLU(), layers.Linear(84, 10))
        tx, ty = torch.from_numpy(x), torch.from_numpy(y)

        def run():
            twin.zero_grad()
            layers.functional.cross_entropy(twin(tx), ty).backward()

        rivals["PyTorch"] = run
    return rivals


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=64)
    arguments = parser.parse_args()
    tfm.backend.set_num_threads(arguments.threads)
    torch = pytorch(arguments.threads)
    limits = machine(arguments.threads)
    print(f"{arguments.threads} threads, {arguments.pictures} pictures; medians of {arguments.rounds}, ms; "
          f"ratios with quartiles\n")
    print(f"{'':<24}{'ours':>9}{'NumPy':>9}{'PyTorch':>9}{'ours/NumPy':>20}{'ours/PyTorch':>20}")
    for name in [*LAYERS, "LeNet"]:
        rng = np.random.default_rng(0)
        if name == "LeNet":
            rivals = lenet(torch, arguments.pictures, rng)
        else:
            arrays, function, options = draw(name, arguments.pictures, rng)
            dy = rng.standard_normal(getattr(F, function)(*arrays, **options).shape, dtype=np.float32)
            given = arrays, function, options, dy, name != "conv 1"
            rivals = {"ours": ours(*given, "native"), "NumPy": ours(*given, "numpy")}
            if torch:
                rivals["PyTorch"] = theirs(torch, *given)
        times = interleave(rivals, arguments.rounds)
        median = {rival: statistics.median(seconds) for rival, seconds in times.items()}
        against = {rival: ratio(times["ours"], times[rival]) if rival in times else ""
                   for rival in ("NumPy", "PyTorch")}
        print(f"{name:<24}{median['ours'] * 1e3:9.2f}{median['NumPy'] * 1e3:9.2f}"
              f"{median.get('PyTorch', float('nan')) * 1e3:9.2f}{against['NumPy']:>20}{against['PyTorch']:>20}")
    expect_steady(limits, arguments.threads)


if __name__ == "__main__":
    main()
