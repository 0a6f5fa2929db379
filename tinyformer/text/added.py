"""Tokens beside a published vocabulary, such as ``[MASK]`` and ``<|endoftext|>``: found in a text before all else."""

from __future__ import annotations

import re


class AddedTokens:
    """Cuts a text at added tokens.

    fields      as in ``added_tokens`` of a tokenizer.json: dicts with ``content`` and ``id``, and perhaps ``lstrip`` and
                ``rstrip``, whether the token swallows the white space before and after it
    """

    def __init__(self, fields):
        self.ids = {}
        parts = []
        for field in sorted(fields, key=lambda field: -len(field["content"])):      # the longest one counts
            content, id = field["content"], field["id"]
            if not (isinstance(content, str) and content and type(id) is int and id >= 0):
                raise ValueError(f"added token {content!r} with id {id!r}, expected a text and a number")
            if field.get("single_word"):
                raise ValueError(f"added token {content!r} is a single_word, which is not supported")
            self.ids[content] = id
            left, right = (r"\s*" if field.get(side) else "" for side in ("lstrip", "rstrip"))
            parts.append(f"{left}({re.escape(content)}){right}")
        self._pattern = re.compile("|".join(parts)) if parts else None

    def cut(self, text):
        """Yield (piece, id) from left to right: the id of an added token, or None for text between them."""
        end = 0
        for match in self._pattern.finditer(text) if self._pattern else ():
            if match.start() > end:
                yield text[end:match.start()], None
            content = match.group(match.lastindex)
            yield content, self.ids[content]
            end = match.end()
        if end < len(text):
            yield text[end:], None


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
    sides = [], []
    side = 0
    for part in fields["single"]:
        if "Sequence" in part:
            side = 1
        else:
            sides[side].extend(fields["special_tokens"][part["SpecialToken"]["id"]]["ids"])
    return sides
