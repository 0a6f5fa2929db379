"""An LSTM forward and backward over a whole sequence: ours on each backend, and torch.nn.LSTM, with equal threads.

    python benchmarks/lstm.py [--rounds 9] [--threads 2] [--steps]

Gradients of the input and of all weights, float32. --steps shows where our time goes.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from measure import expect_steady, interleave, machine, pytorch, ratio

import tinyformer as tfm
from tinyformer import kernels, nn

SHAPES = [(32, 100, 64, 128), (64, 256, 128, 256)]          # sequences, times, features of the input, of the state


def ours(layer, x, dy, backend):
    """One pass forward and backward."""
    tensor = tfm.tensor(x, requires_grad=True)

    def run():
        tfm.backend.use(backend)
        layer.zero_grad()
        y, _ = layer(tensor)
        y.backward(dy)
        tensor.grad = None

    return run


def theirs(torch, layer, x, dy):
    tx, tdy = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dy)

    def run():
        layer.zero_grad()
        y, _ = layer(tx)
        y.backward(tdy)
        tx.grad = None

    return run


def steps(layer, x, dy):
    """Milliseconds of each part of ours."""
    T, B, I = x.shape
    W, U = layer.weight_ih_l0.data, layer.weight_hh_l0.data
    H = U.shape[1]
    zeros = np.zeros((B, H), np.float32)
    a = kernels.linear(x.reshape(-1, I), W, layer.bias_ih_l0.data).reshape(T, B, 4 * H)
    (h, _), vjp = kernels.lstm(a.copy(), zeros, zeros, U)
    da = vjp(dy, zeros, zeros)[0].reshape(-1, 4 * H)
    parts = {
        "inputs to gates": lambda: kernels.linear(x.reshape(-1, I), W, layer.bias_ih_l0.data),
        "through time": lambda: kernels.lstm(a, zeros, zeros, U),
        "back through time": lambda: vjp(dy, zeros, zeros),
        "dx": lambda: kernels.matmul(da, W), "dW_ih": lambda: kernels.matmul(da.T, x.reshape(-1, I)),
        "dW_hh": lambda: kernels.matmul(da.T, h[:-1].reshape(-1, H)), "db": lambda: da.sum(axis=0)}
    for name, run in parts.items():
        times = []
        for _ in range(5):
            began = time.perf_counter()
            run()
            times.append(time.perf_counter() - began)
        print(f"    {name:<20}{statistics.median(times) * 1e3:9.2f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", action="store_true")
    arguments = parser.parse_args()
    tfm.backend.set_num_threads(arguments.threads)
    torch = pytorch(arguments.threads)
    limits = peak, _ = machine(arguments.threads)
    print(f"{arguments.threads} threads, multiply-add peak {peak:.0f} GFLOP/s; medians of {arguments.rounds}, ms; "
          f"ratios with quartiles\n")
    print(f"{'(N, T, in, hidden)':<22}{'ours':>9}{'% peak':>8}{'NumPy':>9}{'PyTorch':>9}{'/NumPy':>20}{'/PyTorch':>20}")
    for B, T, I, H in SHAPES:
        rng = np.random.default_rng(0)
        x, dy = (rng.standard_normal((T, B, n), dtype=np.float32) for n in (I, H))
        layer = nn.LSTM(I, H)
        rivals = {"ours": ours(layer, x, dy, "native"), "NumPy": ours(layer, x, dy, "numpy")}
        if torch:
            twin = torch.nn.LSTM(I, H)
            twin.load_state_dict({name: torch.from_numpy(array) for name, array in layer.state_dict().items()})
            rivals["PyTorch"] = theirs(torch, twin, x, dy)
        times = interleave(rivals, arguments.rounds)
        median = {name: statistics.median(seconds) for name, seconds in times.items()}
        flops = 3 * 2 * T * B * 4 * H * (I + H) / 1e9
        against = {name: ratio(times[name], times["ours"]) if name in times else ""
                   for name in ("NumPy", "PyTorch")}
        print(f"{str((B, T, I, H)):<22}{median['ours'] * 1e3:9.2f}{100 * flops / median['ours'] / peak:8.1f}"
              f"{median['NumPy'] * 1e3:9.2f}"
              f"{median.get('PyTorch', float('nan')) * 1e3:9.2f}{against['NumPy']:>20}{against['PyTorch']:>20}")
        if arguments.steps:
            tfm.backend.use("native")
            steps(layer, x, dy)
    expect_steady(limits, arguments.threads)


if __name__ == "__main__":
    main()
