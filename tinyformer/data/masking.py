"""Examples for BERT's two tasks: pairs of texts that are consecutive or not, with masked words.

Source: Devlin et al. (2019), section 3.1 and appendix A.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MASKED, RANDOM = 0.8, 0.1                                   # of the chosen tokens; the rest stays unchanged


class Lines:
    """Documents as lines of tokens. A text of a pair begins at the start of a line.

    documents       a list of documents, each a list of lines, each an array of ids (T,)

    Raises ValueError if no document has two lines.
    """

    def __init__(self, documents: Sequence[Sequence[NDArray[Any]]]) -> None:
        lines = [line for document in documents for line in document]
        if not any(len(document) > 1 for document in documents):
            raise ValueError(f"Lines: {len(documents)} documents of {len(lines)} lines, expected "
                             f"at least one with two lines")
        sizes = np.array([len(document) for document in documents])
        self.tokens = np.concatenate(lines)                                     # (N,) all of them, one after the other
        self.starts = np.cumsum([0, *map(len, lines)])                          # the start of line i; and the end
        self.document = np.repeat(np.arange(len(documents)), sizes)             # the document of line i
        self.last = np.cumsum(sizes)[self.document] - 1                         # the last line of that document
        self.followed = np.flatnonzero(np.arange(len(lines)) < self.last)       # lines with another one after them
        self.several = self.document[self.followed[0]] != self.document[self.followed[-1]]

    def pair(self, room: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], bool]:
        """(first, second, follows): two texts of at most ``room`` tokens together; does the second follow the first?

        With probability ½ the second text follows the first. Otherwise it begins at a random line of another document
        (of the same one, if there is no other). Both kinds of second texts begin at the same kind of line, so that the
        position does not reveal the answer.
        """
        line = rng.choice(self.followed)
        start = self.starts[line]
        # The first text ends with the last line that fits into half of the room, or is cut there.
        after = np.searchsorted(self.starts, start + room // 2, side="right") - 1
        cut = min(self.starts[after] if after > line else start + room // 2, self.starts[self.last[line]])
        follows = rng.random() < 0.5
        if follows:
            begin, end = cut, self.starts[self.last[line] + 1]
        else:
            other = rng.choice(self.followed)
            while self.several and self.document[other] == self.document[line]:
                other = rng.choice(self.followed)
            begin, end = self.starts[other + 1], self.starts[self.last[other] + 1]
        return self.tokens[start:cut], self.tokens[begin:min(begin + room - (cut - start), end)], follows


def join(pairs: Sequence[tuple[NDArray[Any], NDArray[Any], bool]], T: int, cls: int, sep: int,
         pad: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(ids, types), each int64 (B, T), of ``pairs`` as ``Lines.pair`` returns them.

    ids are [CLS] first [SEP] second [SEP], then [PAD]. types are 0 for the first text and for padding, 1 for the second
    text.
    """
    ids, types = np.full((len(pairs), T), pad, np.int64), np.zeros((len(pairs), T), np.int64)
    for row, (first, second, _) in enumerate(pairs):
        n, end = len(first) + 2, len(first) + len(second) + 3
        ids[row, 0], ids[row, 1:n - 1], ids[row, n - 1] = cls, first, sep
        ids[row, n:end - 1], ids[row, end - 1] = second, sep
        types[row, n:end] = 1
    return ids, types


def mask_tokens(ids: ArrayLike, share: float, mask: int, special: Sequence[int], vocab_size: int,
                rng: np.random.Generator, continues: NDArray[np.bool_] | None = None,
                ignore: int = -100) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(ids, labels), each (B, T): the input with masked tokens, and the tokens to predict.

    share           of the tokens are chosen. Their label is their id; the label of all others is ``ignore``
    mask            the id of [MASK]
    special         ids that are never chosen and never inserted: [CLS], [SEP], [PAD], …
    continues       (V,) True for tokens that continue a word (##…): then whole words are chosen

    Of the chosen tokens, 80 % become [MASK], 10 % a random token, and 10 % stay unchanged, so that the model cannot
    know which of its input tokens are right.
    """
    ids = np.asarray(ids)
    ordinary = ~np.isin(ids, special)
    draw = rng.random(ids.shape)
    if continues is not None:
        inside = continues[ids]
        inside[:, 0] = False
        word = np.cumsum(~inside.ravel()) - 1                                   # the word of each token
        draw = draw.ravel()[np.flatnonzero(~inside.ravel())[word]].reshape(ids.shape)      # the draw of its first token
    chosen = ordinary & (draw < share)
    if not chosen.any():                                                        # the mean over no token is not defined
        chosen.flat[np.flatnonzero(ordinary)[:1]] = True
    labels = np.where(chosen, ids, ignore)
    fate = rng.random(ids.shape)
    words = np.setdiff1d(np.arange(vocab_size), special)
    masked = np.where(chosen & (fate < MASKED), mask, ids)
    return np.where(chosen & (fate >= MASKED) & (fate < MASKED + RANDOM), rng.choice(words, ids.shape), masked), labels
