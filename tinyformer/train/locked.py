"""One writer per folder: a run holds a lock on its folder from before its first read until its last file is written."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Any

from ..files import lock

LOCK = ".tinyformer.lock"
NONE_HERE = errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP         # the file system has no locks


class FolderLock:
    """``with FolderLock(folder):`` makes the folder and keeps every other training out of it. Readers need no lock.

    BlockingIOError, naming the folder and the process, when another training holds the lock. The operating system holds
    it, so it ends with the process, even after a kill. Over NFS this needs a server that supports locks between
    machines. Where the file system has no locks at all, a line says so and the run goes on without one. A folder that
    the lock made and that nothing else was written to is removed afterwards.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def __enter__(self) -> FolderLock:
        self._made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        self._held = contextlib.ExitStack()
        try:
            self._take()
        except BaseException:
            self._tidy()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self._release(self._held, self.folder)
        self._tidy()

    def move_to(self, aside: Path) -> None:
        """Rename the folder to ``aside``, and hold the lock on a new folder with the old name."""
        earlier = self._held.pop_all()
        if os.name == "nt":                                 # Windows renames no folder in which a file is open
            self._release(earlier, self.folder)
        self.folder.rename(aside)
        try:
            self._take()
        finally:
            self._release(earlier, aside)

    @staticmethod
    def _release(held: contextlib.ExitStack, folder: Path) -> None:
        """Remove the file of the lock, before the lock is released if the system allows that."""
        if os.name == "nt":
            held.close()
        with held, contextlib.suppress(OSError):
            os.unlink(Path(folder) / LOCK)

    def _take(self) -> None:
        """Make the folder and lock it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            while True:
                self._held.enter_context(lock(self.folder / LOCK))
                with contextlib.suppress(OSError):
                    if (self.folder / LOCK).read_text() == str(os.getpid()):
                        return
                self._held.close()                          # another process has just ended and removed the file
        except BlockingIOError as error:
            raise BlockingIOError(f"{self.folder} is in use by another training: "
                                  f"{error}; wait until it has ended, or give another --out") from None
        except OSError as error:
            if error.errno not in NONE_HERE:
                advice = f"{error.strerror}; give another --out, a folder that can be written"
                raise OSError(error.errno, advice, str(self.folder)) from None
            print(f"{self.folder} is on a file system without locks: make sure that no other training writes to it")

    def _tidy(self) -> None:
        for path in self._made:
            try:
                path.rmdir()
            except OSError:                                 # it is not empty
                break
