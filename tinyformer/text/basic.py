"""Words: cutting text at white space, punctuation and Chinese characters, as BERT does before it looks into its vocabulary.

Source: Devlin et al. (2019), BERT's "basic" tokenization; where the original and Hugging Face's differ, theirs stands, whose
ids the published models are used with. (Their tables are of an older Unicode: a few hundred rare signs may differ.)
"""

from __future__ import annotations

import string
import unicodedata

# Chinese characters. The gap before U+2B920 is a slip in Hugging Face's list, and kept for the same ids.
CHINESE = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF),
           (0x2F800, 0x2FA1F))


def split_words(text, lowercase=True, strip_accents=None, chinese=True):
    """The words of ``text``: runs between white space, each punctuation mark alone, and each Chinese character alone.

    lowercase       make letters small, and (unless ``strip_accents`` says otherwise) take their accents off: é → e
    chinese         False leaves runs of Chinese characters whole
    """
    return words_of(normalized_words(text, lowercase, strip_accents, chinese))


def normalized_words(text, lowercase=True, strip_accents=None, chinese=True):
    """``text`` as ``split_words`` normalizes it before it cuts."""
    text = text.translate(_CLEANED if chinese else _CLEANED_CHINESE_WHOLE)
    if lowercase if strip_accents is None else strip_accents:
        text = unicodedata.normalize("NFD", text).translate(_WITHOUT_ACCENTS)
    if lowercase:
        text = text.replace("Σ", "σ").lower()           # str.lower looks at the neighbours of a Σ alone; BERT does not
    return text


def words_of(text):
    """The words of a normalized text: runs between white space, and each punctuation mark alone."""
    return text.translate(_PUNCTUATION_APART).split()


def is_chinese(character):
    """Whether it is a Chinese character (punctuation is not)."""
    return any(low <= ord(character) <= high for low, high in CHINESE)


def longest_words(text, vocabulary, widest=None):
    """Cut ``text`` from left to right, taking the longest word of ``vocabulary`` each time, or else one character.

    Forward maximum matching: the simplest way to Chinese words, which bear no spaces. It never looks back:
    研究生命起源 becomes 研究生 命 起源 where 研究 生命 起源 was meant. ``vocabulary`` is a set or a dict, and ``widest`` the length of its
    longest word: who cuts many texts says it, so that it is not looked for each time.
    """
    widest, words, start = widest or max(map(len, vocabulary), default=1), [], 0
    while start < len(text):
        end = next((end for end in range(min(start + widest, len(text)), start + 1, -1) if text[start:end] in vocabulary),
                   start + 1)
        words.append(text[start:end])
        start = end
    return words


# ------------------------------------------------------------------------------------------------ tables for str.translate

class _Table(dict):
    """What becomes of a character, by its number; computed when it first occurs."""

    def __init__(self, rule):
        self.rule = rule

    def __missing__(self, point):
        self[point] = self.rule(chr(point))
        return self[point]


def _clean(character):
    """Nothing for a control character, a space for white space, spaces around a Chinese character."""
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
    """Spaces around punctuation, for which all signs of ASCII count, $ and + too."""
    return f" {character} " if character in string.punctuation or unicodedata.category(character)[0] == "P" else character


_CLEANED, _CLEANED_CHINESE_WHOLE = _Table(_clean), _Table(_clean_chinese_whole)
_WITHOUT_ACCENTS, _PUNCTUATION_APART = _Table(_without_accent), _Table(_apart)
