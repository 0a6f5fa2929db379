"""Words: cutting text at white space, punctuation and Chinese characters, as BERT does before WordPiece.

Source: Devlin et al. (2019), BERT's "basic" tokenization. Where the original and Hugging Face's library differ, we
follow the library, whose ids the published models are used with. (Its tables are of an older Unicode: a few hundred
rare characters may differ.)
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable, Collection

# Chinese characters. The gap before U+2B920 is an error in Hugging Face's list; we keep it for the same ids.
CHINESE = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B81F), (0x2B920, 0x2CEAF),
           (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


def split_words(text: str, lowercase: bool = True, strip_accents: bool | None = None,
                chinese: bool = True) -> list[str]:
    """The words of ``text``: runs between white space.

    Each punctuation mark and each Chinese character is its own word.

    lowercase       convert letters to lower case
    strip_accents   remove accents: é → e. None: if ``lowercase``
    chinese         False keeps runs of Chinese characters whole

    >>> split_words("Café, 你好!")
    ['cafe', ',', '你', '好', '!']
    """
    return words_of(normalized_words(text, lowercase, strip_accents, chinese))


def normalized_words(text: str, lowercase: bool = True, strip_accents: bool | None = None, chinese: bool = True) -> str:
    """``text`` as ``split_words`` normalizes it before cutting."""
    text = text.translate(_CLEANED if chinese else _CLEANED_CHINESE_WHOLE)
    if lowercase if strip_accents is None else strip_accents:
        text = unicodedata.normalize("NFD", text).translate(_WITHOUT_ACCENTS)
    if lowercase:
        text = text.replace("Σ", "σ").lower()           # for Σ alone, str.lower depends on the neighbors; BERT does not
    return text


def words_of(text: str) -> list[str]:
    """The words of a normalized text: runs between white space; each punctuation mark is its own word."""
    return text.translate(_PUNCTUATION_APART).split()


def is_chinese(character: str) -> bool:
    """Whether ``character`` is Chinese. Chinese punctuation is not."""
    return any(low <= ord(character) <= high for low, high in CHINESE)


def longest_words(text: str, vocabulary: Collection[str], widest: int | None = None) -> list[str]:
    """Cut ``text`` from left to right into the longest words of ``vocabulary``.

    A character that begins none stands alone.

    vocabulary      a set or a dict
    widest          the length of its longest word; computed if it is None, which takes time when you cut many texts

    Forward maximum matching is the simplest way to cut Chinese, which has no spaces between words. It never corrects an
    earlier choice: 研究生命起源 becomes 研究生 命 起源 where 研究 生命 起源 was meant.
    """
    widest, words, start = widest or max(map(len, vocabulary), default=1), [], 0
    while start < len(text):
        ends = range(min(start + widest, len(text)), start + 1, -1)
        end = next((end for end in ends if text[start:end] in vocabulary), start + 1)
        words.append(text[start:end])
        start = end
    return words


# ------------------------------------------------------------------------------------------ tables for str.translate

class _Table(dict):
    """{number of a character: its replacement}, computed when the character first occurs."""

    def __init__(self, rule: Callable[[str], str | None]) -> None:
        self.rule = rule

    def __missing__(self, point):
        self[point] = self.rule(chr(point))
        return self[point]


def _clean(character):
    """None for a control character, a space for white space, spaces around a Chinese character."""
    category = unicodedata.category(character)
    if character in "\t\n\r" or category[0] == "Z":
        return " "
    if character == "\ufffd" or category in ("Cc", "Cf", "Co"):
        return None
    return f" {character} " if is_chinese(character) else character


def _clean_chinese_whole(character):
    return character if is_chinese(character) else _clean(character)


def _without_accent(character):
    return None if unicodedata.category(character) == "Mn" else character


def _apart(character):
    """Spaces around punctuation, which includes all ASCII symbols, such as $ and +."""
    is_mark = character in string.punctuation or unicodedata.category(character)[0] == "P"
    return f" {character} " if is_mark else character


_CLEANED, _CLEANED_CHINESE_WHOLE = _Table(_clean), _Table(_clean_chinese_whole)
_WITHOUT_ACCENTS, _PUNCTUATION_APART = _Table(_without_accent), _Table(_apart)
