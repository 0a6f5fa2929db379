import hashlib
import io
import os
import sys
import urllib.request

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinyformer.text import CORPORA, corpora, data_folder, load_corpus

REAL = os.environ.get("TINYFORMER_DATA")


@pytest.fixture(autouse=True)
def outside(monkeypatch, tmp_path):
    """No test reads the network or the user's folders; ``outside`` is where the data folder is instead."""
    def no_network(url, timeout):
        raise OSError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setenv("TINYFORMER_DATA", str(tmp_path / "data"))
    return tmp_path


# ------------------------------------------------------------------------------------------------ what Python brings

def test_pydocs_are_the_help_topics_each_paragraph_once():
    from pydoc_data.topics import topics
    text = load_corpus("pydocs")
    assert text == load_corpus("pydocs")
    assert 250_000 < len(text) < 800_000 and text.endswith("\n") and not text.endswith("\n\n")
    paragraphs = text.rstrip("\n").split("\n\n")
    assert len({" ".join(paragraph.split()) for paragraph in paragraphs}) == len(paragraphs)
    place = 0
    for paragraph in paragraphs:                                        # none is made up, and they keep their order
        place = next(i for i in range(place, len(topics)) if paragraph in topics[sorted(topics)[i]])
    everything = "".join("".join(topics.values()).split())
    assert all("".join(paragraph.split()) in everything for paragraph in paragraphs)


def test_a_paragraph_that_differs_in_white_space_alone_is_a_repetition():
    texts = ["\nOne\n===\n\n   a  b\n   c\n \t\n\nlast\n", "One\n===\n\na b\nc\n\nnew\n", "\n \n"]
    assert corpora.unique_paragraphs(texts) == ["One\n===", "   a  b\n   c", "last", "new"]


def test_pysource_is_the_standard_library_within_its_limit(monkeypatch):
    text = load_corpus("pysource")
    assert 3_000_000 < len(text) <= corpora.PYSOURCE_LIMIT
    assert "class Fraction(numbers.Rational):" in text
    monkeypatch.setattr(corpora, "PYSOURCE_LIMIT", 100_000)
    start = load_corpus("pysource")
    assert 50_000 < len(start) <= 100_000
    assert text.startswith(start)


def test_pysource_passes_over_what_is_not_utf8_or_not_pythons_own(monkeypatch, tmp_path):
    files = {"abc": b"first\n", "ast": b"\xff\n", "bisect": "zwölf\n".encode(), "aaa_mine": b"mine\n"}
    for name, content in files.items():
        (tmp_path / f"{name}.py").write_bytes(content)
    monkeypatch.setattr(corpora.sysconfig, "get_path", lambda name: str(tmp_path))
    assert load_corpus("pysource") == "first\nzwölf\n"


def test_a_python_without_them_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(corpora.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(OSError, match="pysource: this Python was installed without its source"):
        load_corpus("pysource")
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(OSError, match="pydocs: this Python was installed without pydoc_data.topics"):
        load_corpus("pydocs")


# ------------------------------------------------------------------------------------------------ shakespeare

PLAY = b"First Citizen:\nSpeak, speak.\n"


@pytest.fixture
def play(monkeypatch):
    """A short play in the place of the real file."""
    monkeypatch.setattr(corpora, "SHAKESPEARE_SHA256", hashlib.sha256(PLAY).hexdigest())
    return PLAY.decode()


def test_the_data_folder_is_the_environments_or_the_users_cache(outside, monkeypatch):
    assert data_folder() == outside / "data"
    for unset in (lambda: monkeypatch.setenv("TINYFORMER_DATA", ""), lambda: monkeypatch.delenv("TINYFORMER_DATA")):
        unset()
        assert data_folder() == outside / "cache" / "tinyformer"


@pytest.mark.parametrize("folder", ["data", "cache/tinyformer"])
def test_shakespeare_is_found_in_the_data_folder_or_the_cache(folder, outside, play):
    (outside / folder).mkdir(parents=True)
    (outside / folder / "tinyshakespeare.txt").write_bytes(PLAY)
    assert load_corpus("shakespeare") == play


def test_shakespeare_is_downloaded_once(outside, play, monkeypatch):
    asked = []

    def urlopen(url, timeout):
        asked.append(url)
        return io.BytesIO(PLAY)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    assert load_corpus("shakespeare") == play
    assert (outside / "data" / "tinyshakespeare.txt").read_bytes() == PLAY
    assert load_corpus("shakespeare") == play
    assert asked == [corpora.SHAKESPEARE_URL]


def test_a_wrong_file_is_not_taken_for_shakespeare(outside):
    path = outside / "data" / "tinyshakespeare.txt"
    path.parent.mkdir()
    path.write_bytes(PLAY)
    with pytest.raises(ValueError, match="expected 86c4e6aa9db7c042.*; delete it") as caught:
        load_corpus("shakespeare")
    assert str(path) in str(caught.value)
    assert hashlib.sha256(PLAY).hexdigest() in str(caught.value)


def test_a_wrong_download_is_not_kept(outside, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(PLAY))
    with pytest.raises(ValueError, match="https://.* has SHA-256 .*, expected 86c4e6aa9db7c042.*nothing was saved"):
        load_corpus("shakespeare")
    assert not list(outside.rglob("*shakespeare*"))


def test_without_a_network_the_error_says_where_to_put_the_file(outside):
    with pytest.raises(OSError, match="could not download https://.*no network in tests") as caught:
        load_corpus("shakespeare")
    assert str(caught.value).endswith(f"put the file at {outside / 'data' / 'tinyshakespeare.txt'}")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not REAL, reason="TINYFORMER_DATA does not say where the real file is")
def test_the_real_shakespeare(monkeypatch):
    monkeypatch.setenv("TINYFORMER_DATA", REAL)
    text = load_corpus("shakespeare")
    assert len(text) == 1_115_394
    assert len(set(text)) == 65
    assert text.startswith("First Citizen:\nBefore we proceed any further")


# ------------------------------------------------------------------------------------------------ files

@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1))
def test_a_file_is_read_as_it_is(tmp_path, text):
    path = tmp_path / "file.txt"
    for start in ("", "\ufeff"):
        path.write_bytes((start + text).encode())
        expected = (start + text).removeprefix("\ufeff")
        if expected:
            assert load_corpus(path) == load_corpus(str(path)) == expected


def test_line_ends_stay(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert load_corpus(path) == "one\r\ntwo\rthree\n"


@pytest.mark.parametrize("content, said", [
    (b"", "is empty"),
    (b"\xef\xbb\xbf", "is empty"),
    (b"abc\xffdef", "is not UTF-8: byte 0xff at offset 3"),
    (b"\xef\xbb\xbfab\xe4\xbd", "is not UTF-8: byte 0xe4 at offset 5"),
    ("héllo".encode("latin-1"), "is not UTF-8: byte 0xe9 at offset 1"),
])
def test_a_bad_file_is_named(content, said, tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        load_corpus(path)
    assert str(caught.value) == f"{path} {said}"


def test_a_folder_is_no_corpus(tmp_path):
    with pytest.raises(OSError, match="load_corpus: cannot read .*: "):
        load_corpus(tmp_path)


@pytest.mark.parametrize("name, suggestion", [
    ("pydoc", "; did you mean pydocs?"), ("Shakespear", "; did you mean shakespeare?"),
    ("war-and-peace.txt", ""), ("", ""), ("a\0b", ""),
])
def test_an_unknown_name_is_answered_with_the_known_ones(name, suggestion):
    with pytest.raises(ValueError) as caught:
        load_corpus(name)
    assert str(caught.value) == (f"load_corpus: {name!r} is neither a file nor one of the corpora "
                                 f"{', '.join(CORPORA)}{suggestion}")
    with pytest.raises(TypeError):
        load_corpus(None)


def test_every_corpus_is_described():
    assert list(CORPORA) == ["pydocs", "pysource", "shakespeare", "shakespeare-plays", "names", "chinese", "sanguo"]
    assert all(description and "\n" not in description for description in CORPORA.values())
