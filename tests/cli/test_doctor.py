"""tinyformer doctor"""

import platform
import sys

import numpy as np


def test_what_it_runs_on(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYFORMER_DATA", str(tmp_path / "data"))
    result = cli("doctor")
    assert result.code == 0 and result.errors == []
    facts = {line[:13].strip(): line[13:] for line in result.lines}
    assert facts["Python"] == f"{platform.python_version()} in {sys.executable}"
    assert facts["NumPy"].startswith(f"{np.__version__} with BLAS: ")
    assert int(facts["threads"]) >= 1
    assert facts["backend"].endswith(" is live")
    assert facts["data"] == str(tmp_path / "data")
    assert facts["checkpoints"] == str(tmp_path / "home" / "runs")
    for name in ("pydocs", "pysource", "shakespeare"):
        assert name in facts["corpora"]


def test_every_backend_is_live_or_says_why_not(cli):
    from tinyformer import backend
    live = backend.info()["live"]
    lines = [line for line in cli("doctor").lines if line.startswith("  ")]
    assert [line.split()[0] for line in lines] == ["native", "cffi", "cuda", "numpy"]
    for line in lines:
        name, what = line.split(maxsplit=1)
        assert what.endswith(": live") == (name == live)
        assert len(what.rpartition(": ")[2]) > 3
