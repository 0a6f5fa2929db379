"""What all tokenizers share: saving, and the checks of what they are given."""

from __future__ import annotations

import json

import numpy as np

from ..files import replace_file


class Tokenizer:
    """Text to ids and back.

    A subclass has a ``type_name``, ``vocab_size``, ``train(text, …)``, ``encode(text)``, ``decode(ids)``, and the pair
    ``to_dict()`` and ``from_dict(fields)`` of what is saved. ``tokens`` lists what each id stands for, as text or as bytes.
    ``exact`` says whether ``decode`` gives the very text back that was encoded, white space and rare words too.
    """

    tokens, exact = (), True

    def prompt(self, text):
        """The ids of ``text``, int64 (T,), for a model that goes on with it: behind a start token, where there is one."""
        return self.encode(text)

    def pieces(self, ids):
        """What each of ``ids`` stands for by itself, as text. Bytes that are no whole character are spelled \\xe4."""
        return [token.decode(errors="backslashreplace") if isinstance(token, bytes) else token
                for token in (self.tokens[id] for id in checked_ids("pieces", ids, self.vocab_size))]

    def save(self, path):
        """Write the tokenizer to ``path`` as JSON; ``load_tokenizer`` reads it. Raises OSError."""
        replace_file(path, json.dumps(self.to_dict(), ensure_ascii=False) + "\n")

    def __repr__(self):
        return f"{type(self).__name__}(vocab_size={self.vocab_size})"


def check_text(operation, text):
    """Raise TypeError unless ``text`` is a str, and ValueError where it holds half a character.

    Half of a surrogate pair stands in a str for a byte that could not be decoded, or comes from a JSON escape that was cut.
    It is no character, and UTF-8 cannot write it.
    """
    check_str(operation, text)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{operation}: lone surrogate {name(text[error.start])} at position {error.start}, "
                         f"expected text that UTF-8 can write") from None


def check_str(operation, text):
    """Raise TypeError unless ``text`` is a str."""
    if not isinstance(text, str):
        raise TypeError(f"{operation}: text is {type(text).__name__}, expected str")


def checked_ids(operation, ids, vocab_size):
    """``ids`` as a list of numbers below ``vocab_size``."""
    ids = np.asarray(ids)
    if ids.ndim != 1:
        raise ValueError(f"{operation}: ids have shape {ids.shape}, expected one axis")
    if ids.size and ids.dtype.kind not in "iu":
        raise TypeError(f"{operation}: ids are {ids.dtype}, expected integers")
    outside = np.flatnonzero((ids < 0) | (ids >= vocab_size))
    if outside.size:
        raise ValueError(f"{operation}: id {ids[outside[0]]} at position {outside[0]}, expected 0…{vocab_size - 1}")
    return ids.tolist()


def name(character):
    """A character as it is shown and as Unicode numbers it: ``'é' (U+00E9)``."""
    return f"{character!r} (U+{ord(character):04X})"
