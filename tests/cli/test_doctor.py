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
    told = cli("doctor").lines
    lines = told[told.index(f"backend      {live} is live") + 1:][:4]
    assert [line.split()[0] for line in lines] == ["native", "cffi", "cuda", "numpy"]
    for line in lines:
        name, what = line.split(maxsplit=1)
        assert what.endswith(": live") == (name == live)
        assert len(what.rpartition(": ")[2]) > 3


def test_the_environment_variables_and_their_values(cli, monkeypatch, tmp_path):
    from tinyformer.environment import VARIABLES
    monkeypatch.setenv("TINYFORMER_DATA", str(tmp_path / "here"))
    monkeypatch.delenv("TINYFORMER_ISA", raising=False)
    lines = [line.split(maxsplit=1) for line in cli("doctor").lines if line.startswith("  ")]
    told = dict(line for line in lines if len(line) == 2)
    assert {variable.name for variable in VARIABLES} <= set(told)
    assert told["TINYFORMER_DATA"] == str(tmp_path / "here")
    assert told["TINYFORMER_ISA"] == "not set: the best that the processor has"
