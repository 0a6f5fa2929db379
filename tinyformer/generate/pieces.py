"""The text of tokens that arrive one by one: whole characters, up to the first stop text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Pieces:
    """Turns token ids into text, in pieces of whole characters; a token may be part of a character.

    stop        texts that end the generation and are left out. A possible beginning of one is held back until it is
                decided
    text        all that the tokens say, up to the stop text if one came
    stopped     whether a stop text came
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        self.tokenizer, self.stop = tokenizer, tuple(stop)
        self._whole, self._ids = "", []                     # the text of ids that are done, and those that are not
        self.text, self.shown, self.stopped = "", 0, False

    def add(self, id: int) -> str:
        """The text that is certain now that the token ``id`` follows; "" if there is none yet."""
        self._ids.append(id)
        self.text = self._whole + self.tokenizer.decode(self._ids)
        found = [place for stop in self.stop if (place := self.text.find(stop, self.shown)) >= 0]
        if found:
            self.text, self.stopped = self.text[:min(found)], True
            return self.rest()
        cut = self.text.endswith("\ufffd")                  # the last character may be incomplete
        if self.tokenizer.exact and not cut:                # other tokenizers decode a token by those before it
            self._whole, self._ids = self.text, []
        text = self.text.rstrip("\ufffd") if cut else self.text
        return self._show(settled(text, self.stop) if self.stop else len(text))

    def rest(self) -> str:
        """What was held back, once no token follows."""
        return self._show(len(self.text))

    def _show(self, end):
        piece = self.text[self.shown:end]
        self.shown = max(self.shown, end)
        return piece


def settled(text: str, stop: Sequence[str]) -> int:
    """The length of the part of ``text`` that cannot belong to a text in ``stop`` whose rest is still to come."""
    held = (n for n in range(min(len(text), max(map(len, stop), default=0)), 0, -1)
            if any(one.startswith(text[-n:]) for one in stop))
    return len(text) - next(held, 0)
