"""Byte-level BPE as published: GPT-2's two files, and the tokenizer.json of Llama 3, Qwen and others.

It merges as ``BytePairTokenizer`` does. The file decides the ids, how a text is cut before merging, and the added
tokens. The ids equal those of Hugging Face's library.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import check_shape, read_json, read_text, shown
from .added import AddedTokens
from .base import Tokenizer, check_text, checked_ids
from .bpe import CACHED, apply_merges
from .normalizers import byte_level_cuts, normalizer
from .tokenizer_json import check_file, template

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

# These files write bytes as characters: printable ones of Latin-1 as themselves, the others from U+0100 on. A space is
# Ġ.
PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
OTHERS = [byte for byte in range(256) if byte not in PRINTABLE]
BYTES = {**{chr(byte): byte for byte in PRINTABLE}, **{chr(256 + i): byte for i, byte in enumerate(OTHERS)}}
CHARACTERS = {byte: character for character, byte in BYTES.items()}

MOST = 2 ** 22  # ids; the largest published vocabularies have 300,000. There is a list of all ids

MODEL = {"vocab": {str: int}, "merges": list, "type?": None, "ignore_merges?": (None, bool), "dropout?": None,
         "unk_token?": None, "continuing_subword_prefix?": None, "end_of_word_suffix?": None, "fuse_unk?": None,
         "byte_fallback?": None}


class PublishedBPE(Tokenizer):
    """The byte-level BPE that ``fields`` describe, the content of a Hugging Face tokenizer.json.

    Padding and truncation are ignored. Raises ValueError if the file asks for anything other than bytes, merges, and
    the normalizers and cuts of ``text.normalizers``.
    """

    type_name, published_model = "published-bpe", "BPE"

    def __init__(self, fields: dict[str, Any]) -> None:
        check_file(fields, MODEL, ("ByteLevel",))
        model = fields["model"]
        for key in ("byte_fallback", "dropout", "continuing_subword_prefix", "end_of_word_suffix"):
            if model.get(key):
                raise ValueError(f"PublishedBPE: model.{key} is {model[key]!r}, expected none")
        self.fields = fields
        self._vocab = vocab = model["vocab"]
        self._added = AddedTokens(fields["added_tokens"], normalizer(fields["normalizer"]))
        for token, id in self._added.ids.items():
            if vocab.get(token, id) != id:
                raise ValueError(f"PublishedBPE: added token {token!r} has id {id}, "
                                 f"but {vocab[token]} in the vocabulary")
        self._cuts = byte_level_cuts(fields["pre_tokenizer"])
        self._whole_first = bool(model.get("ignore_merges"))
        ids = [*vocab.values(), *self._added.ids.values()]
        for id in ids:
            if type(id) is not int or not 0 <= id < MOST:
                raise ValueError(f"PublishedBPE: an id of the vocabulary is {id!r}, expected an integer below {MOST:,}")
        self.tokens = [b""] * (1 + max(ids))
        for token, id in vocab.items():
            self.tokens[id] = bytes(BYTES[c] for c in token) if all(c in BYTES for c in token) else token.encode()
        for id, form in self._added.forms.items():
            self.tokens[id] = form.encode()
        self._prefix, self._suffix = (checked_ids("PublishedBPE", ids, self.vocab_size)
                                      for ids in template(fields["post_processor"]))
        self._bytes = [None] * 256
        for character, byte in BYTES.items():
            if character not in vocab:
                raise ValueError(f"PublishedBPE: the vocabulary has no {character!r}, byte 0x{byte:02x}, "
                                 f"expected a token for each byte")
            self._bytes[byte] = vocab[character]
        self._ranks, self._made = {}, []
        for rank, merge in enumerate(model["merges"]):
            pair = merge.split(" ") if isinstance(merge, str) else merge
            if not isinstance(pair, list) or [*map(type, pair)] != [str, str]:
                raise ValueError(f"PublishedBPE: merge {rank} is {shown(merge)}, expected two tokens")
            left, right = pair
            if not {left, right, left + right} <= vocab.keys():
                raise ValueError(f"PublishedBPE: merge {rank} is {left!r} and {right!r}, but the vocabulary lacks "
                                 f"one of them or {left + right!r}")
            self._ranks[vocab[left], vocab[right]] = rank
            self._made.append(vocab[left + right])
        self._cache = {}

    @classmethod
    def from_huggingface(cls, fields: dict[str, Any]) -> Self:
        """The tokenizer of a tokenizer.json, ``fields``."""
        return cls(fields)

    @classmethod
    def from_gpt2(cls, vocab: str | os.PathLike[str], merges: str | os.PathLike[str]) -> Self:
        """The tokenizer of GPT-2's two files: encoder.json (elsewhere vocab.json) and vocab.bpe (merges.txt).

        Raises ValueError, which names the file, for a damaged one.
        """
        vocab = read_json(vocab, {str: int})
        lines = read_text(merges).replace("\r\n", "\n").split("\n")
        lines = [line for line in lines if not line.startswith("#version")]
        end = "<|endoftext|>"
        return cls({"added_tokens": [{"content": end, "id": vocab[end]}] if end in vocab else [],
                    "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
                    "post_processor": None,
                    "model": {"type": "BPE", "vocab": vocab, "merges": [line.split(" ") for line in lines if line]}})

    def encode(self, text: str, special: bool = False) -> NDArray[np.int64]:
        """The ids of ``text``, int64 (T,). ``special`` puts the file's template around it, such as a start token."""
        check_text("PublishedBPE.encode", text)
        ids = list(self._prefix) if special else []
        for part, id in self._added.cut(text):
            if id is not None:
                ids.append(id)
                continue
            parts = [part]
            for cut in self._cuts:
                parts = [piece for part in parts for piece in cut(part)]
            for piece in parts:
                ids += self._piece_ids(piece)
        return np.array(ids + self._suffix * special, np.int64)

    def prompt(self, text: str) -> NDArray[np.int64]:
        """The ids of ``text``, int64 (T,), after the beginning of the file's template.

        The end of the text is left to the model.
        """
        return np.concatenate([np.array(self._prefix, np.int64), self.encode(text)])

    def id(self, token: str) -> int:
        """The id of an added token, such as ``<|endoftext|>``. Raises KeyError if there is no such token."""
        return self._added.ids[token]

    def _piece_ids(self, piece):
        """The ids of one piece, cached."""
        ids = self._cache.get(piece)
        if ids is None:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            ids = self._cache[piece] = self._merged(piece.encode())
        return ids

    def _merged(self, data):
        if self._whole_first and (id := self._vocab.get("".join(map(CHARACTERS.__getitem__, data)))) is not None:
            return [id]
        return apply_merges(map(self._bytes.__getitem__, data), self._ranks, self._made)

    def decode(self, ids: ArrayLike) -> str:
        """The text of ``ids``, integers (T,). Bytes that are not UTF-8, as when a character is cut, become U+FFFD."""
        ids = checked_ids("PublishedBPE.decode", ids, self.vocab_size)
        return b"".join(map(self.tokens.__getitem__, ids)).decode(errors="replace")

    def to_dict(self) -> dict[str, Any]:
        return {"type": self.type_name, "tokenizer": self.fields}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        check_shape(fields, {"tokenizer": dict})
        return cls(fields["tokenizer"])
