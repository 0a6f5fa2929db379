"""The table of planted mistakes, for tests that take ``operation`` or ``mistake``."""

from __future__ import annotations

import importlib
import runpy
from pathlib import Path

import pytest

PLANTED = runpy.run_path(str(Path(__file__).with_name("mistakes.py")))


def pytest_generate_tests(metafunc):
    if "operation" in metafunc.fixturenames:
        metafunc.parametrize("operation", PLANTED["OPERATIONS"], ids=lambda operation: operation.name)
    if "mistake" in metafunc.fixturenames:
        metafunc.parametrize("mistake", [m for m in PLANTED["MISTAKES"] if not m.held_out], ids=repr)


@pytest.fixture
def held_out():
    """The mistakes that the doctor was not tuned on."""
    return [m for m in PLANTED["MISTAKES"] if m.held_out]


@pytest.fixture
def outspoken(monkeypatch):
    """A suspicion that fails is an error here, not silence."""
    monkeypatch.setattr(importlib.import_module("tinyformer.gradcheck.doctor"), "RAISE", True)
