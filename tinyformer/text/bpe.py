"""Byte-pair encoding: start from bytes, and merge the most frequent pair of neighbours again and again.

Bytes make it complete: any text has an encoding, and nothing is unknown. Merges make it short. Text is first cut into
pieces (words with the space before them, numbers, punctuation), and no token reaches over the edge of a piece.

Source: Sennrich, Haddow & Birch (2016), "Neural machine translation of rare words with subword units"; over bytes, and
with the pieces used here: Radford et al. (2019), "Language models are unsupervised multitask learners" (GPT-2).
"""

from __future__ import annotations

import functools
import re
import sys
from collections import Counter, defaultdict
from heapq import heapify, heappop, heappush
from itertools import chain

import numpy as np

from .base import Tokenizer, check_text, checked_ids

CACHED = 1 << 17            # pieces whose ids are remembered: far more than a language's common words


class BytePairTokenizer(Tokenizer):
    """Byte-level BPE. Ids 0…255 are the bytes, id 256 + r is what merge r makes.

    merges      pairs (left, right) of ids, in the order in which they were learned: the earlier, the higher its rank
    """

    type_name = "bpe"

    def __init__(self, merges):
        self.tokens = [bytes([byte]) for byte in range(256)]            # by id
        self.merges = [self._append(pair) for pair in merges]
        if len(set(self.tokens)) < len(self.tokens):
            twice, _ = Counter(self.tokens).most_common(1)[0]
            raise ValueError(f"BytePairTokenizer: two merges make {twice!r}, expected each token once")
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self._cache = {}

    def _append(self, pair):
        """Add the token that ``pair`` makes, and give the pair back as a tuple."""
        if not (isinstance(pair, (list, tuple)) and len(pair) == 2
                and all(type(id) is int and 0 <= id < len(self.tokens) for id in pair)):
            raise ValueError(f"BytePairTokenizer: merge {len(self.tokens) - 256} is {pair!r}, "
                             f"expected two ids of tokens made before it, 0…{len(self.tokens) - 1}")
        left, right = pair
        self.tokens.append(self.tokens[left] + self.tokens[right])
        return left, right

    @classmethod
    def train(cls, text, vocab_size):
        """Learn at most ``vocab_size`` − 256 merges from ``text``; fewer when no pair occurs twice any more.

        Merged is the pair that occurs most often; of several, the one with the smallest (left, right) ids, so that
        the same text gives the same tokenizer everywhere.
        """
        check_text("BytePairTokenizer.train", text)
        if not text:
            raise ValueError("BytePairTokenizer.train: text is empty, expected at least one character")
        if isinstance(vocab_size, bool) or not isinstance(vocab_size, int):
            raise TypeError(f"BytePairTokenizer.train: vocab_size is {vocab_size!r}, expected a whole number")
        if vocab_size < 256:
            raise ValueError(f"BytePairTokenizer.train: vocab_size is {vocab_size}, expected at least 256, "
                             f"one for each byte")
        counts = {piece.encode(): count for piece, count in Counter(pieces(text)).items()}
        return cls(learn_merges(counts, vocab_size - 256))

    @property
    def vocab_size(self):
        """How many ids there are."""
        return len(self.tokens)

    def encode(self, text):
        """The ids of ``text``: int64 (T,), T at most its number of bytes."""
        check_text("BytePairTokenizer.encode", text)
        return np.fromiter(chain.from_iterable(map(self._piece_ids, pieces(text))), np.int64)

    def _piece_ids(self, piece):
        """The ids of one piece, remembered, since the same words come again and again."""
        ids = self._cache.get(piece)
        if ids is None:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            ids = self._cache[piece] = apply_merges(piece.encode(), self._ranks, range(256, self.vocab_size))
        return ids

    def decode(self, ids):
        """The text of ``ids``, integers (T,). Bytes that are no UTF-8, as when a character is cut, become U+FFFD."""
        ids = checked_ids("BytePairTokenizer.decode", ids, self.vocab_size)
        return b"".join(map(self.tokens.__getitem__, ids)).decode(errors="replace")

    def to_dict(self):
        """What is saved."""
        return {"type": self.type_name, "merges": [list(pair) for pair in self.merges]}

    @classmethod
    def from_dict(cls, fields):
        """The tokenizer of such a dict. KeyError for a missing field, ValueError or TypeError for a damaged one."""
        if not isinstance(fields["merges"], list):
            raise TypeError(f"BytePairTokenizer: merges are {type(fields['merges']).__name__}, expected a list")
        return cls(fields["merges"])


# ------------------------------------------------------------------------------------------------ pieces

def pieces(text):
    """Cut ``text`` as GPT-2 does; joined, the pieces are the text again.

    In this order: English endings ('s, 't, 're, …); a run of letters, of numbers or of other signs, each with one space
    before it; white space, of which the last goes with what follows it.
    """
    return _pattern().findall(text)


@functools.cache
def _pattern():
    """The regular expression of ``pieces``.

    ``re`` has no classes for Unicode's categories, so they are put together: numbers are what is numeric and no letter
    (Chinese numerals are both, and count as letters), letters are what is left of ``\\w``. ``re`` takes four separators,
    U+001C to U+001F, for white space, which Unicode does not.
    """
    runs = "".join(c if c.isnumeric() and not c.isalpha() else " " for c in map(chr, range(sys.maxunicode + 1))).split()
    numbers = "".join(f"{run[0]}-{run[-1]}" for run in runs)            # as ranges: eight times faster than one by one
    space, visible = r"[^\S\x1c-\x1f]", r"[\S\x1c-\x1f]"
    return re.compile(rf"'(?:[sdmt]|ll|re|ve)| ?[^\W_{numbers}]+| ?[{numbers}]+| ?(?:[^\w\s]|[_\x1c-\x1f])+"
                      rf"|{space}+(?!{visible})|{space}+")


# ------------------------------------------------------------------------------------------------ merging

EDGE = -1                   # stands for no token: around each piece, and where a token was merged into its left neighbour


def learn_merges(counts, n, first=256):
    """The first ``n`` merges, as pairs of ids, for ``counts``, {ids of a piece (bytes are that too): how often}.

    Merge r makes the id ``first`` + r.

    All pieces stand in one row, linked to their neighbours, and the count and places of every pair are kept up to date: a
    merge costs time only where its pair stands. No pair's count grows after the merge that made its newer token, so an
    entry of the heap is an upper bound, and one that is too high is put back with the count of now.
    """
    row, weight = [EDGE], [0]
    for piece, count in counts.items():
        row += [*piece, EDGE]
        weight += [count] * (len(row) - len(weight))
    links = Links(row)
    occurs, places = Counter(), defaultdict(list)           # of a pair: how often in the text; where its left token stands
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
        for i in sorted(places.pop(pair)):                  # from left to right: of three equal tokens the first two merge
            if not links.holds(i, pair):
                continue
            left, right = links.neighbours(i)
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


def apply_merges(piece, ranks, made):
    """What the ids of ``piece`` merge to: of all neighbours that are a merge, the highest-ranked, leftmost pair goes first.

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
            left, right = links.neighbours(i)
            links.merge(i, made[rank])
            for place, new_pair in ((left, (row[left], row[i])), (i, (row[i], row[right]))):
                if new_pair in ranks:
                    heappush(heap, (ranks[new_pair], place, new_pair))
    return [id for id in row if id != EDGE]


class Links:
    """Who is whose neighbour in a row of tokens in which pairs merge: the left one becomes the new token, the right one
    is gone. The lists are linked, so a merge costs the same however long the row is."""

    def __init__(self, row):
        self.row = row
        self.before = list(range(-1, len(row) - 1))
        self.after = list(range(1, len(row) + 1))

    def holds(self, i, pair):
        """Whether ``pair`` still stands at i and after it."""
        return self.row[i] == pair[0] and self.row[self.after[i]] == pair[1]

    def neighbours(self, i):
        """The places to the left and to the right of the pair at i."""
        return self.before[i], self.after[self.after[i]]

    def merge(self, i, new):
        """The pair at i becomes the one token ``new``."""
        gone = self.after[i]
        self.row[i], self.row[gone] = new, EDGE
        self.after[i] = self.after[gone]
        self.before[self.after[gone]] = i
