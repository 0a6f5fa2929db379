"""Added tokens of a published tokenizer, such as ``[MASK]``: found in a text before anything else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

FLAGS = ("special", "normalized", "lstrip", "rstrip", "single_word")
SPACE = r"[^\S\x1c-\x1f]*"              # re counts four separators as white space, which Unicode does not


class AddedTokens:
    """Cuts a text at added tokens and normalizes the text between them.

    fields      as in ``added_tokens`` of a tokenizer.json: dicts with ``content`` and ``id``, and possibly the flags

        normalized      look for the normalized token in the normalized text, not for the token in the original text
        lstrip, rstrip  the token includes the white space before or after it
        single_word     the token counts only where no letter, number or underscore precedes or follows it
        special         the token is left out of a text for readers; ``encode`` treats it like the others

    normalize   text → text

    Where several tokens match, the longest one counts, as in Hugging Face's tokenizers.
    """

    def __init__(self, fields: Iterable[dict[str, Any]], normalize: Callable[[str], str] = lambda text: text) -> None:
        self.ids: dict[str, int] = {}
        self.forms: dict[int, str] = {}                     # how each id is written in a decoded text
        self._normalize = normalize
        raw, normalized = {}, {}
        for field in sorted(fields, key=lambda field: not field.get("special")):  # of two equal tokens the first counts
            content, id = field["content"], field["id"]
            if not (isinstance(content, str) and content and type(id) is int and id >= 0):
                raise ValueError(f"added token {content!r} with id {id!r}, "
                                 "expected a string that is not empty and an integer")
            for flag in FLAGS:
                if not isinstance(field.get(flag, False), bool):
                    raise ValueError(f"added token {content!r}: {flag} is {field[flag]!r}, expected true or false")
            if unknown := field.keys() - {"content", "id", *FLAGS}:
                raise ValueError(f"added token {content!r} "
                                 f"has the fields {', '.join(sorted(unknown))}, which are not known")
            if self.ids.setdefault(content, id) != id:
                raise ValueError(f"added token {content!r} has the ids {self.ids[content]} and {id}, expected one")
            form = normalize(content) if field.get("normalized") else content
            if not form:
                raise ValueError(f"added token {content!r} is empty once it is normalized")
            self.forms[id] = form
            (normalized if field.get("normalized") else raw).setdefault(form, (content, field))
        self._raw, self._normalized = _Finder(raw), _Finder(normalized)

    def cut(self, text: str) -> Iterator[tuple[str, int | None]]:
        """Yield (piece, id) from left to right: an added token's id, or None for the normalized text between two."""
        for piece, id in self._raw.cut(text):
            if id is None:
                yield from self._normalized.cut(self._normalize(piece))
            else:
                yield piece, id


class _Finder:
    """Finds tokens in a text.   tokens: {the form to look for: (content, fields)}."""

    def __init__(self, tokens):
        self.tokens = tokens
        longest = sorted(tokens, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, longest))) if tokens else None

    def cut(self, text):
        end = 0
        for match in self.pattern.finditer(text) if self.pattern else ():
            content, field = self.tokens[match.group()]
            start, stop = match.span()
            if field.get("single_word") and (_is_word(text[start - 1:start]) or _is_word(text[stop:stop + 1])):
                continue
            if field.get("lstrip"):
                start = max(end, start - len(re.match(SPACE, text[end:start][::-1]).group()))
            if field.get("rstrip"):
                stop += len(re.match(SPACE, text[stop:]).group())
            if end < start:
                yield text[end:start], None
            yield content, field["id"]
            end = stop
        if end < len(text):
            yield text[end:], None


def _is_word(character):
    import regex
    return bool(regex.match(r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]", character))
