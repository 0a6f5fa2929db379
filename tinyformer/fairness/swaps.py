"""Swapping the words of a pair in a text: he ↔ she, 他 ↔ 她, John ↔ Mary."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .checks import check_str
from .lists import FUNCTION_WORDS, UNCHANGED

__all__ = ["Swaps"]

CHINESE = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
LETTER = rf"[^\W{CHINESE}]"                                 # of a script that writes words with spaces
NEXT_WORD = re.compile(rf"\s+[\"'“‘(]*({LETTER}+)")            # after white space and perhaps opening quotes


class Swaps:
    """Pairs of words, and the text in which each word is replaced by its partner. All words change at once.

    pairs       {first word: second word}; the second may be a list of words, such as {"his": ["her", "hers"]}

    A word matches whole words, and any case: "He's" becomes "She's", "HE" becomes "SHE", "the" stays. A word that the
    mapping writes with a capital matches only with one: {"Mark": "Mary"} leaves "mark". Chinese words have no borders;
    words that contain one by chance, such as 其他, 他人 and 吉他, stay.

    A word with several partners needs a rule. "her" is "his" before a word that can begin the rest of a noun phrase
    ("her film"), and "him" at the end of a clause or before a function word ("saw her in …"). "his" is "her" or
    "hers" by the same rule. For any other word, the first partner in the mapping counts.

    >>> Swaps({"he": "she", "him": "her", "his": "her"})("She's in her car. He saw her.")
    "He's in his car. She saw him."

    TypeError unless ``pairs`` is a mapping of texts. ValueError for an empty mapping, an empty word, a word that is its
    own partner, and a word that is first in one pair and second in another.
    """

    def __init__(self, pairs: Mapping[str, str | Sequence[str]]) -> None:
        if not isinstance(pairs, Mapping):
            raise TypeError(f"swaps: got a {type(pairs).__name__}, expected a mapping such as {{'he': 'she'}}")
        if not pairs:
            raise ValueError("swaps: the mapping is empty, expected pairs such as {'he': 'she'}")
        self.pairs: list[tuple[str, str]] = []
        self._partners: dict[str, list[str]] = {}
        self._sides: dict[str, str] = {}
        for first, seconds in pairs.items():
            for second in [seconds] if isinstance(seconds, str) else _words(first, seconds):
                _check_pair(first, second)
                self.pairs.append((first, second))
                for word, partner, side in ((first, second, "first"), (second, first, "second")):
                    if self._sides.setdefault(word.lower(), side) != side:
                        raise ValueError(f"swaps: {word!r} is the first word of a pair and the second of another, "
                                         f"expected one side for each word")
                    self._partners.setdefault(word.lower(), []).append(partner)
        words = sorted({word for pair in self.pairs for word in pair}, key=len, reverse=True)
        alternatives = "|".join(map(_pattern, words))
        self._pattern = re.compile(f"({'|'.join(UNCHANGED)})|({alternatives})", re.IGNORECASE)

    def __call__(self, text: str) -> str:
        """``text`` with every swap word replaced by its partner."""
        check_str("swaps", "text", text)

        def replaced(match: re.Match[str]) -> str:
            if match[1]:
                return match[1]
            return in_case_of(match[2], self._partner(match[2].lower(), text[match.end():]))

        return self._pattern.sub(replaced, text)

    def first_side(self, text: str) -> str | None:
        """"first" or "second": the side of the first swap word of ``text``; None if the text has no swap word."""
        check_str("swaps", "text", text)
        return next((self._sides[match[2].lower()] for match in self._pattern.finditer(text) if match[2]), None)

    def _partner(self, word: str, rest: str) -> str:
        """The partner of ``word`` before the text ``rest``."""
        candidates = self._partners[word]
        possessive, alone = {"her": ("his", "him"), "his": ("her", "hers")}.get(word, ("", ""))
        if {possessive, alone} <= set(map(str.lower, candidates)):
            return possessive if _begins_a_noun_phrase(rest) else alone
        return candidates[0]


def in_case_of(found: str, word: str) -> str:
    """``word`` in upper case, with a capital or in lower case, as ``found`` is written."""
    if found.isupper() and len(found) > 1:
        return word.upper()
    if found[:1].isupper():
        return word[:1].upper() + word[1:]
    return word.lower() if found.islower() else word


def _begins_a_noun_phrase(rest: str) -> bool:
    """Whether a possessive fits before ``rest``: its next word is in the same clause and is no function word."""
    match = NEXT_WORD.match(rest)
    return match is not None and match[1].lower() not in FUNCTION_WORDS


def _pattern(word: str) -> str:
    """The regular expression of one word: borders for words in letters, and its own case after a capital."""
    found = re.escape(word)
    if word[:1].isupper():                                  # "Mark", "MARK", but not "mark"
        found = f"(?-i:{found}|{re.escape(word.upper())})"
    if re.search(LETTER, word):
        found = rf"(?<!{LETTER}){found}(?!{LETTER})"
    return found


def _words(first: str, seconds: Any) -> Sequence[str]:
    if not isinstance(seconds, Sequence) or not seconds:
        raise TypeError(f"swaps: the partner of {first!r} is {seconds!r}, expected a word or a list of words")
    return seconds


def _check_pair(first: Any, second: Any) -> None:
    for word in (first, second):
        if not isinstance(word, str):
            raise TypeError(f"swaps: {word!r} is a {type(word).__name__}, expected a word")
        if not word.strip() or word != word.strip():
            raise ValueError(f"swaps: got the word {word!r}, expected a word without spaces around it")
    if first.lower() == second.lower():
        raise ValueError(f"swaps: {first!r} is its own partner, expected two words")
