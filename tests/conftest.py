"""What all tests share: a seed each, and the way to PyTorch where it is installed."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import settings

import tinyformer as tfm

# The same examples on every run: a check that fails must fail again. No deadline: a shared machine may stall.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("default")


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
