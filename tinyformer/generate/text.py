"""Text, as it comes."""

from __future__ import annotations

from .sampling import stream, stream_lines


def stream_text(model, tokenizer, prompt, max_new_tokens, *, stop=(), anew=None, **how):
    """Yield what ``model`` adds to ``prompt``, piece by piece: whole characters, though one may come in several tokens.

    stop        texts that end it, themselves left out; what may be the beginning of one is held back until that is known
    anew        the character after which the model sees nothing of what was before: it has read each line alone
    how         as for ``stream``
    """
    if isinstance(stop, str):
        raise TypeError(f"stream_text: stop is the text {stop!r}, expected a list of texts")
    if not all(stop):
        raise ValueError("stream_text: a text in stop is empty, expected at least one character")
    ids = tokenizer.prompt(prompt)[None]
    if anew is None:
        tokens = stream(model, ids, max_new_tokens, **how)
    else:
        tokens = stream_lines(model, ids, max_new_tokens, tokenizer.encode(anew)[-1], **how)
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
        ready = _settled(text.rstrip("\ufffd"), stop)       # a character may be only begun
        if ready > shown:
            yield text[shown:ready]
            shown = ready
    if text[shown:]:
        yield text[shown:]


def _settled(text, stop):
    """How much of ``text`` cannot be part of a text in ``stop`` that is still coming."""
    held = (n for n in range(min(len(text), max(map(len, stop), default=0)), 0, -1)
            if any(one.startswith(text[-n:]) for one in stop))
    return len(text) - next(held, 0)
