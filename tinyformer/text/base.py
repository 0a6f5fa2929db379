"""What all tokenizers share: the registry, saving, and the checks of their arguments."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..files import replace_file
from ..names import same_definition

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

TOKENIZERS: dict[str, type[Tokenizer]] = {}                 # each subclass that has a type_name, under that name


class Tokenizer:
    """Text to ids and back.

    A subclass has a ``type_name``, under which it registers itself, ``vocab_size``, ``train(text, …)``,
    ``encode(text)``, ``decode(ids)``, and the pair ``to_dict()`` and ``from_dict(fields)``, which saves and restores
    it.

    type_name           the name in a saved file and in a recipe
    exact               whether ``decode`` returns the text that was encoded, with its white space and its rare words
    trainable           whether ``train_tokenizer`` offers it: ``train`` takes one text
    open_vocabulary     whether every text has an encoding. ``train`` then takes a ``vocab_size`` too; otherwise the
                        vocabulary is all that the training text contains
    published_model     the type of the model in a Hugging Face tokenizer.json that ``from_huggingface(fields)`` reads,
                        if any
    tokens              the token of each id, as str or as bytes
    """

    type_name: ClassVar[str] = ""
    exact: ClassVar[bool] = True
    trainable: ClassVar[bool] = False
    open_vocabulary: ClassVar[bool] = True
    published_model: ClassVar[str] = ""
    tokens: list[Any] = []

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if name := vars(cls).get("type_name"):
            other = TOKENIZERS.setdefault(name, cls)
            if not same_definition(other, cls):
                raise ValueError(f"{cls.__qualname__}: "
                                 f"{other.__qualname__} has the type_name {name!r} already; choose another one")
            TOKENIZERS[name] = cls                          # the same class again, as when a notebook's cell runs twice

    @property
    def vocab_size(self) -> int:
        """The number of ids."""
        return len(self.tokens)

    @classmethod
    def train(cls, *arguments: Any, **options: Any) -> Self:
        """The tokenizer whose vocabulary is learned from a text."""
        raise NotImplementedError(f"{cls.__name__} has no train")

    @classmethod
    def from_huggingface(cls, fields: dict[str, Any]) -> Self:
        """The tokenizer of a Hugging Face tokenizer.json, ``fields``.

        Raises ValueError for fields that it cannot honor.
        """
        raise NotImplementedError(f"{cls.__name__} has no from_huggingface")

    def encode(self, text: str) -> NDArray[np.int64]:
        """The ids of ``text``, int64 (T,)."""
        raise NotImplementedError(f"{type(self).__name__} has no encode")

    def decode(self, ids: ArrayLike) -> str:
        """The text of ``ids``, integers (T,)."""
        raise NotImplementedError(f"{type(self).__name__} has no decode")

    def to_dict(self) -> dict[str, Any]:
        """What ``save`` writes: a dict that JSON can hold, with ``type``."""
        raise NotImplementedError(f"{type(self).__name__} has no to_dict")

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """The tokenizer that ``to_dict`` described.

        Raises ValueError or TypeError for damaged fields, which it names.
        """
        raise NotImplementedError(f"{cls.__name__} has no from_dict")

    def prompt(self, text: str) -> NDArray[np.int64]:
        """The ids of ``text``, int64 (T,), for a model that continues it.

        They begin with a start token, if the tokenizer has one.
        """
        return self.encode(text)

    def pieces(self, ids: ArrayLike) -> list[str]:
        """The token of each of ``ids`` (T,), as text.

        Bytes that are not a complete character are written as ``\\xe4``.
        """
        return [token.decode(errors="backslashreplace") if isinstance(token, bytes) else token
                for token in (self.tokens[id] for id in checked_ids("pieces", ids, self.vocab_size))]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer to ``path`` as JSON; ``load_tokenizer`` reads it. Raises OSError."""
        replace_file(path, json.dumps(self.to_dict(), ensure_ascii=False) + "\n")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vocab_size={self.vocab_size})"


def check_text(operation: str, text: str) -> None:
    """Raise TypeError unless ``text`` is a str, and ValueError if it holds half a character.

    A lone surrogate stands for a byte that could not be decoded, or comes from a JSON escape that was cut. It is not a
    character, and UTF-8 cannot write it.
    """
    check_str(operation, text)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{operation}: lone surrogate {name(text[error.start])} at position {error.start}, "
                         f"expected text that UTF-8 can write") from None


def check_str(operation: str, text: str) -> None:
    """Raise TypeError unless ``text`` is a str."""
    if not isinstance(text, str):
        raise TypeError(f"{operation}: text is {type(text).__name__}, expected str")


def check_vocab_size(operation: str, vocab_size: int, least: int, why: str) -> None:
    """Raise TypeError unless ``vocab_size`` is an integer, ValueError if it is less than ``least``.

    ``why`` explains the bound.
    """
    if isinstance(vocab_size, bool) or not isinstance(vocab_size, int):
        raise TypeError(f"{operation}: vocab_size is {vocab_size!r}, expected an integer")
    if vocab_size < least:
        raise ValueError(f"{operation}: vocab_size is {vocab_size}, expected at least {least}: {why}")


def checked_ids(operation: str, ids: ArrayLike, vocab_size: int) -> list[int]:
    """``ids`` as a list of integers below ``vocab_size``. Raises ValueError or TypeError for anything else."""
    ids = np.asarray(ids)
    if ids.ndim != 1:
        raise ValueError(f"{operation}: ids have shape {ids.shape}, expected one axis")
    if ids.size and ids.dtype.kind not in "iu":
        raise TypeError(f"{operation}: ids are {ids.dtype}, expected integers")
    outside = np.flatnonzero((ids < 0) | (ids >= vocab_size))
    if outside.size:
        raise ValueError(f"{operation}: id {ids[outside[0]]} at position {outside[0]}, expected 0…{vocab_size - 1}")
    return ids.tolist()


def name(character: str) -> str:
    """A character and its number in Unicode: ``'é' (U+00E9)``."""
    return f"{character!r} (U+{ord(character):04X})"
