"""Readable output: on narrow terminals, and on consoles without all characters, as on Windows."""

from __future__ import annotations

import codecs
import errno
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable
from typing import Any

PLAIN = {"⊙": "*", "·": "*", "×": "x", "−": "-", "–": "-", "—": "-", "…": "...", "√": "sqrt ", "Σ": "sum ", "∂": "d",
         "∇": "grad ", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "→": "->", "←": "<-", "↦": "->", "∈": "in", "⟨": "<",
         "⟩": ">", "′": "'", "‖": "|", "∞": "inf", "½": "1/2", "“": '"', "”": '"', "’": "'", "✓": "+", "✗": "x",
         "µ": "mu"}


def say(text: object = "", file: Any = None) -> None:
    """Print ``text``. On a terminal, lines that are too long are wrapped between words; elsewhere they stay whole.

    A wrapped line continues under its beginning, or under its second column if it has two.
    """
    file = file or sys.stdout
    if file.isatty():
        columns = shutil.get_terminal_size().columns - 1
        text = "\n".join(_fitted(line, columns) for line in str(text).split("\n"))
    print(text, file=file, flush=True)


def width() -> int | None:
    """The number of characters in a line of the terminal; None if the output is no terminal."""
    return shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else None


def _fitted(line: str, columns: int) -> str:
    hang = len(re.match(r" *(\S{1,26}(?: \S{1,14})? {2,}(?=\S))?", line)[0])
    if len(line) <= columns or hang > columns // 2:
        return line
    return textwrap.fill(line, columns, subsequent_indent=" " * hang, drop_whitespace=True, replace_whitespace=False,
                         break_long_words=False, break_on_hyphens=False)


def legible(error: Any) -> tuple[str, int]:
    """An error handler for codecs: each character that cannot be encoded is spelled out."""
    return "".join(map(_plain, error.object[error.start:error.end])), error.end


def _plain(character: str) -> str:
    if character in PLAIN:
        return PLAIN[character]
    name = unicodedata.name(character, "")
    if name.startswith("GREEK "):
        letter = name.split(" LETTER ")[-1].split()[0].lower()
        return letter.capitalize() if "CAPITAL" in name else letter
    if name.startswith("BOX DRAWINGS"):
        return "|" if name.endswith("VERTICAL") else "-"
    if name.startswith("COMBINING"):
        return "^" if "CIRCUMFLEX" in name else ""
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return letters or "?"


def settle(stream: Any) -> None:
    """Make a stream spell out characters that it cannot encode. Its encoding stays the same."""
    codecs.register_error("tinyformer.legible", legible)
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="tinyformer.legible")


GONE = errno.EPIPE, errno.EIO, errno.EBADF, errno.EINVAL    # no reader, terminal or file; EINVAL on Windows


class OutputClosed(Exception):
    """The reader of the output is gone."""


class Output:
    """A stream whose reader may go away, as in ``tinyformer … | head -1`` or when a terminal is closed.

    Then OutputClosed ends the command, unless ``needless`` says that the command continues without its output.
    """

    def __init__(self, stream: Any, needless: bool = False):
        self._stream, self.needless = stream, needless

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> Any:
        """Write ``text``. OutputClosed if the reader is gone."""
        return self._unless_gone(self._stream.write, text)

    def flush(self) -> Any:
        """Flush the stream. OutputClosed if the reader is gone."""
        return self._unless_gone(self._stream.flush)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of ``lines``."""
        for line in lines:
            self.write(line)

    def _unless_gone(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)      # what is still in the buffer, and what follows, goes there
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            if error.errno not in GONE:                     # such as a full disk
                raise
            if not self.needless:
                raise OutputClosed from None


def finish_unread() -> None:
    """Let this command run to its end even if the reader of its output is gone.

    Its result is more than its output.
    """
    if isinstance(sys.stdout, Output):
        sys.stdout.needless = True


def open_standard_streams() -> None:
    """Open the null device in place of closed standard streams (``>&-``).

    Otherwise the next file that is opened would take their place, and receive the output.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)                  # it takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if number == 0 else "w", encoding="utf-8"))
