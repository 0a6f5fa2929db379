"""The codes of the gradient doctor: one table, read from ``codes.md``, a page of the book."""

from __future__ import annotations

import difflib
import functools
import re
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("codes.md")
NOTES = "Notes that are not mistakes"                       # the heading of the codes that are information alone


class Code(NamedTuple):
    """One code.

    name        such as "softmax-diagonal"
    page        its section, as Markdown: meaning, cause and fix
    advice      one or two sentences on what to try
    is_mistake  whether it is a mistake, and not only a note
    """

    name: str
    page: str
    advice: str
    is_mistake: bool


@functools.lru_cache(maxsize=1)
def table() -> dict[str, Code]:
    """{name: code}, in the order of ``codes.md``."""
    codes = {}
    for part in re.split(r"^## ", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading = part.partition("\n")[0]
        sections = re.split(r"^\(([a-z0-9-]+)\)=\n### \S+\n", part, flags=re.MULTILINE)
        for name, section in zip(sections[1::2], sections[2::2]):
            advice = re.search(r"^Try: (.+?)\n(?:\n|$)", section + "\n", flags=re.MULTILINE | re.DOTALL)
            codes[name] = Code(name, section.strip(), " ".join(advice[1].split()) if advice else "", heading != NOTES)
    return codes


def rule_of(step: str) -> str:
    """The formula of an operation with its gradient, and its equation in the book: the first line of its docstring."""
    from .. import ops
    name = {"normalized": "layer_norm", "rotated": "rotary"}.get(step, step)
    text = (getattr(ops, name, None).__doc__ or "").strip().partition("\n")[0] if name in ops.__all__ else ""
    return re.sub(r"\s+", " ", text.replace("``", "")) if "dx" in text else ""


def pages() -> dict[str, str]:
    """{code: its section, as Markdown}."""
    return {name: code.page for name, code in table().items()}


def page(code: str) -> str:
    """The section on one code, as Markdown. Raises ValueError for an unknown code."""
    known = table()
    if code not in known:
        close = difflib.get_close_matches(code, known, 1)
        raise ValueError(f"the doctor has no code {code!r}" + (f"; did you mean {close[0]}?" if close else
                                                              f"; it has {', '.join(known)}"))
    return known[code].page
