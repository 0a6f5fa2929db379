"""How long `import tinyformer` takes, and NumPy's part of it: medians over fresh processes.

    python benchmarks/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys

CLOCK = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"


def main():
    times = {"numpy": [], "tinyformer": []}
    for _ in range(11):                                     # in turn: whatever else the machine does falls on both
        for name, seconds in times.items():
            out = subprocess.run([sys.executable, "-c", CLOCK.format(name)], check=True, text=True, capture_output=True)
            seconds.append(1e3 * float(out.stdout))
    for name, seconds in times.items():
        low, middle, high = statistics.quantiles(seconds, n=4)
        print(f"import {name:<12}{middle:6.0f} ms   (quartiles {low:.0f} to {high:.0f})")


if __name__ == "__main__":
    main()
