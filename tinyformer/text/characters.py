"""One id for each character: the simplest tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import check_shape
from .base import Tokenizer, check_str, check_text, checked_ids, name

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

UNKNOWN = "<unk>"


class CharTokenizer(Tokenizer):
    """The id of a character is its position among the sorted characters of the training text.

    characters      the vocabulary: distinct characters in ascending order of their code points
    unk             whether other characters have an id too: the last one, decoded as ``<unk>``. Otherwise they raise
                    ValueError

    >>> CharTokenizer.train("banana").encode("nab").tolist()
    [2, 0, 1]
    """

    type_name, trainable, open_vocabulary = "char", True, False

    def __init__(self, characters: str, unk: bool = False) -> None:
        check_text("CharTokenizer", characters)
        if not isinstance(unk, bool):
            raise TypeError(f"CharTokenizer: unk is {unk!r}, expected True or False")
        for i, (one, following) in enumerate(zip(characters, characters[1:])):
            if one >= following:
                what = "occurs twice" if one == following else f"follows {name(one)}"
                raise ValueError(f"CharTokenizer: {name(following)} {what} at position {i + 1} of the characters, "
                                 f"expected distinct ones in ascending order")
        if not characters:
            raise ValueError("CharTokenizer: no characters, expected at least one")
        self.characters = characters
        self.unk = unk
        self._points = code_points(characters)
        self.tokens = [*characters, UNKNOWN] if unk else list(characters)

    @classmethod
    def train(cls, text: str, unk: bool = False) -> Self:
        """The tokenizer whose vocabulary is the distinct characters of ``text``, which must not be empty."""
        check_text("CharTokenizer.train", text)
        if not text:
            raise ValueError("CharTokenizer.train: text is empty, expected at least one character")
        return cls("".join(sorted(set(text))), unk)

    def encode(self, text: str) -> NDArray[np.int64]:
        """The ids of the characters of ``text``, int64 (T,).

        Raises ValueError for an unknown character, unless ``unk``.
        """
        check_str("CharTokenizer.encode", text)
        points = code_points(text)
        ids = np.searchsorted(self._points, points)                     # the position where each would be …
        ids[ids == len(self._points)] = 0
        strange = np.flatnonzero(self._points[ids] != points)           # … and whether it is there
        if strange.size:
            if not self.unk:
                first = int(strange[0])
                raise ValueError(f"CharTokenizer.encode: unknown character {name(text[first])} at position {first}, "
                                 f"expected one of the {len(self.characters)} in the training text")
            ids[strange] = len(self._points)
        return ids.astype(np.int64, copy=False)

    def decode(self, ids: ArrayLike) -> str:
        """The text of ``ids``, integers (T,)."""
        return "".join(map(self.tokens.__getitem__, checked_ids("CharTokenizer.decode", ids, self.vocab_size)))

    def to_dict(self) -> dict[str, Any]:
        return {"type": self.type_name, "characters": self.characters, "unk": self.unk}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        check_shape(fields, {"characters": str, "unk": bool})
        return cls(fields["characters"], fields["unk"])


def code_points(text: str) -> NDArray[np.uint32]:
    """The Unicode numbers of the characters of ``text``, uint32 (T,), without a loop. Lone surrogates keep theirs."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
