"""Symbols of two languages in one vocabulary, for models that turn one sequence into another."""

from __future__ import annotations

import numpy as np

from .base import Tokenizer, check_str, checked_ids

SPECIAL = "<pad>", "<s>", "</s>", "<unk>"       # fills up short rows; begins and ends an answer; stands for what is not known
PAD, BEGIN, END, UNKNOWN = range(4)


class PairTokenizer(Tokenizer):
    """Characters, or words between spaces, of a source and of a target.

    symbols     those after the four special ones, distinct
    source      what one symbol of a source is: "characters" or "words"
    target      the same for a target
    """

    type_name = "pair"

    def __init__(self, symbols, source="characters", target="characters"):
        if not all(isinstance(symbol, str) and symbol for symbol in symbols) or len(set(symbols)) != len(symbols):
            raise ValueError("PairTokenizer: symbols must be distinct, none of them empty")
        for name, value in (("source", source), ("target", target)):
            if value not in UNITS:
                raise ValueError(f"PairTokenizer: {name} is {value!r}, expected {' or '.join(map(repr, UNITS))}")
        self.symbols, self.source, self.target = list(symbols), source, target
        self.tokens = [*SPECIAL, *self.symbols]
        self._ids = {symbol: id for id, symbol in enumerate(self.symbols, len(SPECIAL))}

    @classmethod
    def train(cls, sources, targets, source="characters", target="characters"):
        """The tokenizer whose vocabulary is what stands in ``sources`` and ``targets``, lists of texts."""
        found = {symbol for texts, unit in ((sources, source), (targets, target)) for text in texts
                 for symbol in UNITS[unit][0](text)}
        return cls(sorted(found), source, target)

    @property
    def vocab_size(self):
        """How many ids there are."""
        return len(SPECIAL) + len(self.symbols)

    def encode(self, text):
        """The ids of a source: int64 (T,). What is not known is ``UNKNOWN``."""
        return self._encode(text, self.source)

    def unknown(self, text):
        """The symbols of a source that are not in the vocabulary, each once, in their order."""
        return list(dict.fromkeys(symbol for symbol in UNITS[self.source][0](text) if symbol not in self._ids))

    def encode_target(self, text):
        """The ids of a target, with ``BEGIN`` before and ``END`` after them."""
        return np.concatenate([[BEGIN], self._encode(text, self.target), [END]])

    def _encode(self, text, unit):
        check_str("PairTokenizer", text)
        return np.array([self._ids.get(symbol, UNKNOWN) for symbol in UNITS[unit][0](text)], np.int64)

    def decode(self, ids, source=""):
        """The target that ``ids`` (T,) are, up to the first ``END``, without padding.

        source      the text that it answers: its first symbol that is not known takes the place of the first ``UNKNOWN``, its
                    second that of the second, and so on.   Source: Luong et al. (2015).
        """
        pieces = []
        strange = (symbol for symbol in UNITS[self.source][0](source) if symbol not in self._ids)
        for id in checked_ids("PairTokenizer.decode", ids, self.vocab_size):
            if id == END:
                break
            if id == UNKNOWN:
                pieces.append(next(strange, SPECIAL[UNKNOWN]))
            elif id not in (PAD, BEGIN):
                pieces.append(self.symbols[id - len(SPECIAL)])
        return UNITS[self.target][1].join(pieces)

    def to_dict(self):
        """What is saved."""
        return {"type": self.type_name, "symbols": self.symbols, "source": self.source, "target": self.target}

    @classmethod
    def from_dict(cls, fields):
        """The tokenizer of such a dict. KeyError for a missing field, ValueError or TypeError for a damaged one."""
        return cls(fields["symbols"], fields["source"], fields["target"])


UNITS = {"characters": (list, ""), "words": (str.split, " ")}                   # how a text is cut, and what joins it again
