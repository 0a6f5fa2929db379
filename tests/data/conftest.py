"""A package index in a folder, with packages made up here: nothing in these tests reads the network."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile

import pytest

from tinyformer.data.cards import Card, Member, Package


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The data folder, empty."""
    monkeypatch.setenv("TINYFORMER_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def index(tmp_path, data, monkeypatch):
    """``index(files, sdist=False)`` puts a package with those files, {path: bytes}, into an index; it gives its
    Package."""
    for name in [name for name in os.environ if name.upper().startswith("PIP_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def add(files, sdist=False):
        archive = sdist_of(folder, files) if sdist else wheel_of(folder, files)
        content = archive.read_bytes()
        return Package("toy-words", "1.0", hashlib.sha256(content).hexdigest(), len(content), sdist=sdist)

    return add


METADATA = \
    b"Metadata-Version: 2.1\nName: toy-words\nVersion: 1.0\nRequires-Python: >=99\nRequires-Dist: no-such-package\n"


def wheel_of(folder, files):
    info = "toy_words-1.0.dist-info"
    files = {**files, f"{info}/METADATA": METADATA, f"{info}/RECORD": b"",
             f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    archive = folder / "toy_words-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as file:
        for path, content in files.items():
            file.writestr(path, content)
    return archive


def sdist_of(folder, files):
    archive = folder / "toy-words-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for path, content in {**files, "PKG-INFO": METADATA}.items():
            member = tarfile.TarInfo(f"toy-words-1.0/{path}")
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return archive


@pytest.fixture
def toys(monkeypatch):
    """``toys(name=(package, {file: (member, content)}))`` makes these the only data sets."""
    def put(**sets):
        known = {name: Card("toys", "2", "none", "made up", "none", "all", package, {
            file: Member(path, hashlib.sha256(content).hexdigest()) for file, (path, content) in files.items()})
            for name, (package, files) in sets.items()}
        monkeypatch.setattr("tinyformer.data.download.SETS", known)

    return put
