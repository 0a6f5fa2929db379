"""Generated text, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .sampling import stream, stream_lines


def stream_text(model: Any, tokenizer: Any, prompt: str, max_new_tokens: int, *, stop: Sequence[str] = (),
                line_end: str | None = None, **how: Any) -> Iterator[str]:
    """Yield the text that ``model`` adds to ``prompt``, in pieces of whole characters.

    A token may be part of a character.

    stop        texts that end the generation and are not yielded. A possible beginning of one is held back until it is
                decided
    line_end    for a model that was trained on separate lines: the character after which it sees nothing of the text
                before
    how         as for ``stream``
    """
    if isinstance(stop, str):
        raise TypeError(f"stream_text: stop is the text {stop!r}, expected a list of texts")
    if not all(stop):
        raise ValueError("stream_text: a text in stop is empty, expected at least one character")
    ids = tokenizer.prompt(prompt)[None]
    if line_end is None:
        tokens = stream(model, ids, max_new_tokens, **how)
    else:
        tokens = stream_lines(model, ids, max_new_tokens, tokenizer.encode(line_end)[-1], **how)
    return _pieces(tokens, tokenizer, tuple(stop))


def _pieces(tokens, tokenizer, stop):
    ids, shown, text = [], 0, ""
    for token in tokens:
        ids.append(int(token[0]))
        text = tokenizer.decode(ids)
        found = [place for place in map(text.find, stop) if place >= 0]
        if found:
            if text[shown:min(found)]:
                yield text[shown:min(found)]
            return
        ready = _settled(text.rstrip("\ufffd"), stop)       # the last character may be incomplete
        if ready > shown:
            yield text[shown:ready]
            shown = ready
    if text[shown:]:
        yield text[shown:]


def _settled(text, stop):
    """The length of the part of ``text`` that cannot belong to a text in ``stop`` whose rest is still to come."""
    held = (n for n in range(min(len(text), max(map(len, stop), default=0)), 0, -1)
            if any(one.startswith(text[-n:]) for one in stop))
    return len(text) - next(held, 0)
