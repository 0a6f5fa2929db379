"""Tokens beside a published vocabulary, such as ``[MASK]`` and ``<|endoftext|>``: found in a text before all else."""

from __future__ import annotations

import re

FLAGS = ("special", "normalized", "lstrip", "rstrip", "single_word")
SPACE = r"[^\S\x1c-\x1f]*"              # re counts four separators as white space, which Unicode does not


class AddedTokens:
    """Cuts a text at added tokens and normalizes what stands between them.

    fields      as in ``added_tokens`` of a tokenizer.json: dicts with ``content`` and ``id``, and perhaps the flags

        normalized      look for the normalized token in the normalized text, not for the token in the text as it is
        lstrip, rstrip  the token takes the white space before or after it along
        single_word     the token counts only where no letter, number or underscore precedes or follows it
        special         a special token is left out of a text for readers; ``encode`` treats it as the others

    normalize   text → text

    At each place the longest token counts, as in Hugging Face's tokenizers.
    """

    def __init__(self, fields, normalize=lambda text: text):
        self.ids, self.forms, self._normalize = {}, {}, normalize      # forms: what stands for each id in a decoded text
        raw, normalized = {}, {}
        for field in sorted(fields, key=lambda field: not field.get("special")):            # the first of two equals counts
            content, id = field["content"], field["id"]
            if not (isinstance(content, str) and content and type(id) is int and id >= 0):
                raise ValueError(f"added token {content!r} with id {id!r}, expected a text and a number")
            for flag in FLAGS:
                if not isinstance(field.get(flag, False), bool):
                    raise ValueError(f"added token {content!r}: {flag} is {field[flag]!r}, expected true or false")
            if unknown := field.keys() - {"content", "id", *FLAGS}:
                raise ValueError(f"added token {content!r} has the fields {', '.join(sorted(unknown))}, which are not known")
            if self.ids.setdefault(content, id) != id:
                raise ValueError(f"added token {content!r} has the ids {self.ids[content]} and {id}, expected one")
            form = normalize(content) if field.get("normalized") else content
            if not form:
                raise ValueError(f"added token {content!r} is empty once it is normalized")
            self.forms[id] = form
            (normalized if field.get("normalized") else raw).setdefault(form, (content, field))
        self._raw, self._normalized = _Finder(raw), _Finder(normalized)

    def cut(self, text):
        """Yield (piece, id) from left to right: the id of an added token, or None for normalized text between them."""
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


def template(fields):
    """(before, after): the ids that a tokenizer.json's ``post_processor`` puts around one text."""
    if fields is None or fields["type"] == "ByteLevel":
        return [], []
    if fields["type"] == "Sequence":
        parts = [template(part) for part in fields["processors"]]
        return sum((before for before, _ in reversed(parts)), []), sum((after for _, after in parts), [])
    if fields["type"] in ("BertProcessing", "RobertaProcessing"):
        for side in ("cls", "sep"):
            if not isinstance(fields[side], list) or len(fields[side]) != 2:
                raise ValueError(f"the post_processor's {side} is {fields[side]!r}, expected a token and its id")
        return [fields["cls"][1]], [fields["sep"][1]]
    if fields["type"] != "TemplateProcessing":
        raise ValueError(f"the post_processor is {fields['type']!r}, which is not supported")
    sides, side, texts = ([], []), 0, 0
    for part in fields["single"]:
        if "Sequence" in part:
            side, texts = 1, texts + 1
        else:
            sides[side].extend(fields["special_tokens"][part["SpecialToken"]["id"]]["ids"])
    if texts != 1:
        raise ValueError(f"the post_processor's template of one text has {texts} texts")
    return sides


def check_file(fields, model_fields, decoders):
    """ValueError where a tokenizer.json has a field that is not known, or a decoder that is none of ``decoders``.

    Its sections ``truncation`` and ``padding`` are left aside, as in transformers: the caller says how long a text may be.
    """
    sections = {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
                "model"}
    for where, found, known in (("the file", fields, sections), ("model", fields["model"], model_fields)):
        if unknown := found.keys() - known:
            raise ValueError(f"{where} has the fields {', '.join(sorted(unknown))}, which are not known")
    decoder = fields.get("decoder")
    if decoder is not None and decoder["type"] not in decoders:
        raise ValueError(f"the decoder is {decoder['type']!r}, expected {' or '.join(map(repr, decoders))}")
