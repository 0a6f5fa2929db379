"""Output on consoles that do not know every character, as on Windows: what they lack is written in letters that they have."""

from __future__ import annotations

import codecs
import unicodedata

PLAIN = {"∘": "*", "·": "*", "×": "x", "−": "-", "–": "-", "—": "-", "…": "...", "√": "sqrt ", "Σ": "sum ", "∂": "d",
         "∇": "grad ", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "→": "->", "←": "<-", "↦": "->", "∈": "in", "⟨": "<",
         "⟩": ">", "′": "'", "‖": "|", "∞": "inf", "½": "1/2", "“": '"', "”": '"', "’": "'", "✓": "+", "✗": "x", "µ": "mu"}


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
