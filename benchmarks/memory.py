"""Peak memory of training the recipe shakespeare-char-cpu: the whole command, in a process of its own.

    python benchmarks/memory.py                 peak resident memory over 60 steps, an evaluation and the pictures
                                                included
    python benchmarks/memory.py --allocator     the training step with freed memory kept (our default) and given back

TINYFORMER_DATA must name the folder of tinyshakespeare.txt, or it is downloaded. Linux and macOS.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

STEP = """
import sys, time, numpy as np
sys.path.insert(0, {folder!r})
from train_step import B, T, V, ours
step = ours(*np.random.default_rng(0).integers(0, V, (2, B, T)))
for _ in range(5): step()
began = time.perf_counter()
for _ in range(20): step()
print((time.perf_counter() - began) / 20 * 1e3)
"""


def peak():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "tinyformer", "train", "shakespeare-char-cpu", "--out", f"{folder}/run",
                        "--set", "train.max_steps=60", "--set", "train.eval_every=30"], check=True,
                        stdout=subprocess.DEVNULL)
    unit = 1 if sys.platform == "darwin" else 1024
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6
    print(f"peak resident memory of tinyformer train shakespeare-char-cpu: {megabytes:.0f} MB")


def allocator():
    # glibc's own behavior returns when one of its settings is named at its default: then we leave it alone.
    ways = {"kept": {}, "given back": {"GLIBC_TUNABLES": "glibc.malloc.top_pad=131072"}}
    times = {name: [] for name in ways}
    for _ in range(5):
        for name, extra in ways.items():
            out = subprocess.run([sys.executable, "-c", STEP.format(folder=str(Path(__file__).parent))], check=True,
                                 text=True,
                                 capture_output=True, env={**os.environ, **extra}).stdout
            times[name].append(float(out))
    for name, milliseconds in times.items():
        print(f"freed memory {name:<12}{statistics.median(milliseconds):7.1f} ms a step (median of {len(milliseconds)} "
              f"processes)")
    print(f"ratio {statistics.median(b / a for a, b in zip(*times.values())):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--allocator", action="store_true")
    allocator() if parser.parse_args().allocator else peak()
