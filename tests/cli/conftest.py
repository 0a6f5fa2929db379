"""The command line, called in this process."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from tinyformer.cli import main


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """``cli("train", "--out", "x")`` runs that command in an empty folder: its exit code, output, and lines of
    errors."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.delenv("TINYFORMER_TRACEBACK", raising=False)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["tinyformer", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as left:
            code = left.code
        shown = capsys.readouterr()
        return SimpleNamespace(code=code, out=shown.out, lines=shown.out.splitlines(), errors=shown.err.splitlines())

    return call


@pytest.fixture
def refused(cli):
    """``refused(code, message, *arguments)``: the command ends with that code, one line of error, and no output but
    facts."""
    def call(code, message, *arguments):
        result = cli(*arguments)
        assert len(result.errors) == 1 and result.errors[0].startswith("tinyformer: "), result
        assert message in result.errors[0], result.errors
        assert result.code == code, result
        assert "Traceback" not in result.out and "val loss" not in result.out
        return result

    return call


@pytest.fixture
def trained(cli, tiny):
    """A finished tiny run in runs/pydocs-char of the folder that ``cli`` works in."""
    assert cli("train", "--set", *tiny).code == 0
    return "runs/pydocs-char"
