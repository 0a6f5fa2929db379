"""WordPiece, BERT's tokenizer: words are cut from left to right into the longest pieces that the vocabulary has.

A piece inside a word begins with ``##``: unaffable → un ##aff ##able. A word that cannot be cut becomes ``[UNK]``.

Source: Schuster & Nakajima (2012), "Japanese and Korean voice search"; Devlin et al. (2019), BERT.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import check_shape, read_text
from .added import AddedTokens
from .base import Tokenizer, check_text, check_vocab_size, checked_ids
from .basic import normalized_words, split_words, words_of
from .bpe import CACHED, learn_merges
from .normalizers import NORMALIZERS
from .tokenizer_json import check_file, template

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST = 100               # a word of more characters is unknown
BERT_PAIR = [{"SpecialToken": {"type_id": 0}}, {"Sequence": {"type_id": 0}}, {"SpecialToken": {"type_id": 0}},
             {"Sequence": {"type_id": 1}}, {"SpecialToken": {"type_id": 1}}]
SAVED = {"vocabulary": [str], "lowercase": bool, "strip_accents": (None, bool), "chinese": bool,
         "added?": [{"content": str, "id": int}], "longest_word?": int, "cleanup?": bool}
MODEL = {"vocab": {str: int}, "type?": None, "unk_token?": str, "continuing_subword_prefix?": str,
         "max_input_chars_per_word?": int}


class WordPieceTokenizer(Tokenizer):
    """BERT's tokenizer: ``split_words``, then WordPiece.

    vocabulary      the tokens by id, including the five of ``SPECIAL``
    lowercase       convert letters to lower case
    strip_accents   remove accents. None: if ``lowercase``
    chinese         make each Chinese character its own word
    added           the tokens that are found in a text before it is cut, as in ``AddedTokens``; by default the five of
                    ``SPECIAL``. Tokens that the vocabulary lacks have the ids after it
    longest_word    a word of more characters is unknown
    cleanup         ``decode`` puts no space before a period and other punctuation, as in Hugging Face's library
    """

    type_name, exact, trainable, published_model = "wordpiece", False, True, "WordPiece"

    def __init__(self, vocabulary: Iterable[str], lowercase: bool = True, strip_accents: bool | None = None,
                 chinese: bool = True, added: list[dict[str, Any]] | None = None, longest_word: int = LONGEST,
                 cleanup: bool = False) -> None:
        self.tokens = list(vocabulary)
        if not all(isinstance(token, str) for token in self.tokens):
            raise TypeError("WordPieceTokenizer: the vocabulary must hold strings")
        self.ids = {token: id for id, token in enumerate(self.tokens)}
        if len(self.ids) < len(self.tokens):
            twice, _ = Counter(self.tokens).most_common(1)[0]
            raise ValueError(f"WordPieceTokenizer: {twice!r} occurs twice in the vocabulary, expected each token once")
        missing = [token for token in SPECIAL if token not in self.ids]
        if missing:
            raise ValueError(f"WordPieceTokenizer: the vocabulary lacks {', '.join(missing)}")
        self.lowercase, self.strip_accents, self.chinese = lowercase, strip_accents, chinese
        self.pad, self.unk, self.cls, self.sep, self.mask = (self.ids[token] for token in SPECIAL)
        if type(longest_word) is not int or longest_word < 1:
            raise ValueError(f"WordPieceTokenizer: longest_word is {longest_word!r}, expected an integer of at least 1")
        self.longest_word, self._fields, self.cleanup = longest_word, added, bool(cleanup)
        if added is None:
            added = [{"content": token, "id": self.ids[token], "special": True} for token in SPECIAL]
        self._added = AddedTokens(added, partial(normalized_words, lowercase=lowercase, strip_accents=strip_accents,
                                                 chinese=chinese))
        for token, id in sorted(self._added.ids.items(), key=lambda item: item[1]):
            if token in self.ids and self.ids[token] != id:
                raise ValueError(f"WordPieceTokenizer: added token {token!r} has id {id}, but "
                                 f"{self.ids[token]} in the vocabulary")
            if token not in self.ids:
                if id != len(self.tokens):
                    raise ValueError(f"WordPieceTokenizer: added token {token!r} has id {id}, expected "
                                     f"{len(self.tokens)}, the next one")
                self.tokens.append(token)
        self._cache = {}

    @classmethod
    def train(cls, text: str, vocab_size: int, lowercase: bool = True) -> Self:
        """Learn at most ``vocab_size`` tokens from ``text``: first its characters, then merged neighbors.

        Each merge takes the most frequent pair, as in byte-pair encoding. If ``text`` has too many characters, the most
        frequent ones are kept. Raises ValueError for a text without words and a ``vocab_size`` below 6.
        """
        check_text("WordPieceTokenizer.train", text)
        check_vocab_size("WordPieceTokenizer.train", vocab_size, len(SPECIAL) + 1,
                         f"the {len(SPECIAL)} special tokens and another one")
        words = Counter(split_words(text, lowercase))
        if not words:
            raise ValueError("WordPieceTokenizer.train: text has no words, expected at least one")
        occurs = Counter()
        for word, count in words.items():
            for piece in _characters(word):
                occurs[piece] += count
        alphabet = sorted(sorted(occurs, key=lambda piece: (-occurs[piece], piece))[:vocab_size - len(SPECIAL)])
        number = {piece: id for id, piece in enumerate(alphabet)}
        rows = {tuple(map(number.get, _characters(word))): count for word, count in words.items()
                if number.keys() >= set(_characters(word))}
        tokens = list(alphabet)
        for left, right in learn_merges(rows, vocab_size - len(SPECIAL) - len(alphabet), first=len(alphabet)):
            tokens.append(tokens[left] + tokens[right].removeprefix("##"))
        return cls(dict.fromkeys((*SPECIAL, *tokens)), lowercase)       # two merges may make the same token

    @classmethod
    def from_vocab(cls, path: str | os.PathLike[str], lowercase: bool = True, strip_accents: bool | None = None,
                   chinese: bool = True) -> Self:
        """The tokenizer of BERT's vocab.txt: one token a line, whose id is the line's number, from 0 on.

        Raises ValueError for a file that is not UTF-8, lacks a special token or has a token twice.
        """
        lines, first = read_text(path).replace("\r\n", "\n").rstrip("\n").split("\n"), {}
        for number, token in enumerate(lines, 1):
            if first.setdefault(token, number) != number:
                equal = f"both {token!r}" if token else "blank"
                raise ValueError(f"lines {first[token]} and {number} are {equal}, expected each token once")
        return cls(lines, lowercase, strip_accents, chinese)

    @classmethod
    def from_huggingface(cls, fields: dict[str, Any]) -> Self:
        """The tokenizer of a tokenizer.json, ``fields``, without its padding and truncation.

        Raises ValueError for fields that are damaged, and for a tokenizer that differs from BERT's.
        """
        check_file(fields, MODEL, ("WordPiece",))
        model, normalizer = fields["model"], fields["normalizer"] or {}
        expected = {"model.continuing_subword_prefix": (model.get("continuing_subword_prefix"), "##"),
                    "model.unk_token": (model.get("unk_token"), "[UNK]"),
                    "decoder.prefix": ((fields.get("decoder") or {}).get("prefix", "##"), "##"),
                    "normalizer.type": (normalizer.get("type"), "BertNormalizer"),
                    "normalizer.clean_text": (normalizer.get("clean_text"), True),
                    "pre_tokenizer.type": ((fields["pre_tokenizer"] or {}).get("type"), "BertPreTokenizer")}
        for key, (found, wanted) in expected.items():
            if found != wanted:
                raise ValueError(f"WordPieceTokenizer: {key} is {found!r}, expected {wanted!r}")
        vocab = sorted(model["vocab"], key=model["vocab"].get)
        if [model["vocab"][token] for token in vocab] != list(range(len(vocab))):
            raise ValueError(f"WordPieceTokenizer: the ids of the vocabulary are not 0…{len(vocab) - 1}, each once")
        check_shape(normalizer, NORMALIZERS["BertNormalizer"], "normalizer")
        tokenizer = cls(vocab, normalizer["lowercase"], normalizer["strip_accents"], normalizer["handle_chinese_chars"],
                        _other_than_the_usual(fields["added_tokens"]), model.get("max_input_chars_per_word", LONGEST),
                        (fields.get("decoder") or {}).get("cleanup", False))
        around = template(fields["post_processor"])
        if fields["post_processor"] and tuple(map(list, around)) != ([tokenizer.cls], [tokenizer.sep]):
            raise ValueError("WordPieceTokenizer: "
                             f"the post_processor puts {around} around a text, expected [CLS] and [SEP]")
        if not _joins_as_bert(fields["post_processor"]):
            raise ValueError("WordPieceTokenizer: the post_processor joins two texts in another way than BERT's, "
                             "[CLS] first [SEP] second [SEP], with the type 0 up to the first [SEP] and then 1")
        return tokenizer

    def encode(self, text: str, special: bool = False, longest: int | None = None) -> NDArray[np.int64]:
        """The ids of ``text``, int64 (T,).

        special     put [CLS] before the text and [SEP] after it
        longest     cut the text so that there are at most this many ids, [CLS] and [SEP] included
        """
        check_text("WordPieceTokenizer.encode", text)
        ids = [self.cls] if special else []
        for piece, id in self._added.cut(text):
            if id is not None:
                ids.append(id)
                continue
            for word in words_of(piece):
                ids += self._word_ids(word)
        if longest is not None:
            ids = ids[:longest - special]
        return np.array(ids + [self.sep] * special, np.int64)

    def encode_pair(self, first: str, second: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(ids, types), each int64 (T,), of [CLS] first [SEP] second [SEP].

        A token's type is 0 up to the first [SEP], then 1.
        """
        first, second = self.encode(first, special=True), self.encode(second, special=True)[1:]
        return np.concatenate([first, second]), np.repeat(np.arange(2), [len(first), len(second)])

    def _word_ids(self, word):
        """The ids of one word, cached."""
        ids = self._cache.get(word)
        if ids is None:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            ids = self._cache[word] = self._longest_pieces(word)
        return ids

    def _longest_pieces(self, word):
        if len(word) > self.longest_word:
            return [self.unk]
        ids, start = [], 0
        while start < len(word):
            mark = "##" if start else ""
            end = next((end for end in range(len(word), start, -1) if mark + word[start:end] in self.ids), None)
            if end is None:
                return [self.unk]
            ids.append(self.ids[mark + word[start:end]])
            start = end
        return ids

    def decode(self, ids: ArrayLike) -> str:
        """The tokens of ``ids``, integers (T,), with spaces between words.

        The spaces and capitals of the text are lost.
        """
        ids = checked_ids("WordPieceTokenizer.decode", ids, self.vocab_size)
        tokens = [self._added.forms.get(id, self.tokens[id]) for id in ids]
        tokens = [token[2:] if token.startswith("##") else " " * (n > 0) + token for n, token in enumerate(tokens)]
        return "".join(map(_closed, tokens) if self.cleanup else tokens)

    def to_dict(self) -> dict[str, Any]:
        saved = {"type": self.type_name, "vocabulary": self.tokens[:len(self.ids)], "lowercase": self.lowercase,
                 "strip_accents": self.strip_accents, "chinese": self.chinese}
        if self._fields is not None:
            saved["added"] = self._fields
        if self.longest_word != LONGEST:
            saved["longest_word"] = self.longest_word
        if self.cleanup:
            saved["cleanup"] = True
        return saved

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        check_shape(fields, SAVED)
        return cls(fields["vocabulary"], fields["lowercase"], fields["strip_accents"], fields["chinese"],
                   fields.get("added"), fields.get("longest_word", LONGEST), fields.get("cleanup", False))


def _closed(token):
    """A token, with the space before it, without the spaces that English does not write."""
    for spaced, closed in ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
                           (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re")):
        token = token.replace(spaced, closed)
    return token


def _other_than_the_usual(fields):
    """``added_tokens`` of a file; None for the five of ``SPECIAL`` as in BERT, or for none.

    (transformers then adds them.)
    """
    flags = [any(field.get(flag) for flag in ("normalized", "lstrip", "rstrip", "single_word")) for field in fields]
    usual = sorted(field["content"] for field in fields) == sorted(SPECIAL) and not any(flags)
    return None if usual or not fields else fields


def _joins_as_bert(fields):
    """Whether a ``post_processor`` joins two texts as ``encode_pair`` does.

    BertProcessing does; without one, transformers' BertTokenizer does.
    """
    if fields is None or fields["type"] != "TemplateProcessing":
        return fields is None or fields["type"] == "BertProcessing"
    found = [(kind, part.get("type_id")) for parts in (fields["single"], fields.get("pair") or BERT_PAIR)
             for one in parts for kind, part in one.items()]
    return found == [(kind, part["type_id"]) for one in BERT_PAIR[:3] + BERT_PAIR for kind, part in one.items()]


def _characters(word):
    """The pieces of one character each: w ##o ##r ##d."""
    return [word[0], *("##" + character for character in word[1:])]
