"""Examples for BERT's two tasks: pairs of texts that follow each other or do not, with words masked.

Source: Devlin et al. (2019), section 3.1 and appendix A.1.
"""

from __future__ import annotations

import numpy as np

MASKED, RANDOM = 0.8, 0.1                                   # of the chosen tokens; the rest stays as it is


class Lines:
    """Documents as lines of tokens: where one text ends, the next begins with a line.

    documents       a list of documents, each a list of arrays of ids, one a line
    """

    def __init__(self, documents):
        lines = [line for document in documents for line in document]
        if not any(len(document) > 1 for document in documents):
            raise ValueError(f"Lines: {len(documents)} documents of {len(lines)} lines, expected one with two lines at least")
        sizes = np.array([len(document) for document in documents])
        self.tokens = np.concatenate(lines)                                     # (N,) all of them, one after the other
        self.starts = np.cumsum([0, *map(len, lines)])                          # where line i begins; and the end
        self.document = np.repeat(np.arange(len(documents)), sizes)             # which one line i is of
        self.last = np.cumsum(sizes)[self.document] - 1                         # the last line of that document
        self.followed = np.flatnonzero(np.arange(len(lines)) < self.last)       # lines with another one after them
        self.several = self.document[self.followed[0]] != self.document[self.followed[-1]]

    def pair(self, room, rng):
        """(first, second, follows): two runs of at most ``room`` tokens together. Half of the time the second is what
        follows the first, else what begins at a line of another document (of the same one, where there is no other).

        Neither begins where only the other could: the place tells nothing.
        """
        line = rng.choice(self.followed)
        start = self.starts[line]
        # The first text ends with the last line that lies within half of the room, or there if there is none.
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


def join(pairs, T, cls, sep, pad):
    """(ids, types), each (B, T): [CLS] first [SEP] second [SEP], and 0 or 1 for which of the two; behind them [PAD]."""
    ids, types = np.full((len(pairs), T), pad, np.int64), np.zeros((len(pairs), T), np.int64)
    for row, (first, second, _) in enumerate(pairs):
        n, end = len(first) + 2, len(first) + len(second) + 3
        ids[row, 0], ids[row, 1:n - 1], ids[row, n - 1], ids[row, n:end - 1], ids[row, end - 1] = cls, first, sep, second, sep
        types[row, n:end] = 1
    return ids, types


def mask_tokens(ids, share, mask, special, vocab_size, rng, continues=None, ignore=-100):
    """(ids, labels), each (B, T): ``share`` of the tokens are asked for. Of those 80 % become [MASK], 10 % a random token,
    and 10 % stay, so that the model cannot know which of the words that it sees are right.

    special         ids that are never chosen nor put in: [CLS], [SEP], [PAD] …
    continues       (V,) True for tokens that go on with a word (##…): then whole words are chosen
    """
    ids = np.asarray(ids)
    ordinary = ~np.isin(ids, special)
    draw = rng.random(ids.shape)
    if continues is not None:
        goes_on = continues[ids]
        goes_on[:, 0] = False
        word = np.cumsum(~goes_on.ravel()) - 1                                  # which word each token belongs to
        draw = draw.ravel()[np.flatnonzero(~goes_on.ravel())[word]].reshape(ids.shape)      # the draw of its first token
    chosen = ordinary & (draw < share)
    if not chosen.any():                                                        # a mean over nothing is no loss
        chosen.flat[np.flatnonzero(ordinary)[:1]] = True
    labels = np.where(chosen, ids, ignore)
    fate = rng.random(ids.shape)
    words = np.setdiff1d(np.arange(vocab_size), special)
    masked = np.where(chosen & (fate < MASKED), mask, ids)
    return np.where(chosen & (fate >= MASKED) & (fate < MASKED + RANDOM), rng.choice(words, ids.shape), masked), labels
