"""The meaning, the cause and the fix of each code: the sections of ``codes.md``, a page of the book."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

FILE = Path(__file__).with_name("codes.md")


def pages() -> dict[str, str]:
    """{code: its section, as Markdown}, in the order of ``codes.md``."""
    text = FILE.read_text(encoding="utf-8")
    sections = re.split(r"^\(([a-z0-9-]+)\)=\n### \S+\n", text, flags=re.MULTILINE)
    return {code: re.split(r"^## ", section, flags=re.MULTILINE)[0].strip()
            for code, section in zip(sections[1::2], sections[2::2])}


def page(code: str) -> str:
    """The section on one code, as Markdown. Raises ValueError for an unknown code."""
    known = pages()
    if code not in known:
        close = difflib.get_close_matches(code, known, 1)
        raise ValueError(f"the doctor has no code {code!r}" + (f"; did you mean {close[0]}?" if close else
                                                              f"; it has {', '.join(known)}"))
    return known[code]
