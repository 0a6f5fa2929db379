"""Byte-level BPE as it is published: GPT-2's encoder.json and vocab.bpe, and the tokenizer.json of Llama 3, Qwen and others.

It merges as ``BytePairTokenizer`` does. What a file decides: the ids, how a text is cut before merging, and which tokens
stand beside the vocabulary. The ids are those of Hugging Face's library.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .added import AddedTokens, check_file, template
from .base import Tokenizer, check_text, checked_ids
from .bpe import CACHED, apply_merges
from .normalizers import byte_level_cuts, normalizer

# These files write bytes as characters: printable ones of Latin-1 as they are, the others from U+0100 on. A space is Ġ.
PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
OTHERS = [byte for byte in range(256) if byte not in PRINTABLE]
BYTES = {**{chr(byte): byte for byte in PRINTABLE}, **{chr(256 + i): byte for i, byte in enumerate(OTHERS)}}
CHARACTERS = {byte: character for character, byte in BYTES.items()}

MOST = 2 ** 22                          # ids; the largest published vocabularies have 300,000. A list of all is kept


class PublishedBPE(Tokenizer):
    """The byte-level BPE that ``fields`` describe, the content of a Hugging Face tokenizer.json.

    Padding and truncation are left aside. ValueError where the file asks for something else than bytes, merges and the
    normalizers and cuts of ``text.normalizers``.
    """

    type_name = "published-bpe"

    def __init__(self, fields):
        model = fields["model"]
        check_file(fields, {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                            "byte_fallback", "ignore_merges", "vocab", "merges"}, ("ByteLevel",))
        for key in ("byte_fallback", "dropout", "continuing_subword_prefix", "end_of_word_suffix"):
            if model.get(key):
                raise ValueError(f"PublishedBPE: model.{key} is {model[key]!r}, expected none")
        self.fields = fields
        self._vocab = vocab = model["vocab"]
        self._added = AddedTokens(fields["added_tokens"], normalizer(fields["normalizer"]))
        for token, id in self._added.ids.items():
            if vocab.get(token, id) != id:
                raise ValueError(f"PublishedBPE: added token {token!r} has id {id}, but {vocab[token]} in the vocabulary")
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
            if len(pair) != 2:
                raise ValueError(f"PublishedBPE: merge {rank} is {merge!r}, expected two tokens")
            left, right = pair
            if not {left, right, left + right} <= vocab.keys():
                raise ValueError(f"PublishedBPE: merge {rank} is {left!r} and {right!r}, which the vocabulary does not have "
                                 f"or not together")
            self._ranks[vocab[left], vocab[right]] = rank
            self._made.append(vocab[left + right])
        self._cache = {}

    @classmethod
    def from_gpt2(cls, vocab, merges):
        """GPT-2's two files: encoder.json (elsewhere vocab.json) and vocab.bpe (merges.txt)."""
        vocab = json.loads(Path(vocab).read_text(encoding="utf-8-sig"))
        lines = [line for line in Path(merges).read_text(encoding="utf-8-sig").split("\n") if not line.startswith("#version")]
        end = "<|endoftext|>"
        return cls({"added_tokens": [{"content": end, "id": vocab[end]}] if end in vocab else [],
                    "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
                    "post_processor": None,
                    "model": {"type": "BPE", "vocab": vocab, "merges": [line.split(" ") for line in lines if line]}})

    @property
    def vocab_size(self):
        """One more than the highest id."""
        return len(self.tokens)

    def encode(self, text, special=False):
        """The ids of ``text``: int64 (T,). ``special`` puts the file's template around it, such as a start token."""
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

    def prompt(self, text):
        """The ids of ``text`` behind what the file's template begins with; what ends a text is left to the model."""
        return np.concatenate([np.array(self._prefix, np.int64), self.encode(text)])

    def id(self, token):
        """The id of an added token, such as ``<|endoftext|>``. KeyError where there is none."""
        return self._added.ids[token]

    def _piece_ids(self, piece):
        """The ids of one piece, remembered."""
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

    def decode(self, ids):
        """The text of ``ids``, integers (T,). Bytes that are no UTF-8, as when a character is cut, become U+FFFD."""
        ids = checked_ids("PublishedBPE.decode", ids, self.vocab_size)
        return b"".join(map(self.tokens.__getitem__, ids)).decode(errors="replace")

    def to_dict(self):
        """What is saved."""
        return {"type": self.type_name, "tokenizer": self.fields}

    @classmethod
    def from_dict(cls, fields):
        """The tokenizer of such a dict. KeyError for a missing field, ValueError or TypeError for a damaged one."""
        return cls(fields["tokenizer"])
