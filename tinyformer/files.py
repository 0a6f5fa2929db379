"""Files: text that is read, files that are replaced whole or not at all, and locks between processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path


UNFINISHED = ".tinyformer.part"             # how the name of a file ends that is being written


def read_text(path):
    """The text in ``path``; see ``decoded``."""
    return decoded(Path(path).read_bytes(), path)


def decoded(data, path):
    """The text that ``data``, the bytes of ``path``, are in UTF-8, line ends included; a byte order mark at its start goes.

    ValueError, with ``path``, for bytes that are none.
    """
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}") from None


def replace_file(path, data):
    """Make ``path`` hold ``data``: bytes, text as UTF-8, or a tuple of pieces of bytes.

    It is written beside the target under another name, flushed to the disk and renamed over it, so a crash or a full disk
    leaves the earlier file as it was. Raises OSError, with ``path`` as its file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(data if isinstance(data, tuple) else (data.encode() if isinstance(data, str) else data,))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())              # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    _sync_folder(path.parent)


def remove_unfinished(folder):
    """Delete what ``replace_file`` left in ``folder`` when its process was killed."""
    for path in Path(folder).glob(f".*{UNFINISHED}"):
        path.unlink()


@contextlib.contextmanager
def lock(path, seconds=0.0):
    """Hold an exclusive lock on the file ``path`` in a ``with`` block. The file is created if needed, and stays afterwards.

    The operating system holds the lock, so the lock ends with its process, even if that process is killed. Raises
    BlockingIOError, which names the process, if another one keeps the lock for ``seconds``; OSError if ``path`` cannot be
    opened for writing.
    """
    handle, deadline = os.open(path, os.O_RDWR | os.O_CREAT, 0o666), time.monotonic() + seconds
    try:
        while not _try_lock(handle):
            if time.monotonic() >= deadline:
                raise BlockingIOError(f"{path} is locked by process {os.read(handle, 20).decode(errors='replace') or '?'}")
            time.sleep(0.02)
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)                                    # which also releases the lock


if os.name == "nt":
    import msvcrt

    def _try_lock(handle):
        """Lock one byte far behind the text, because Windows lets no other process read a locked byte."""
        os.lseek(handle, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True
else:
    import fcntl

    def _try_lock(handle):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    """Flush the folder's list of names, so that the renaming survives a power cut. Windows has no such call."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
