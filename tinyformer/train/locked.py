"""One writer a folder: a run holds a lock on its folder from its first look at the folder to its last file."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from ..files import lock

LOCK = ".tinyformer.lock"
NONE_HERE = errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP         # the file system has no locks


class FolderLock:
    """``with FolderLock(folder):`` makes the folder and keeps every other training out of it. Readers need no lock.

    BlockingIOError, naming the folder and the process, when another training holds the lock. The operating system holds
    it, so it ends with the process, even after a kill. Over NFS this needs a server that supports locks between machines. Where the
    file system has no locks at all, a line says so and the run goes on without one.
    A folder that the lock made and that nothing else was written to is removed afterwards.
    """

    def __init__(self, folder):
        self.folder = Path(folder)

    def __enter__(self):
        self._made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        self._held = contextlib.ExitStack()
        try:
            self._take()
        except BaseException:
            self._tidy()
            raise
        return self

    def __exit__(self, *_):
        self._release(self._held, self.folder)
        self._tidy()

    def move_to(self, aside):
        """Give the folder the name ``aside``, and hold the lock on a new folder of the old name."""
        earlier = self._held.pop_all()
        if os.name == "nt":                                 # Windows renames no folder in which a file is open
            self._release(earlier, self.folder)
        self.folder.rename(aside)
        try:
            self._take()
        finally:
            self._release(earlier, aside)

    @staticmethod
    def _release(held, folder):
        """Remove the lock's file, while it is held where the system allows that."""
        if os.name == "nt":
            held.close()
        with held, contextlib.suppress(OSError):
            os.unlink(Path(folder) / LOCK)

    def _take(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            while True:
                self._held.enter_context(lock(self.folder / LOCK))
                with contextlib.suppress(OSError):
                    if (self.folder / LOCK).read_text() == str(os.getpid()):
                        return
                self._held.close()                          # another process ended just now and removed the file
        except BlockingIOError as error:
            raise BlockingIOError(f"{self.folder} is in use by another training: {error}; wait until it has ended, or give "
                                  f"another --out") from None
        except OSError as error:
            if error.errno not in NONE_HERE:
                raise OSError(error.errno, error.strerror, str(self.folder / LOCK)) from None
            print(f"{self.folder} is on a file system without locks: make sure that no other training writes to it")

    def _tidy(self):
        for path in self._made:
            try:
                path.rmdir()
            except OSError:                                 # it is not empty
                break
