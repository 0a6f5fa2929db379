"""Texts to train on: Python's own documentation and source, a few classics, and any file."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path

from ..data import load
from ..data.cache import cache_folder, data_folder
from ..files import decoded, replace_file

# Every corpus by name, with a line that says what the text is, its size and its license.
CORPORA = {
    "pydocs": "the language reference in Python's own help(), each paragraph once, about 0.4 M characters; "
              "pydoc_data.topics, PSF license",
    "pysource": "the standard library's top-level modules, at most 5 M characters, 4 % of whose last tenth repeats "
                "earlier code; this Python's .py files, PSF license",
    "shakespeare": "dialogues from Shakespeare's plays, 1.1 M characters; karpathy/char-rnn on GitHub, public domain",
    "shakespeare-plays": "38 plays of Shakespeare, 5.0 M characters; `tinyformer data info` says more",
    "names": "91,910 first and last names of the US census, one a line; `tinyformer data info` says more",
    "chinese": "Chinese reviews and the Romance of the Three Kingdoms, "
               "1.9 M characters; `tinyformer data info` says more",
    "sanguo": "Romance of the Three Kingdoms in Chinese, 0.6 M characters; `tinyformer data info` says more",
}

SHAKESPEARE_FILE = "tinyshakespeare.txt"
SHAKESPEARE_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
PYSOURCE_LIMIT = 5_000_000                  # characters


def load_corpus(name: str) -> str:
    """The text of the corpus ``name``, one of ``CORPORA``, or of the UTF-8 file at the path ``name``.

    Line ends are kept; a byte order mark at the start of a file is removed. Raises ValueError for an unknown name and
    for a file that is empty, damaged or not UTF-8, OSError for a file that cannot be read or downloaded.
    """
    if name in _READERS:
        return _READERS[name]()
    if os.path.exists(name):
        return _not_empty(_read(Path(name)), name)
    nearest = difflib.get_close_matches(str(name), CORPORA, n=1)
    raise ValueError(f"load_corpus: {str(name)!r} is neither a file nor one of the corpora {', '.join(CORPORA)}"
                     + (f"; did you mean {nearest[0]}?" if nearest else ""))


def _pydocs():
    """The help topics in the order of their names, each paragraph once: the same text for the same version of Python.

    The topics share whole sections. Without the removal of repeated paragraphs, held-out text occurs in the training
    part.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise OSError("load_corpus: pydocs: this Python was installed without pydoc_data.topics") from None
    return "\n\n".join(unique_paragraphs(topics[name] for name in sorted(topics))) + "\n"


def unique_paragraphs(texts: Iterable[str]) -> list[str]:
    """The paragraphs of ``texts``, in order, without those that occurred before.

    A blank line ends a paragraph. Two paragraphs are equal if they differ only in their white space, such as the
    indentation.
    """
    found: dict[str, str] = {}
    for text in texts:
        for paragraph in re.split(r"\n(?:[ \t]*\n)+", text.strip("\n")):
            found.setdefault(" ".join(paragraph.split()), paragraph)
    found.pop("", None)
    return list(found.values())


def _pysource():
    """The modules that are one file, in the order of their names, whole, up to the limit.

    Packages are left out: the modules alone come to 4 or 5 million characters. The names are Python's own list, for
    the folder may hold others' modules too.
    """
    folder, parts, room = Path(sysconfig.get_path("stdlib")), [], PYSOURCE_LIMIT
    for name in sorted(sys.stdlib_module_names):
        try:
            part = (folder / f"{name}.py").read_bytes().decode()
        except (FileNotFoundError, UnicodeDecodeError):     # a package or built in; a file in another encoding
            continue
        if len(part) > room:
            break
        room -= len(part)
        parts.append(part)
    if not parts:
        raise OSError(f"load_corpus: pysource: this Python was installed without its source; {folder} has none")
    return "".join(parts)


def _shakespeare():
    """From the data folder, else from the cache folder, else downloaded to the former.

    Its hash is checked every time.
    """
    for folder in (data_folder(), cache_folder()):
        path = folder / SHAKESPEARE_FILE
        if path.exists():
            data = _read(path)
            _check_hash(data, path, "delete it, and it will be downloaded")
            return _not_empty(data, path)
    path = data_folder() / SHAKESPEARE_FILE
    data = _download(SHAKESPEARE_URL, path)
    _check_hash(data, SHAKESPEARE_URL, "nothing was saved")
    replace_file(path, data)
    return _not_empty(data, path)


def _chinese():
    """Nine tenths of the novel and of the reviews, a line each, then the last tenth of both.

    A split there has both in both parts.
    """
    reviews = load("chinese-reviews")
    lines = "\n".join(text for part in (reviews.train, reviews.validation, reviews.test) for text in part.x) + "\n"
    novel = load("sanguo").replace("\t", "") + "\n"
    cuts = [(text[:9 * len(text) // 10], text[9 * len(text) // 10:]) for text in (novel, lines)]
    return "".join(first for first, _ in cuts) + "".join(last for _, last in cuts)


def _names():
    """First names and surnames, each once, in the order of the alphabet, whichever split they are in."""
    first = load("names")
    parts = first.train.x, first.validation.x, first.test.x, load("surnames").splitlines()
    return "\n".join(sorted({name for part in parts for name in part})) + "\n"


_READERS: dict[str, Callable[[], str]] = {"pydocs": _pydocs, "pysource": _pysource, "shakespeare": _shakespeare,
            "shakespeare-plays": lambda: load("shakespeare-plays"), "names": _names, "chinese": _chinese,
            "sanguo": lambda: load("sanguo")}


# ------------------------------------------------------------------------------------------------ files

def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise OSError(f"load_corpus: cannot read {path}: {error.strerror}") from None


def _not_empty(data, path):
    text = decoded(data, path)
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def _check_hash(data, source, advice):
    found = hashlib.sha256(data).hexdigest()
    if found != SHAKESPEARE_SHA256:
        raise ValueError(f"load_corpus: {source} has SHA-256 {found}, expected {SHAKESPEARE_SHA256}; {advice}")


def _download(url, path):
    """The bytes at ``url``; an error says where to put them as ``path`` by hand."""
    import http.client
    import urllib.request
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise OSError(f"load_corpus: could not download {url} ({error}); put the file at {path}") from None
