"""Files: text that is read, and files that are replaced whole or not at all."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tinyformer.files import lock, read_text, remove_unfinished, replace_file


def test_bytes_and_text_are_written_and_replaced(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    replace_file(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    replace_file(path, "ein Käse\n")
    assert path.read_bytes() == "ein Käse\n".encode()
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_permissions_are_those_of_any_new_file(tmp_path):
    earlier = os.umask(0o027)
    try:
        replace_file(tmp_path / "file", "x")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(earlier)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.parametrize("call", ("fsync", "replace"))
def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    replace_file(path, "earlier")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        replace_file(path, "later")
    assert caught.value.filename == str(path) and caught.value.errno == errno.ENOSPC
    assert path.read_text() == "earlier" and os.listdir(tmp_path) == ["file"]


def test_an_interruption_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "file", "x")
    assert os.listdir(tmp_path) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    replace_file(tmp_path / "file", "earlier")
    (tmp_path / ".mine.part").write_text("somebody's own")
    monkeypatch.setattr(os, "unlink", lambda *_: None)              # the process is gone before it can tidy up
    monkeypatch.setattr(os, "replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        replace_file(tmp_path / "file", "later")
    monkeypatch.undo()
    assert len(os.listdir(tmp_path)) == 3
    remove_unfinished(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".mine.part", "file"]


def test_text_is_read_as_it_stands_but_for_the_mark_before_it(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffKäse\r\n\ufeff".encode())
    assert read_text(tmp_path / "a.txt") == "Käse\r\n\ufeff"
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbfab\xe9")
    with pytest.raises(ValueError, match="b.txt is not UTF-8: byte 0xe9 at offset 5"):
        read_text(tmp_path / "b.txt")


HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from tinyformer.files import lock
with lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_names_its_holder_and_ends_with_a_killed_process(tmp_path):
    import tinyformer
    path, root = tmp_path / "lock", str(Path(tinyformer.__file__).parents[1])
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path), root], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(BlockingIOError, match=f"lock is locked by process {holder.pid}"):
            with lock(path, 0.05):
                pass
    finally:
        holder.kill()
        holder.communicate()
    with lock(path, 5):
        assert path.read_text() == str(os.getpid())
        with pytest.raises(BlockingIOError):
            with lock(path):
                pass
    with lock(path):                                        # released, though the file stays
        pass
