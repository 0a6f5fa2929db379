"""The collections of mistakes, for tests that take ``operation``, ``mistake``, ``written`` or ``unseen``."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tinyformer.gradcheck.doctor import Doctor

HERE = Path(__file__).parent
PLANTED = runpy.run_path(str(HERE / "mistakes.py"))
functions = runpy.run_path(str(HERE / "functions.py"))["functions"]
UNSEEN, WRITTEN = functions(HERE / "unseen.py"), functions(HERE / "written.py")


def pytest_generate_tests(metafunc):
    if "operation" in metafunc.fixturenames:
        metafunc.parametrize("operation", PLANTED["OPERATIONS"], ids=lambda operation: operation.name)
    if "mistake" in metafunc.fixturenames:
        metafunc.parametrize("mistake", [m for m in PLANTED["MISTAKES"] if not m.held_out], ids=repr)


@pytest.fixture
def held_out():
    """The mistakes that the doctor was not tuned on."""
    return [m for m in PLANTED["MISTAKES"] if m.held_out]


@pytest.fixture(params=UNSEEN + WRITTEN, ids=lambda function: function.name)
def written(request):
    """A function of the sets that a learner might have written."""
    return request.param


@pytest.fixture
def unseen():
    """Of the sets of written functions the one that is held out."""
    return UNSEEN


@pytest.fixture(autouse=True)
def failures_are_loud(monkeypatch):
    """A hypothesis that fails is an error here, not silence."""
    def again(self, what, error):
        raise error
    monkeypatch.setattr(Doctor, "failed", again)
