"""One id for each word: the plainest tokenizer for classifiers, which need not give the text back."""

from __future__ import annotations

from collections import Counter

import numpy as np

from .base import Tokenizer, check_str, check_text, checked_ids
from .basic import is_chinese, longest_words, split_words

PAD, UNKNOWN = "<pad>", "<unk>"


class WordTokenizer(Tokenizer):
    """Words between white space and punctuation, by id. Chinese is cut into characters, or, with ``lexicon``, into words.

    words       the vocabulary; before it stand <pad>, 0, and <unk>, 1, for all other words
    lowercase   make letters small
    lexicon     Chinese words; of them forward maximum matching cuts the longest first
    """

    type_name, exact = "word", False

    def __init__(self, words, lowercase=True, lexicon=()):
        self.tokens = [PAD, UNKNOWN, *words]
        if not all(isinstance(token, str) and token for token in (*self.tokens, *lexicon)):
            raise TypeError("WordTokenizer: words and lexicon hold something else than words")
        self.ids = {token: id for id, token in enumerate(self.tokens)}
        if len(self.ids) < len(self.tokens):
            twice, _ = Counter(self.tokens).most_common(1)[0]
            raise ValueError(f"WordTokenizer: {twice!r} stands twice in the vocabulary, expected each word once")
        self.lowercase, self.lexicon = lowercase, frozenset(lexicon)
        self.widest = max(map(len, self.lexicon), default=1)

    @classmethod
    def train(cls, text, vocab_size, lowercase=True, lexicon=()):
        """The ``vocab_size`` − 2 most frequent words of ``text``; of equally frequent ones the first in order."""
        check_text("WordTokenizer.train", text)
        if isinstance(vocab_size, bool) or not isinstance(vocab_size, int):
            raise TypeError(f"WordTokenizer.train: vocab_size is {vocab_size!r}, expected a whole number")
        if vocab_size < 3:
            raise ValueError(f"WordTokenizer.train: vocab_size is {vocab_size}, expected at least 3, "
                             f"<pad>, <unk> and a word")
        counts = Counter(cls((), lowercase, lexicon).cut(text))
        if not counts:
            raise ValueError("WordTokenizer.train: text has no words, expected at least one")
        return cls(sorted(counts, key=lambda word: (-counts[word], word))[:vocab_size - 2], lowercase, lexicon)

    @property
    def vocab_size(self):
        """How many ids there are."""
        return len(self.tokens)

    def cut(self, text):
        """The words of ``text``, as they are looked up."""
        check_str("WordTokenizer.cut", text)
        words = split_words(text, self.lowercase, strip_accents=False, chinese=not self.lexicon)
        if not self.lexicon:
            return words
        return [part for word in words
                for part in (longest_words(word, self.lexicon, self.widest) if any(map(is_chinese, word)) else [word])]

    def encode(self, text):
        """The ids of the words of ``text``: int64 (T,)."""
        return np.array([self.ids.get(word, 1) for word in self.cut(text)], np.int64)

    def decode(self, ids):
        """The words of ``ids``, integers (T,), with spaces between them."""
        return " ".join(map(self.tokens.__getitem__, checked_ids("WordTokenizer.decode", ids, self.vocab_size)))

    def to_dict(self):
        """What is saved."""
        return {"type": self.type_name, "words": self.tokens[2:], "lowercase": self.lowercase, "lexicon": sorted(self.lexicon)}

    @classmethod
    def from_dict(cls, fields):
        """The tokenizer of such a dict. KeyError for a missing field, ValueError or TypeError for a damaged one."""
        for field in ("words", "lexicon"):
            if not isinstance(fields[field], list):
                raise TypeError(f"WordTokenizer: {field} is {type(fields[field]).__name__}, expected a list")
        if not fields["words"]:
            raise ValueError("WordTokenizer: the vocabulary is empty, expected at least one word")
        return cls(fields["words"], fields["lowercase"], fields["lexicon"])
