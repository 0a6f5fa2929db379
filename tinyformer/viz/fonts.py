"""Fonts for tokens of any script: matplotlib's own font has no Chinese, and draws a box for a missing character."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

# Files of fonts with Chinese, Japanese and Korean, on Linux, macOS and Windows, best first.
CJK = ("notosanscjk", "notosanssc", "notosanshans", "sourcehansans", "pingfang", "hiraginosansgb", "msyh", "deng",
       "wqy", "simhei", "stheiti", "droidsansfallback", "notoserifcjk", "sourcehanserif", "simsun", "songti", "uming",
       "ukai", "arialunicode", "malgun", "yugoth", "msgothic")
SHOWN = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"}


def labels(tokens: Iterable[str], mark_spaces: bool = True) -> tuple[list[tuple[str, str | None]], bool]:
    """([(text, font) for each token], whether some tokens are written as code points because no font has them).

    ``mark_spaces`` makes white space visible. A font is the path of its file, or None for matplotlib's own.
    """
    drawn = []
    for token in tokens:
        text = "".join(SHOWN.get(character, character) for character in token) if mark_spaces else token
        text = text or "∅"
        font = next((font for font in (None, *_cjk_fonts()) if all(ord(c) in _characters(font) for c in text)), "")
        drawn.append((" ".join(f"U+{ord(c):04X}" for c in text), None) if font == "" else (text, font))
    return drawn, any(text.startswith("U+") and not token.startswith("U+") for (text, _), token in zip(drawn, tokens))


@functools.cache
def _characters(font):
    """The code points that a font file has glyphs for; none if it cannot be read."""
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font
    try:
        return frozenset(FT2Font(font or font_manager.findfont("DejaVu Sans")).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


@functools.cache
def _cjk_fonts():
    """Paths of the installed fonts of ``CJK``, best first; the regular face of each family comes first."""
    from matplotlib.font_manager import findSystemFonts
    found = []
    for path in sorted(findSystemFonts()):
        name = re.sub(r"[^a-z]", "", re.split(r"[\\/]", path)[-1].lower())
        rank = next((i for i, start in enumerate(CJK) if name.startswith(start)), None)
        if rank is not None:
            found.append((rank, "regular" not in name, path))
    return tuple(path for *_, path in sorted(found))
