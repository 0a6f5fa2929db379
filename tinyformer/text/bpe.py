"""Byte-pair encoding: start from bytes, and merge the most frequent pair of neighbors again and again.

Because it starts from bytes, every text has an encoding, and no token is unknown. Merges make the encoding short. Text
is first cut into pieces (words with the space before them, numbers, punctuation), and no token crosses the boundary of
a piece.

Source: Sennrich, Haddow & Birch (2016), "Neural machine translation of rare words with subword units"; over bytes, and
with the pieces used here: Radford et al. (2019), "Language models are unsupervised multitask learners" (GPT-2).
"""

from __future__ import annotations

import functools
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import check_shape
from .base import Tokenizer, check_text, check_vocab_size, checked_ids

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

CACHED = 1 << 17            # pieces whose ids are cached: far more than a language's frequent words


class BytePairTokenizer(Tokenizer):
    """Byte-level BPE. Ids 0…255 are the bytes; id 256 + r is the token that merge r makes.

    merges      pairs (left, right) of ids, in the order in which they were learned: ``encode`` applies earlier merges
                first

    >>> tokenizer = BytePairTokenizer.train("aaab aaab", 258)
    >>> tokenizer.pieces(tokenizer.encode("aaab"))
    ['aa', 'ab']
    """

    type_name, trainable = "bpe", True

    def __init__(self, merges: Iterable[Sequence[int]]) -> None:
        self.tokens = [bytes([byte]) for byte in range(256)]            # by id
        self.merges = [self._append(pair) for pair in merges]
        if len(set(self.tokens)) < len(self.tokens):
            twice, _ = Counter(self.tokens).most_common(1)[0]
            raise ValueError(f"BytePairTokenizer: two merges make {twice!r}, expected each token once")
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self._cache = {}

    def _append(self, pair):
        """Add the token that ``pair`` makes, and return the pair as a tuple."""
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2
                and all(type(id) is int and 0 <= id < len(self.tokens) for id in pair)):
            raise ValueError(f"BytePairTokenizer: merge {len(self.tokens) - 256} is {pair!r}, "
                             f"expected two ids of tokens made before it, 0…{len(self.tokens) - 1}")
        left, right = pair
        self.tokens.append(self.tokens[left] + self.tokens[right])
        return left, right

    @classmethod
    def train(cls, text: str, vocab_size: int) -> Self:
        """Learn at most ``vocab_size`` − 256 merges from ``text``; fewer when no pair is left that occurs twice.

        Each merge takes the most frequent pair; of several, the pair with the smallest (left, right) ids, so that the
        same text always gives the same tokenizer. Raises ValueError for an empty text and a ``vocab_size`` below 256.
        """
        check_text("BytePairTokenizer.train", text)
        if not text:
            raise ValueError("BytePairTokenizer.train: text is empty, expected at least one character")
        check_vocab_size("BytePairTokenizer.train", vocab_size, 256, "one for each byte")
        counts = {piece.encode(): count for piece, count in Counter(pieces(text)).items()}
        return cls(learn_merges(counts, vocab_size - 256))

    def encode(self, text: str) -> NDArray[np.int64]:
        """The ids of ``text``, int64 (T,); T is at most its number of bytes."""
        check_text("BytePairTokenizer.encode", text)
        return np.fromiter(chain.from_iterable(map(self._piece_ids, pieces(text))), np.int64)

    def _piece_ids(self, piece):
        """The ids of one piece, cached, since most words occur many times."""
        ids = self._cache.get(piece)
        if ids is None:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            ids = self._cache[piece] = apply_merges(piece.encode(), self._ranks, range(256, self.vocab_size))
        return ids

    def decode(self, ids: ArrayLike) -> str:
        """The text of ``ids``, integers (T,). Bytes that are not UTF-8, as when a character is cut, become U+FFFD."""
        ids = checked_ids("BytePairTokenizer.decode", ids, self.vocab_size)
        return b"".join(map(self.tokens.__getitem__, ids)).decode(errors="replace")

    def to_dict(self) -> dict[str, Any]:
        return {"type": self.type_name, "merges": [list(pair) for pair in self.merges]}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        check_shape(fields, {"merges": list})
        return cls(fields["merges"])


# ------------------------------------------------------------------------------------------------ pieces

def pieces(text: str) -> list[str]:
    """Cut ``text`` as GPT-2 does; the pieces, joined, are the text again.

    In this order: English endings ('s, 't, 're, …); a run of letters, of numbers or of other characters, each with one
    space before it; white space, whose last character belongs to the piece that follows.
    """
    return _pattern().findall(text)


@functools.cache
def _pattern():
    """The regular expression of ``pieces``.

    ``re`` has no classes for Unicode's categories, so we build them: numbers are numeric characters that are not
    letters (Chinese numerals are both, and count as letters); letters are the rest of ``\\w``. ``re`` counts four
    separators, U+001C to U+001F, as white space; Unicode does not.
    """
    runs = "".join(c if c.isnumeric() and not c.isalpha() else " " for c in map(chr, range(sys.maxunicode + 1))).split()
    numbers = "".join(f"{run[0]}-{run[-1]}" for run in runs)            # as ranges: eight times faster than one by one
    space, visible = r"[^\S\x1c-\x1f]", r"[\S\x1c-\x1f]"
    return re.compile(rf"'(?:[sdmt]|ll|re|ve)| ?[^\W_{numbers}]+| ?[{numbers}]+| ?(?:[^\w\s]|[_\x1c-\x1f])+"
                      rf"|{space}+(?!{visible})|{space}+")


# ------------------------------------------------------------------------------------------------ merging

EDGE = -1                   # no token: around each piece, and where a token was merged into its left neighbor


def learn_merges(counts: Mapping[Sequence[int], int], n: int, first: int = 256) -> list[tuple[int, int]]:
    """The first ``n`` merges, as pairs of ids. Merge r makes the id ``first`` + r.

    counts      {ids of a piece: its number of occurrences}; bytes are ids too

    All pieces form one row, linked to their neighbors, and the count and the positions of every pair are kept up to
    date. A merge therefore costs time only where its pair occurs. No pair's count grows after the merge that made its
    newer token, so a heap entry is an upper bound; an entry that is too high is pushed again with the current count.
    """
    row, weight = [EDGE], [0]
    for piece, count in counts.items():
        row += [*piece, EDGE]
        weight += [count] * (len(row) - len(weight))
    links = Links(row)
    occurs, places = Counter(), defaultdict(list)           # of a pair: its count; the positions of its left token
    for i, pair in enumerate(zip(row, row[1:])):
        if EDGE not in pair:
            occurs[pair] += weight[i]
            places[pair].append(i)
    heap = [(-count, pair) for pair, count in occurs.items()]
    heapify(heap)

    merges = []
    while heap and len(merges) < n:
        bound, pair = heappop(heap)
        if -bound != occurs[pair]:
            heappush(heap, (-occurs[pair], pair))
            continue
        if occurs[pair] < 2:
            break
        new = first + len(merges)
        merges.append(pair)
        made = set()                                        # pairs with the new token
        for i in sorted(places.pop(pair)):  # from left to right: of three equal tokens, the first two merge
            if not links.holds(i, pair):
                continue
            left, right = links.neighbors(i)
            links.merge(i, new)
            for place, old_pair, new_pair in ((left, (row[left], pair[0]), (row[left], new)),
                                              (i, (pair[1], row[right]), (new, row[right]))):
                if EDGE not in new_pair:
                    occurs[old_pair] -= weight[i]
                    occurs[new_pair] += weight[i]
                    places[new_pair].append(place)
                    made.add(new_pair)
        del occurs[pair]
        for other in made:
            heappush(heap, (-occurs[other], other))
    return merges


def apply_merges(piece: Iterable[int], ranks: Mapping[tuple[int, int], int], made: Sequence[int]) -> list[int]:
    """The ids that the ids of ``piece`` merge to. The pair with the lowest rank merges first; of several, the leftmost.

    ranks       {pair of ids: rank}
    made        the id that the merge of each rank makes
    """
    row = [EDGE, *piece, EDGE]
    links = Links(row)
    heap = [(ranks[pair], i, pair) for i, pair in enumerate(zip(row, row[1:])) if pair in ranks]
    heapify(heap)
    while heap:
        rank, i, pair = heappop(heap)
        if links.holds(i, pair):
            left, right = links.neighbors(i)
            links.merge(i, made[rank])
            for place, new_pair in ((left, (row[left], row[i])), (i, (row[i], row[right]))):
                if new_pair in ranks:
                    heappush(heap, (ranks[new_pair], place, new_pair))
    return [id for id in row if id != EDGE]


class Links:
    """The neighbors in a row of tokens in which pairs merge.

    The left token becomes the new one, the right one is removed.

    The row is a linked list, so a merge costs the same for every length of the row.
    """

    def __init__(self, row: list[int]) -> None:
        self.row = row
        self.before = list(range(-1, len(row) - 1))
        self.after = list(range(1, len(row) + 1))

    def holds(self, i: int, pair: tuple[int, int]) -> bool:
        """Whether ``pair`` is still at position i and the one after it."""
        return self.row[i] == pair[0] and self.row[self.after[i]] == pair[1]

    def neighbors(self, i: int) -> tuple[int, int]:
        """The positions to the left and to the right of the pair at i."""
        return self.before[i], self.after[self.after[i]]

    def merge(self, i: int, new: int) -> None:
        """Replace the pair at i by the one token ``new``."""
        gone = self.after[i]
        self.row[i], self.row[gone] = new, EDGE
        self.after[i] = self.after[gone]
        self.before[self.after[gone]] = i
