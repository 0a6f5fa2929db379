"""What a learner's code prints, kept up to a size."""

from __future__ import annotations

import contextlib
import io

KEPT = 1 << 16                          # bytes of output that are kept


class Captured(io.BufferedIOBase):
    """The beginning of what was written; the rest is counted."""

    def __init__(self):
        self.data, self.size = bytearray(), 0

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        self.data += data[:max(KEPT - len(self.data), 0)]
        self.size += len(data)
        return len(data)

    def result(self):
        """(the text, how many bytes more were written)"""
        return self.data.decode("utf-8", "replace"), self.size - len(self.data)


@contextlib.contextmanager
def captured():
    """Capture standard output and standard error of this Python in a ``with`` block."""
    kept = Captured()
    stream = io.TextIOWrapper(kept, "utf-8", "backslashreplace", newline="\n", write_through=True)
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        yield kept
