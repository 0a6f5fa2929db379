"""Words or characters and their n-grams by number: what classifiers of texts read."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from .base import Tokenizer, check_str, checked_ids

PAD, UNKNOWN = 0, 1                                         # the first two ids
SPECIAL = ("<pad>", "<unk>")
UNITS = ("words", "characters")
WORD = re.compile(r"\w+|[^\w\s]")


def units(text, unit):
    """``text`` in small letters as a list of words and signs, or of characters without white space."""
    return WORD.findall(text.lower()) if unit == "words" else list("".join(text.lower().split()))


class NGramTokenizer(Tokenizer):
    """Ids of the n-grams of words or of characters that texts have in common, for n = 1 … ``n``.

    unit            "words" or "characters"
    tokens          the n-grams from id 2 on, their parts joined by a space; 0 is <pad> and 1 <unk>
    documents       in how many of the ``total`` training texts each token stands
    """

    type_name, exact = "ngrams", False

    def __init__(self, unit, n, tokens, documents, total):
        if unit not in UNITS:
            raise ValueError(f"NGramTokenizer: unit is {unit!r}, expected one of {', '.join(UNITS)}")
        if not 1 <= n <= 9:
            raise ValueError(f"NGramTokenizer: n is {n}, expected 1…9")
        if len(tokens) != len(documents):
            raise ValueError(f"NGramTokenizer: {len(tokens)} tokens with {len(documents)} counts of documents")
        if not tokens:
            raise ValueError(f"NGramTokenizer: the vocabulary is empty, expected at least one of the {unit}")
        self.unit, self.n, self.total = unit, n, total
        self.tokens, self.documents = [*SPECIAL, *tokens], list(documents)
        self._ids = {token: id for id, token in enumerate(tokens, len(SPECIAL))}

    @classmethod
    def train(cls, texts, unit="words", n=1, min_count=2, vocab_size=None):
        """The tokenizer of the n-grams that stand in at least ``min_count`` of the ``texts``, the commonest ``vocab_size`` at
        most (both specials counted); ties go by the text of the n-gram."""
        counts = Counter()
        for text in texts:
            counts.update(set(_ngrams(units(text, unit), n)))
        kept = sorted(((count, token) for token, count in counts.items() if count >= min_count),
                      key=lambda item: (-item[0], item[1]))
        if vocab_size is not None and vocab_size <= len(SPECIAL):
            raise ValueError(f"NGramTokenizer.train: vocab_size is {vocab_size}, expected at least {len(SPECIAL) + 1}: "
                             f"{', '.join(SPECIAL)} and one of the {unit}")
        kept = kept[:None if vocab_size is None else vocab_size - len(SPECIAL)]
        if not kept:
            raise ValueError(f"NGramTokenizer.train: no {unit[:-1]} stands in {min_count} texts; expected more texts")
        return cls(unit, n, [token for _, token in kept], [count for count, _ in kept], len(texts))

    @property
    def vocab_size(self):
        """How many ids there are."""
        return len(self.tokens)

    def encode(self, text):
        """The ids of its n-grams, int64 (T,): all single ones first, in their order, <unk> among them; then the known longer
        ones, n by n."""
        check_str("NGramTokenizer.encode", text)
        parts = units(text, self.unit)
        ids = [self._ids.get(part, UNKNOWN) for part in parts]
        if self.n > 1:
            ids += [self._ids[token] for token in _ngrams(parts, self.n, start=2) if token in self._ids]
        return np.array(ids, np.int64)

    def decode(self, ids):
        """Its tokens, joined by a space."""
        return " ".join(map(self.tokens.__getitem__, checked_ids("NGramTokenizer.decode", ids, self.vocab_size)))

    def tf_idf(self, text):
        """(ids, values) of the known n-grams of ``text``, each once:

            value = (1 + ln count) · (1 + ln((1 + total)/(1 + documents))), all divided by their norm

        The rarer an n-gram is in other texts, the more it says.   Source: Spärck Jones (1972), in scikit-learn's form.
        """
        ids, counts = np.unique(self.encode(text), return_counts=True)
        ids, counts = ids[ids > UNKNOWN], counts[ids > UNKNOWN]
        if not hasattr(self, "_idf"):
            self._idf = 1 + np.log((1 + self.total) / (1 + np.array([0, 0, *self.documents])))
        values = (1 + np.log(counts)) * self._idf[ids]
        return ids, (values / max(np.linalg.norm(values), 1e-12)).astype(np.float32)

    def to_dict(self):
        """What is saved."""
        return {"type": self.type_name, "unit": self.unit, "n": self.n, "tokens": self.tokens[len(SPECIAL):],
                "documents": self.documents, "total": self.total}

    @classmethod
    def from_dict(cls, fields):
        """The tokenizer of such a dict. KeyError for a missing field, ValueError or TypeError for a damaged one."""
        return cls(*(fields[name] for name in ("unit", "n", "tokens", "documents", "total")))


def _ngrams(parts, n, start=1):
    """The n-grams of ``start`` … n parts, each joined by a space."""
    for k in range(start, n + 1):
        yield from map(" ".join, zip(*(parts[i:] for i in range(k))))
