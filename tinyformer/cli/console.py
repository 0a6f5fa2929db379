"""Output that can be read: on narrow terminals, and on consoles that do not know every character, as on Windows."""

from __future__ import annotations

import codecs
import re
import shutil
import sys
import textwrap
import unicodedata

PLAIN = {"∘": "*", "·": "*", "×": "x", "−": "-", "–": "-", "—": "-", "…": "...", "√": "sqrt ", "Σ": "sum ", "∂": "d",
         "∇": "grad ", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "→": "->", "←": "<-", "↦": "->", "∈": "in", "⟨": "<",
         "⟩": ">", "′": "'", "‖": "|", "∞": "inf", "½": "1/2", "“": '"', "”": '"', "’": "'", "✓": "+", "✗": "x", "µ": "mu"}


def say(text="", file=None):
    """Print ``text``. On a terminal, lines that are too long for it end between words; elsewhere they stay whole.

    What goes on does so under the line's own beginning, or under its second column where it has two.
    """
    file = file or sys.stdout
    if file.isatty():
        columns = shutil.get_terminal_size().columns - 1
        text = "\n".join(_fitted(line, columns) for line in str(text).split("\n"))
    print(text, file=file, flush=True)


def width():
    """How many characters a line of the terminal has room for; None where output goes elsewhere."""
    return shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else None


def _fitted(line, columns):
    hang = len(re.match(r" *(\S{1,26}(?: \S{1,14})? {2,}(?=\S))?", line)[0])
    if len(line) <= columns or hang > columns // 2:
        return line
    return textwrap.fill(line, columns, subsequent_indent=" " * hang, drop_whitespace=True, replace_whitespace=False,
                         break_long_words=False, break_on_hyphens=False)


def legible(error):
    """An error handler for codecs: each character that cannot be encoded, spelled out."""
    return "".join(map(_plain, error.object[error.start:error.end])), error.end


def _plain(character):
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


def settle(stream):
    """Have a stream spell out what it cannot encode; its encoding stays what it is."""
    codecs.register_error("tinyformer.legible", legible)
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="tinyformer.legible")
