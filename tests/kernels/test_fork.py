"""A child of fork computes even if other threads of its parent held locks at the fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tinyformer.kernels.backend import BACKENDS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# OpenBLAS with several threads hangs in a child that was forked while another thread multiplied. tinyformer cannot mend
# this; csrc/README.md mentions it. So NumPy's product runs on one thread in this test.
PROGRAM = """
import os, signal, sys, threading, time
import numpy as np
from tinyformer import kernels, nn, rng

x = np.ones((96, 96), np.float32)

def work():
    kernels.matmul(x, x)
    kernels.softmax(x)
    x @ x
    rng.generator().standard_normal(20000)

def forever():
    while True:
        work()

for _ in range(2):
    threading.Thread(target=forever, daemon=True).start()
for _ in range(FORKS):
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    end = time.monotonic() + 10
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            print("hung", flush=True)
            os._exit(1)
        time.sleep(0.002)
print("done", flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("name", ["numpy", "native", "cffi"])
def test_a_child_forked_in_the_middle_of_work_computes(name):
    pytest.importorskip(BACKENDS[name][0], reason="the C++ kernels were not built", exc_type=ImportError)
    environment = {**os.environ, "TINYFORMER_BACKEND": name, "OPENBLAS_NUM_THREADS": "1", "TINYFORMER_NUM_THREADS": "2"}
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", PROGRAM.replace("FORKS", "25")], env=environment,
                               stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.communicate(timeout=60)[0].strip() == "done"
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)          # with all children that hang
        except ProcessLookupError:
            pass
