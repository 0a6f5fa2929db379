"""A text whose words are colored by their attributions, as a PNG or an HTML file, and as colors for a terminal."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..files import replace_file
from .figure import new_figure, save_figure
from .fonts import SHOWN, labels

FOR, AGAINST = (0, 114, 178), (213, 94, 0)                  # blue and orange, distinct for color-blind readers
LINE = 72                                                   # characters in a line of the picture


def color_of(value: float, scale: float) -> str:
    """The background of a word, "#rrggbb": white at 0, blue at ``scale``, orange at −``scale``."""
    share = min(abs(value) / scale, 1.0) if scale > 0 else 0.0
    full = FOR if value >= 0 else AGAINST
    return "#" + "".join(f"{round(255 + 0.75 * share * (part - 255)):02x}" for part in full)


def shown(word: str) -> str:
    """``word`` with white space and control characters made visible."""
    text = "".join(SHOWN.get(c, c) for c in word) or "∅"
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def columns(text: str) -> int:
    """The width of ``text`` in a terminal: Chinese characters take two columns."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in text)


def lines_of(words: Sequence[str], values: Sequence[float], width: int) -> list[list[tuple[str, str, float]]]:
    """Lines of (word, number beneath, value), both filled up to one width, that fit into ``width`` columns."""
    lines, used = [[]], 0
    for word, value in zip(map(shown, words), values):
        number = f"{value:+.2f}"
        wide = max(columns(word), len(number)) + 1
        if lines[-1] and used + wide > width:
            lines.append([])
            used = 0
        lines[-1].append((word + " " * (wide - columns(word)), number.ljust(wide), value))
        used += wide
    return lines


def draw_attributions(words: Sequence[str], values: Sequence[float], path: str | os.PathLike[str],
                      title: str = "") -> None:
    """Draw a text with its words on backgrounds from orange (against) to blue (for), the numbers beneath.

    words, values   of equal length
    path            a file that ends in .png or .html; it is written whole or not at all

    Raises ValueError for another ending, and for words and values of different numbers.
    """
    if len(words) != len(values) or not words:
        raise ValueError(f"draw_attributions: {len(words)} words and {len(values)} values, "
                         "expected as many of both, at least one")
    ending = Path(path).suffix.lower()
    if ending == ".html":
        replace_file(path, _page(words, values, title))
    elif ending == ".png":
        _picture(words, values, path, title)
    else:
        raise ValueError(f"{path}: expected a name that ends in .png or .html")


def _page(words: Sequence[str], values: Sequence[float], title: str) -> str:
    scale = max(map(abs, values))
    cells = "\n".join(
        f'<span style="display:inline-block;margin:0 2px 10px 0;text-align:center">'
        f'<span style="background:{color_of(value, scale)};padding:2px 4px;display:block">{escape(shown(word))}</span>'
        f'<small style="color:#555">{value:+.2f}</small></span>' for word, value in zip(words, values))
    return (f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{escape(title)}</title></head>\n'
            f'<body style="font-family:sans-serif;color:#000;background:#fff;max-width:48em;margin:2em auto">\n'
            f'<p>{escape(title)}</p>\n<p style="line-height:1.3">\n{cells}\n</p>\n'
            f'<p><small>blue: for the class; orange: against it</small></p>\n</body></html>\n')


def _picture(words: Sequence[str], values: Sequence[float], path: str | os.PathLike[str], title: str) -> None:
    from matplotlib.font_manager import FontProperties
    scale, lines = max(map(abs, values)), lines_of(words, values, LINE)
    figure = new_figure(0.115 * LINE + 0.4, 0.55 * len(lines) + 0.6)
    axes = figure.subplots()
    axes.set(xlim=(0, LINE), ylim=(len(lines), 0))
    axes.axis("off")
    spelled = labels(map(shown, words), mark_spaces=False)[1]
    axes.set_title(title + "   (U+… are code points: no installed font has these characters)" * spelled, fontsize=10,
                   loc="left", parse_math=False)
    for y, line in enumerate(lines):
        x = 0
        for word, number, value in line:
            wide = len(number)                              # as wide as the word, which may have double columns
            axes.fill([x, x + wide - 0.4, x + wide - 0.4, x], [y + 0.05, y + 0.05, y + 0.55, y + 0.55],
                      color=color_of(value, scale))
            (text, font), = labels([word.rstrip(" ")], mark_spaces=False)[0]
            drawn = axes.text(x + (wide - 0.4) / 2, y + 0.3, text, ha="center", va="center", fontsize=9,
                              parse_math=False)
            if font is not None:
                drawn.set_fontproperties(FontProperties(fname=font, size=9))
            axes.text(x + (wide - 0.4) / 2, y + 0.75, number.strip(), ha="center", va="center", fontsize=7,
                      color="#444444")
            x += wide
    save_figure(figure, path)
