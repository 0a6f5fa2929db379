"""Counts of all n-grams of a text, stored as a tree in sorted arrays.

A node of level m is an m-gram w₁…wₘ that occurs. Its key combines the number of its parent w₁…wₘ₋₁ and its last token:

    key = parent · V + wₘ              a node's number is the index of its key among the sorted keys of its level

The children of a node are adjacent, a key fits into 64 bits for any V and m, and every operation below is a sort or a
binary search over whole arrays. Level 1 has every token of the vocabulary, even if it does not occur.

The first token of a sequence is context and is never predicted. The count of an m-gram is how often its last token
follows the others. No n-gram crosses the border between two sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..typing import Array

from ..arrays import plain_array

UNSEEN, SHORT = -1, -2                  # in place of a node: it does not occur; it would begin before the text


@dataclass
class Level:
    """The U m-grams of one m, in the order of their keys.

    keys        int64 (U,)
    counts      the number of occurrences of each
    neighbors   the number of different tokens that precede each one, where every beginning of a sequence counts as one
                more: (U,). Level 1 does not count beginnings, where nothing is predicted; the last level has None
    """

    keys: Array
    counts: Array
    neighbors: Any = None


class Counts:
    """The n-grams up to ``n`` of ``sequences``.

    sequences   the ids of one text, integers (T,), or a list of such
    vocab_size  V: the ids are 0…V−1
    """

    def __init__(self, sequences: ArrayLike | Sequence[ArrayLike], n: int, vocab_size: int) -> None:
        self.n, self.vocab_size = n, vocab_size
        ids, ends = _joined(sequences, vocab_size)
        firsts = np.concatenate([[0], ends[:-1]])
        # for each token, the end of its sequence
        last = np.repeat(ends, ends - firsts)
        predicted = np.ones(len(ids), bool)
        predicted[firsts] = False
        self.levels = [Level(np.arange(vocab_size), np.bincount(ids[predicted], minlength=vocab_size))]
        # for each node, the node without its first token
        self.suffixes = [np.zeros(vocab_size, np.int64)]
        # the first positions of m-grams, and their nodes
        starts, node = np.arange(len(ids)), ids.copy()
        for m in range(2, n + 1):
            starts = starts[last[starts] - starts >= m]
            keys, which, counts = _distinct(node[starts] * vocab_size + ids[starts + m - 1],
                                            len(self.levels[-1].keys) * vocab_size, number=m < n)
            self.levels.append(Level(keys, counts))
            parent, token = np.divmod(keys, vocab_size)
            suffix = token if m == 2 else find(self.levels[m - 2].keys, self.suffixes[-1][parent], token, vocab_size)
            self.suffixes.append(suffix)
            below = self.levels[m - 2]
            below.neighbors = np.bincount(suffix, minlength=len(below.keys))
            if m > 2:
                below.neighbors += np.bincount(node[firsts[ends - firsts >= m - 1]], minlength=len(below.keys))
            node[starts] = which

    def parents(self, m: int) -> tuple[Array, Array]:
        """(numbers of the parents, last tokens) of the nodes of level m."""
        if m == 1:
            return np.zeros(self.vocab_size, np.int64), np.arange(self.vocab_size)
        return np.divmod(self.levels[m - 1].keys, self.vocab_size)


def find(keys: Array, parent: Any, token: Any, vocab_size: int) -> Array:
    """The child ``token`` of each node ``parent``; the two arrays broadcast.

    UNSEEN where there is no child, SHORT where the parent is SHORT.
    """
    wanted = parent * vocab_size + token
    if len(keys) == 0:
        return np.where(np.broadcast_to(parent, wanted.shape) == SHORT, SHORT, UNSEEN)
    place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(parent == SHORT, SHORT, np.where((keys[place] == wanted) & (parent >= 0), place, UNSEEN))


def _distinct(keys, limit, number):
    """(the distinct ``keys`` in ascending order; with ``number``, the index of each key among them; the count of each).

    The keys are below ``limit``. For a small limit, counting in a table takes a fifth of the time of sorting.
    """
    if limit > 4 * len(keys):
        distinct, *which, counts = np.unique(keys, return_inverse=number, return_counts=True)
        return distinct, which[0] if number else -1, counts
    table = np.bincount(keys, minlength=limit)
    distinct = np.flatnonzero(table)
    place = np.zeros(limit, np.int64)
    place[distinct] = np.arange(len(distinct))
    return distinct, place[keys], table[distinct]


def _joined(sequences, vocab_size):
    """(the concatenated ids of all sequences, the end of each sequence), checked."""
    if not (isinstance(sequences, (list, tuple)) and np.ndim(sequences[0] if sequences else 0)):
        sequences = [sequences]
    sequences = [checked_ids(ids, vocab_size) for ids in sequences]
    sequences = [ids for ids in sequences if len(ids)]
    if not any(len(ids) > 1 for ids in sequences):
        raise ValueError("ngram: the text has no token that follows another one, expected a sequence of at least two")
    return np.concatenate(sequences), np.cumsum([len(ids) for ids in sequences])


def checked_ids(ids: ArrayLike, vocab_size: int, ndim: int = 1, name: str = "ngram") -> Array:
    """``ids`` as int64.

    Raises, with a message that begins with ``name``, unless they are integers in 0…V−1 with ``ndim`` axes.
    """
    ids = plain_array(name, ids)
    if ids.ndim != ndim:
        raise ValueError(f"{name}: ids have shape {ids.shape}, expected {ndim} {'axis' if ndim == 1 else 'axes'}")
    if ids.size and ids.dtype.kind not in "iu":
        raise TypeError(f"{name}: ids are {ids.dtype}, expected integers")
    if ids.size and not (0 <= ids.min() and ids.max() < vocab_size):
        strange = ids[(ids < 0) | (ids >= vocab_size)][0]
        raise ValueError(f"{name}: an id is {strange}, expected 0…{vocab_size - 1}")
    return ids.astype(np.int64, copy=False)
