"""Symbols of a source and a target in one vocabulary, for models that turn one sequence into another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import check_shape
from .base import Tokenizer, check_str, checked_ids

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

SPECIAL = "<pad>", "<s>", "</s>", "<unk>"       # padding; the begin and the end of a target; any unknown symbol
PAD, BEGIN, END, UNKNOWN = range(4)


class PairTokenizer(Tokenizer):
    """Characters, or words between spaces, of a source and of a target.

    symbols     the vocabulary from id 4 on, distinct; ids 0…3 are ``PAD``, ``BEGIN``, ``END`` and ``UNKNOWN``
    source      the unit of a source: "characters" or "words"
    target      the unit of a target: "characters" or "words"
    """

    type_name = "pair"

    def __init__(self, symbols: Iterable[str], source: str = "characters", target: str = "characters") -> None:
        symbols = list(symbols)
        if not all(isinstance(symbol, str) and symbol for symbol in symbols) or len(set(symbols)) != len(symbols):
            raise ValueError("PairTokenizer: symbols must be distinct strings that are not empty")
        for name, value in (("source", source), ("target", target)):
            if value not in UNITS:
                raise ValueError(f"PairTokenizer: {name} is {value!r}, expected {' or '.join(map(repr, UNITS))}")
        self.symbols, self.source, self.target = symbols, source, target
        self.tokens = [*SPECIAL, *self.symbols]
        self._ids = {symbol: id for id, symbol in enumerate(self.symbols, len(SPECIAL))}

    @classmethod
    def train(cls, sources: Iterable[str], targets: Iterable[str], source: str = "characters",
              target: str = "characters") -> Self:
        """The tokenizer whose vocabulary is the symbols that occur in ``sources`` and ``targets``."""
        found = {symbol for texts, unit in ((sources, source), (targets, target)) for text in texts
                 for symbol in UNITS[unit][0](text)}
        return cls(sorted(found), source, target)

    def encode(self, text: str) -> NDArray[np.int64]:
        """The ids of a source, int64 (T,). Unknown symbols become ``UNKNOWN``."""
        return self._encode(text, self.source)

    def unknown(self, text: str) -> list[str]:
        """The symbols of a source that are not in the vocabulary, each once, in the order of the text."""
        return list(dict.fromkeys(symbol for symbol in UNITS[self.source][0](text) if symbol not in self._ids))

    def encode_target(self, text: str) -> NDArray[np.int64]:
        """The ids of a target, int64 (T + 2,), with ``BEGIN`` before and ``END`` after them."""
        return np.concatenate([[BEGIN], self._encode(text, self.target), [END]])

    def _encode(self, text, unit):
        check_str("PairTokenizer", text)
        return np.array([self._ids.get(symbol, UNKNOWN) for symbol in UNITS[unit][0](text)], np.int64)

    def decode(self, ids: ArrayLike, source: str = "") -> str:
        """The target of ``ids``, integers (T,), up to the first ``END``, without padding.

        source      the text that the target answers. Its first unknown symbol replaces the first ``UNKNOWN``, its
                    second one the second, and so on.   Source: Luong et al. (2015).
        """
        pieces = []
        unknown = (symbol for symbol in UNITS[self.source][0](source) if symbol not in self._ids)
        for id in checked_ids("PairTokenizer.decode", ids, self.vocab_size):
            if id == END:
                break
            if id == UNKNOWN:
                pieces.append(next(unknown, SPECIAL[UNKNOWN]))
            elif id not in (PAD, BEGIN):
                pieces.append(self.symbols[id - len(SPECIAL)])
        return UNITS[self.target][1].join(pieces)

    def to_dict(self) -> dict[str, Any]:
        return {"type": self.type_name, "symbols": self.symbols, "source": self.source, "target": self.target}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        check_shape(fields, {"symbols": [str], "source": str, "target": str})
        return cls(fields["symbols"], fields["source"], fields["target"])


UNITS = {"characters": (list, ""), "words": (str.split, " ")}  # how a text is cut, and what joins the symbols again
