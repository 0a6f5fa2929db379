"""One id for each word: the simplest tokenizer for classifiers, which do not need the exact text back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import check_shape
from .base import Tokenizer, check_str, check_text, check_vocab_size, checked_ids
from .basic import is_chinese, longest_words, split_words

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

PAD, UNKNOWN = "<pad>", "<unk>"


class WordTokenizer(Tokenizer):
    """One id for each word, and for each punctuation mark.

    Chinese is cut into characters, or, with ``lexicon``, into words.

    words       the vocabulary from id 2 on; id 0 is <pad>, and id 1 is <unk>, for all other words
    lowercase   convert letters to lower case
    lexicon     Chinese words. Forward maximum matching cuts a text into the longest of them, from left to right
    """

    type_name, exact, trainable = "word", False, True

    def __init__(self, words: Iterable[str], lowercase: bool = True, lexicon: Collection[str] = ()) -> None:
        self.tokens = [PAD, UNKNOWN, *words]
        if not all(isinstance(token, str) and token for token in (*self.tokens, *lexicon)):
            raise TypeError("WordTokenizer: words and lexicon must hold strings that are not empty")
        self.ids = {token: id for id, token in enumerate(self.tokens)}
        if len(self.ids) < len(self.tokens):
            twice, _ = Counter(self.tokens).most_common(1)[0]
            raise ValueError(f"WordTokenizer: {twice!r} occurs twice in the vocabulary, expected each word once")
        self.lowercase, self.lexicon = lowercase, frozenset(lexicon)
        self.widest = max(map(len, self.lexicon), default=1)

    @classmethod
    def train(cls, text: str, vocab_size: int, lowercase: bool = True, lexicon: Collection[str] = ()) -> Self:
        """The tokenizer of the ``vocab_size`` − 2 most frequent words of ``text``, ties in alphabetical order.

        Raises ValueError for a text without words and a ``vocab_size`` below 3.
        """
        check_text("WordTokenizer.train", text)
        check_vocab_size("WordTokenizer.train", vocab_size, 3, "<pad>, <unk> and a word")
        counts = Counter(cls((), lowercase, lexicon).cut(text))
        if not counts:
            raise ValueError("WordTokenizer.train: text has no words, expected at least one")
        return cls(sorted(counts, key=lambda word: (-counts[word], word))[:vocab_size - 2], lowercase, lexicon)

    def cut(self, text: str) -> list[str]:
        """The words of ``text`` in the form in which the vocabulary has them."""
        check_str("WordTokenizer.cut", text)
        words = split_words(text, self.lowercase, strip_accents=False, chinese=not self.lexicon)
        if not self.lexicon:
            return words
        return [part for word in words
                for part in (longest_words(word, self.lexicon, self.widest) if any(map(is_chinese, word)) else [word])]

    def encode(self, text: str) -> NDArray[np.int64]:
        """The ids of the words of ``text``, int64 (T,)."""
        return np.array([self.ids.get(word, 1) for word in self.cut(text)], np.int64)

    def decode(self, ids: ArrayLike) -> str:
        """The words of ``ids``, integers (T,), with spaces between them."""
        return " ".join(map(self.tokens.__getitem__, checked_ids("WordTokenizer.decode", ids, self.vocab_size)))

    def to_dict(self) -> dict[str, Any]:
        return {"type": self.type_name, "words": self.tokens[2:], "lowercase": self.lowercase,
                "lexicon": sorted(self.lexicon)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        check_shape(fields, {"words": [str], "lexicon": [str], "lowercase": bool})
        if not fields["words"]:
            raise ValueError("WordTokenizer: the vocabulary is empty, expected at least one word")
        return cls(fields["words"], fields["lowercase"], fields["lexicon"])
