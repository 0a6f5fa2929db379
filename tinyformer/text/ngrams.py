"""One id for each n-gram of words or characters: the features of classifiers that count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import check_shape
from .base import Tokenizer, check_str, checked_ids

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

PAD, UNKNOWN = 0, 1                                         # the first two ids
SPECIAL = ("<pad>", "<unk>")
UNITS = ("words", "characters")
WORD = re.compile(r"\w+|[^\w\s]")


def units(text: str, unit: str) -> list[str]:
    """``text`` in lower case as a list of words and punctuation marks, or of characters without white space."""
    return WORD.findall(text.lower()) if unit == "words" else list("".join(text.lower().split()))


class NGramTokenizer(Tokenizer):
    """One id for each frequent n-gram of words or characters, for n = 1 … ``n``.

    unit            "words" or "characters"
    tokens          the n-grams from id 2 on, their parts joined by a space; id 0 is <pad> and id 1 is <unk>
    documents       the number of training texts in which each token occurs
    total           the number of training texts
    """

    type_name, exact = "ngrams", False

    def __init__(self, unit: str, n: int, tokens: Sequence[str], documents: Sequence[int], total: int) -> None:
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
    def train(cls, texts: Sequence[str], unit: str = "words", n: int = 1, min_count: int = 2,
              vocab_size: int | None = None) -> Self:
        """The tokenizer of the n-grams that occur in at least ``min_count`` of the ``texts``.

        vocab_size      keep only the most frequent n-grams, ties in alphabetical order, so that there are at most this
                        many ids, including <pad> and <unk>

        Raises ValueError if no n-gram is left.
        """
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
            raise ValueError(f"NGramTokenizer.train: no {unit[:-1]} occurs in {min_count} texts; expected more texts")
        return cls(unit, n, [token for _, token in kept], [count for count, _ in kept], len(texts))

    def encode(self, text: str) -> NDArray[np.int64]:
        """The ids of the n-grams of ``text``, int64 (T,).

        First the single units in their order, <unk> included; then the known n-grams for n = 2, 3, …
        """
        check_str("NGramTokenizer.encode", text)
        parts = units(text, self.unit)
        ids = [self._ids.get(part, UNKNOWN) for part in parts]
        if self.n > 1:
            ids += [self._ids[token] for token in _ngrams(parts, self.n, start=2) if token in self._ids]
        return np.array(ids, np.int64)

    def decode(self, ids: ArrayLike) -> str:
        """The tokens of ``ids``, integers (T,), with spaces between them."""
        return " ".join(map(self.tokens.__getitem__, checked_ids("NGramTokenizer.decode", ids, self.vocab_size)))

    def tf_idf(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(ids, values), int64 and float32 (K,), of the K known n-grams of ``text``, each once:

            value = (1 + ln count) · (1 + ln((1 + total)/(1 + documents))), all divided by their norm

        An n-gram that is rare in other texts gets a larger value.   Source: Spärck Jones (1972), in scikit-learn's
        form.
        """
        ids, counts = np.unique(self.encode(text), return_counts=True)
        ids, counts = ids[ids > UNKNOWN], counts[ids > UNKNOWN]
        if not hasattr(self, "_idf"):
            self._idf = 1 + np.log((1 + self.total) / (1 + np.array([0, 0, *self.documents])))
        values = (1 + np.log(counts)) * self._idf[ids]
        return ids, (values / max(np.linalg.norm(values), 1e-12)).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        return {"type": self.type_name, "unit": self.unit, "n": self.n, "tokens": self.tokens[len(SPECIAL):],
                "documents": self.documents, "total": self.total}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        shape = {"unit": str, "n": int, "tokens": [str], "documents": [int], "total": int}
        check_shape(fields, shape)
        return cls(**{name: fields[name] for name in shape})


def _ngrams(parts, n, start=1):
    """The n-grams of ``start`` … n parts, each joined by a space."""
    for k in range(start, n + 1):
        yield from map(" ".join, zip(*(parts[i:] for i in range(k))))
