"""The steps of a tokenizer.json before it looks for tokens: its ``normalizer``, and the cuts of its ``pre_tokenizer``.

Each step is a function: a normalizer's text → text, a cut's text → pieces. The results are those of Hugging Face's
library.
"""

from __future__ import annotations

import functools
import string
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..files import check_shape
from .basic import normalized_words
from .bpe import pieces

if TYPE_CHECKING:
    import regex

# Unicode's White_Space
SPACES = "".join(c for c in map(chr, range(0x3001)) if c.isspace() and not "\x1c" <= c <= "\x1f")
PATTERN = {"Regex?": str, "String?": str}
NORMALIZERS = {"Sequence": {"normalizers": [dict]}, "Strip": {"strip_left": bool, "strip_right": bool},
               "Prepend": {"prepend": str}, "Replace": {"pattern": PATTERN, "content": str},
               "BertNormalizer": {"clean_text": bool, "lowercase": bool, "strip_accents": (None, bool),
                                  "handle_chinese_chars": bool}}
PRE_TOKENIZERS = {"Sequence": {"pretokenizers": [dict]}, "ByteLevel": {"add_prefix_space?": bool, "use_regex?": bool},
                  "Digits": {"individual_digits": bool}, "Punctuation": {"behavior?": str},
                  "Split": {"pattern": PATTERN, "behavior": str, "invert": bool}}
BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")


def _check(section, fields, shapes):
    """The type of one step in a ``section`` of a tokenizer.json, None for none.

    Raises ValueError where a field is missing or wrong.
    """
    check_shape(fields, (None, {"type": str}), section)
    kind = fields and fields["type"]
    check_shape(fields, shapes.get(kind), section)
    return kind


def normalizer(fields: dict[str, Any] | None) -> Callable[[str], str]:
    """The function text → text that ``fields``, a tokenizer.json's ``normalizer``, describe.

    Raises ValueError for a type that is not supported, and for fields that are missing or of another type.
    """
    kind = _check("normalizer", fields, NORMALIZERS)
    if kind is None:
        return lambda text: text
    if kind == "Sequence":
        steps = [normalizer(part) for part in fields["normalizers"]]
        return lambda text: functools.reduce(lambda text, step: step(text), steps, text)
    if kind in ("NFC", "NFD", "NFKC", "NFKD"):
        return functools.partial(unicodedata.normalize, kind)
    if kind == "Lowercase":
        return lambda text: text.replace("Σ", "σ").lower()              # each character on its own
    if kind == "StripAccents":
        return lambda text: "".join(c for c in text if unicodedata.category(c)[0] != "M")
    if kind == "Strip":
        left, right = fields["strip_left"], fields["strip_right"]

        def strip(text):
            text = text.lstrip(SPACES) if left else text
            return text.rstrip(SPACES) if right else text
        return strip
    if kind == "Prepend":
        return lambda text: text and fields["prepend"] + text
    if kind == "Replace":
        pattern, content = compiled(pattern_of(fields["pattern"])), fields["content"]
        return lambda text: pattern.sub(lambda _: content, text)
    if kind == "BertNormalizer" and fields["clean_text"]:
        return functools.partial(normalized_words, lowercase=fields["lowercase"], strip_accents=fields["strip_accents"],
                                 chinese=fields["handle_chinese_chars"])
    without = " without clean_text" * (kind == "BertNormalizer")
    raise ValueError(f"the normalizer is {kind!r}{without}, which is not supported")


def byte_level_cuts(fields: dict[str, Any] | None) -> list[Callable[[str], list[str]]]:
    """The functions text → pieces of a ``pre_tokenizer`` that ends in ByteLevel, in order.

    Raises ValueError for a type that is not supported, and for fields that are missing or of another type.
    """
    steps = list(_steps(fields))
    levels = [n for n, step in enumerate(steps) if step is not None and step["type"] == "ByteLevel"]
    if levels != [len(steps) - 1]:
        kinds = ", ".join(str(step and step["type"]) for step in steps)
        raise ValueError(f"the pre_tokenizer is {kinds}, expected one that ends in ByteLevel")
    return [cut for step in steps for cut in _cuts(step)]


def _steps(fields):
    if _check("pre_tokenizer", fields, PRE_TOKENIZERS) != "Sequence":
        return [fields]
    return [step for part in fields["pretokenizers"] for step in _steps(part)]


def _cuts(fields):
    kind = fields["type"]
    if kind == "ByteLevel":
        if fields.get("add_prefix_space"):
            yield lambda text: [text if text.startswith(" ") else " " + text]
        if fields.get("use_regex", True):
            yield pieces
    elif kind == "Digits":
        yield cut_at(r"\p{N}", "Isolated" if fields["individual_digits"] else "Contiguous")
    elif kind == "Whitespace":
        yield cut_at(r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|"
                     r"[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+", "Removed", invert=True)
    elif kind == "WhitespaceSplit":
        yield cut_at(r"\p{White_Space}", "Removed")
    elif kind == "Punctuation":
        import regex
        yield cut_at(rf"[{regex.escape(string.punctuation)}\p{{P}}]", fields.get("behavior", "Isolated"))
    elif kind == "Split":
        yield cut_at(pattern_of(fields["pattern"]), fields["behavior"], fields["invert"])
    else:
        raise ValueError(f"the pre_tokenizer is {kind!r}, expected ByteLevel, Digits, Punctuation, Split, "
                         f"Whitespace or WhitespaceSplit")


def pattern_of(fields: dict[str, Any]) -> str:
    """The regular expression of a tokenizer.json's ``pattern``: its ``Regex``, or its ``String``, escaped."""
    import regex
    if not fields.keys() & {"Regex", "String"}:
        raise ValueError("a pattern has neither the field 'Regex' nor 'String'")
    return fields["Regex"] if "Regex" in fields else regex.escape(fields["String"])


def compiled(pattern: str) -> regex.Pattern[str]:
    """``pattern`` compiled by the package regex. Raises ValueError for a pattern that is not valid."""
    import regex                                        # knows \p{L} and possessive quantifiers, which re does not
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"the pattern {pattern!r}: {error}") from None


def cut_at(pattern: str, behavior: str, invert: bool = False) -> Callable[[str], list[str]]:
    """The function text → pieces that cuts at each match of ``pattern``; with ``invert``, at the text between matches.

        Removed                 a match is removed
        Isolated                a match is a piece of its own
        MergedWithPrevious      a match joins the piece before it; MergedWithNext: the piece after it
        Contiguous              matches that follow each other are one piece
    """
    if behavior not in BEHAVIORS:
        raise ValueError(f"the behavior of a cut is {behavior!r}, expected one of {', '.join(BEHAVIORS)}")
    pattern = compiled(pattern)

    def cut(text):
        spans, end = [], 0
        for match in pattern.finditer(text):
            spans += [(text[end:match.start()], invert), (match.group(), not invert)]
            end = match.end()
        spans = [span for span in [*spans, (text[end:], invert)] if span[0]]
        if behavior == "Removed":
            return [piece for piece, is_match in spans if not is_match]
        if behavior == "Isolated":
            return [piece for piece, _ in spans]
        backwards, found, before = behavior == "MergedWithNext", [], None
        for piece, is_match in reversed(spans) if backwards else spans:
            joins = is_match == before if behavior == "Contiguous" else is_match and not before
            if found and joins:
                found[-1] = piece + found[-1] if backwards else found[-1] + piece
            else:
                found.append(piece)
            before = is_match
        return found[::-1] if backwards else found

    return cut
