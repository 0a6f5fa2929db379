"""Errors and output of a learner's code as plain text of limited length, with visible control characters."""

from __future__ import annotations

import inspect
import os
import re
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

MESSAGE = 2000                          # characters of an error's text that are shown
LINES, LINE = 20, 300                   # lines of printed output that are shown, and characters of each line

# Files in these folders are not the learner's: the package, installed packages, the standard library.
FOREIGN = (*(str(Path(file).parent) + os.sep
             for file in (Path(__file__).parent, Path(np.__file__).parent, inspect.__file__)),
           "<frozen")

# Control characters other than line feed and tab, characters that change the direction of text, and lone surrogates.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """``text`` with every control character written as its escape, such as \\x1b, so that no terminal obeys it."""
    return UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text.replace("\r\n", "\n"))


def cut(text: str, length: int = MESSAGE) -> str:
    """``text``, or its first ``length`` characters with a note of its full length."""
    return text if len(text) <= length else f"{text[:length]}… (cut; {len(text):,} characters in all)"


def printed_lines(text: str, lost: int = 0) -> list[str]:
    """The lines with what the code printed, under a heading; none if ``text`` is empty.

    lost        the number of further characters, which were not kept
    """
    if not text.strip() and not lost:
        return []
    lines = text.rstrip().splitlines()
    shown = [f"  | {visible(cut(line, LINE))}" for line in lines[:LINES]]
    if lost:
        shown.append(f"  | … and {lost + sum(len(line) + 1 for line in lines[LINES:]):,} more characters")
    elif len(lines) > LINES:
        shown.append(f"  | … and {len(lines) - LINES} more lines")
    return ["Your code printed:", *shown, ""]


def text_of(error: BaseException) -> str:
    """``str(error)`` on one line, cut; a note if ``__str__`` itself raises."""
    try:
        text = "".join(str(error))
    except BaseException as second:
        return f"(its __str__ raises {type(second).__name__})"
    return " ".join(cut(text).split())


def explain(error: BaseException, file: str | None = None) -> str:
    """The type and the text of ``error``, with the line of the learner's code that raised it.

    file        use a line of this file only
    """
    text, name = text_of(error), type(error).__name__
    if isinstance(error, SyntaxError) and error.lineno:
        line = cut(str(error.text or "").rstrip("\n"), LINE)
        pointer = " " * (4 + min(error.offset or 1, len(line) + 1) - 1) + "^" if line else ""
        return "\n".join(filter(None, [f"line {error.lineno}: {name}: {cut(str(error.msg))}", line and f"    {line}",
                                       pointer]))
    what = f"{name}: {text}" if text else name
    if isinstance(error, SystemExit):
        said = "" if error.code is None or isinstance(error.code, int) else f": {text}"
        what = f"your code leaves Python (exit{said}); a function must return instead"
    frame = learners_frame(error.__traceback__, file)
    return f"{what}\n  {at(frame)}{_shapes(error, frame)}" if frame else what


def _shapes(error: BaseException, frame: traceback.FrameSummary) -> str:
    """The shapes of the arrays on the learner's line, if the error may be about shapes."""
    if not isinstance(error, (ValueError, IndexError)):
        return ""
    names = next(f.f_locals for f, line in traceback.walk_tb(error.__traceback__)
                 if (f.f_code.co_filename, line) == (frame.filename, frame.lineno))
    arrays = {name: names[name] for name in re.findall(r"\w+", frame.line or "")
              if isinstance(names.get(name), np.ndarray)}
    return "\n  where " + ", ".join(f"{name} is {array.shape}" for name, array in arrays.items()) if arrays else ""


def learners_frame(tb: TracebackType | None, file: str | None = None) -> traceback.FrameSummary | None:
    """The innermost frame of a traceback that belongs to the learner's code, or to ``file``."""
    return innermost(traceback.extract_tb(tb), file)


def innermost(frames: Iterable[traceback.FrameSummary], file: str | None = None) -> traceback.FrameSummary | None:
    """The last of ``frames`` that is in ``file``; without a file, the last outside tinyformer and libraries."""
    own = [f for f in frames if (f.filename == file if file else not f.filename.startswith(FOREIGN))]
    return own[-1] if own else None


def at(frame: traceback.FrameSummary) -> str:
    """The line number of a frame, with the text of the line if it is known."""
    return f"in line {frame.lineno}: {cut(frame.line, LINE)}" if frame.line else f"in line {frame.lineno}"
