"""What all tests share: a seed each, and the way to PyTorch where it is installed."""

from __future__ import annotations

import copy
import importlib.util
import os
import signal

# Several processes share the cores, so each computes with one thread. Before NumPy is imported, which reads this once.
if "PYTEST_XDIST_WORKER" in os.environ:
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

import tinyformer as tfm

# The same examples on every run: a check that fails must fail again. No deadline: a shared machine may stall.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("default")

# Without the kernels every training says so, which tests/kernels/test_backend.py looks at; other tests count lines.
if importlib.util.find_spec("tinyformer._native") is None:
    os.environ.setdefault("TINYFORMER_BACKEND", "numpy")

# A shell that starts the tests in the background has Ctrl-C ignored, and time limits are such interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
# nohup has a closed terminal ignored, and children inherit it
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def seeded():
    """Each test starts from the same random state."""
    tfm.seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def torch():
    """PyTorch; the test is skipped without it, unless TINYFORMER_REQUIRE_TORCH says that it must be there (CI does)."""
    if os.environ.get("TINYFORMER_REQUIRE_TORCH"):
        import torch
    else:
        torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    return torch


@pytest.fixture
def damaged():
    """``damaged(values, rng)``: a JSON object with one value, somewhere in it, lost or another one."""
    odd = (None, "x", "", [], [1], {}, {"a": 1}, -1, 0, 1, 2.5, 1e300, float("nan"), True, False, 10 ** 30, 10 ** 9,
           "1")

    def damage(values, rng):
        node = values = copy.deepcopy(values)
        while True:
            keys = [*node] if isinstance(node, dict) else [*range(len(node))]
            key = keys[rng.integers(min(len(keys), 40))]
            if not (isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.6):
                break
            node = node[key]
        if isinstance(node, dict) and rng.random() < 0.2:
            del node[key]
        else:
            node[key] = odd[rng.integers(len(odd))]
        return values

    return damage


@pytest.fixture
def tiny(tmp_path):
    """Settings, "section.key=value" each, of a run that takes a blink, and the small text that it learns from."""
    words = \
        "the with statement is used to wrap a block of code so that it is left cleanly whatever happens in it".split()
    rng = np.random.default_rng(0)
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("".join(" ".join(rng.choice(words, 6)) + "\n" for _ in range(80)), encoding="utf-8", newline="")
    return [f"data.corpus={corpus}", "model.n_layer=1", "model.n_head=2", "model.n_embd=16", "model.block_size=16",
            "train.optimizer=adamw", "train.batch_size=4", "train.warmup_steps=2", "train.max_steps=12",
            "train.eval_every=5", "train.eval_windows=3", "train.checkpoint_every=4"]
