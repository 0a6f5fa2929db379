"""Generated text, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .pieces import Pieces
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
    pieces = Pieces(tokenizer, stop)
    for token in tokens:
        if piece := pieces.add(int(token[0])):
            yield piece
        if pieces.stopped:
            return
    if piece := pieces.rest():
        yield piece


def opening(tokenizer: Any) -> str:
    """A text to begin with where there is no prompt: a line break, or the first token of a vocabulary without one."""
    try:
        if tokenizer.encode("\n").size:
            return "\n"
    except ValueError:
        pass
    texts = (tokenizer.decode([id]) for id in range(tokenizer.vocab_size))
    return next(text for id, text in enumerate(texts) if tokenizer.encode(text).tolist() == [id])
