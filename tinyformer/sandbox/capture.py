"""Keep what a learner's code prints, up to a size."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

KEPT = 1 << 16                          # bytes of output that are kept


class Captured(io.BufferedIOBase):
    """A stream that keeps the first ``KEPT`` bytes and counts the rest."""

    def __init__(self) -> None:
        self.data, self.size = bytearray(), 0

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: Any) -> int:
        """Keep ``data``, or its beginning, and return its length."""
        data = bytes(data)
        self.data += data[:max(KEPT - len(self.data), 0)]
        self.size += len(data)
        return len(data)

    def result(self) -> tuple[str, int]:
        """(the text that was kept, the number of further bytes)"""
        return self.data.decode("utf-8", "replace"), self.size - len(self.data)


@contextlib.contextmanager
def captured() -> Iterator[Captured]:
    """Capture Python's standard output and standard error in a ``with`` block."""
    kept = Captured()
    stream = io.TextIOWrapper(kept, "utf-8", "backslashreplace", newline="\n",    # type: ignore[type-var]
                              write_through=True)
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        yield kept
