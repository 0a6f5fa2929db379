"""How long `import tinyformer` takes, and NumPy's part of it: medians over fresh processes.

    python benchmarks/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys

CLOCK = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"


def main():
    for name in ("numpy", "tinyformer"):
        seconds = [float(subprocess.run([sys.executable, "-c", CLOCK.format(name)], check=True, text=True,
                                        capture_output=True).stdout) for _ in range(11)]
        print(f"import {name:<12}{statistics.median(seconds) * 1e3:6.0f} ms")


if __name__ == "__main__":
    main()
