"""The fields of a Hugging Face ``tokenizer.json``: which ones we know, of which types, and what its template means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..files import check_shape

if TYPE_CHECKING:
    from collections.abc import Collection

SECTIONS = {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
            "decoder", "model"}
FILE = {"added_tokens": [{"content": str, "id": int}], "normalizer": (None, dict), "pre_tokenizer": (None, dict),
        "post_processor": (None, dict), "decoder?": (None, {"type": str, "prefix?": str, "cleanup?": bool})}
PART = {"SpecialToken?": {"id?": str, "type_id?": int}, "Sequence?": {"type_id?": int}}
POST_PROCESSORS = {"Sequence": {"processors": [dict]}, "BertProcessing": {"cls": list, "sep": list},
                   "RobertaProcessing": {"cls": list, "sep": list},
                   "TemplateProcessing": {"single": [PART], "pair?": (None, [PART]),
                                          "special_tokens": {str: {"ids": [int]}}}}


def check_file(fields: Any, model_shape: dict[str, Any], decoders: Collection[str]) -> None:
    """ValueError unless ``fields`` are a tokenizer.json that we can honor.

    model_shape     the known fields of the section ``model``, as ``files.check_shape`` describes them
    decoders        the known types of the section ``decoder``

    The sections ``truncation`` and ``padding`` are ignored, as in transformers: the caller chooses the length of a
    text.
    """
    check_shape(fields, {"model": model_shape, **FILE})
    known = {name.removesuffix("?") for name in model_shape}
    for where, names in (("the file", fields.keys() - SECTIONS), ("model", fields["model"].keys() - known)):
        if names:
            raise ValueError(f"{where} has the fields {', '.join(sorted(names))}, which are not known")
    decoder = fields.get("decoder")
    if decoder is not None and decoder["type"] not in decoders:
        raise ValueError(f"the decoder is {decoder['type']!r}, expected {' or '.join(map(repr, decoders))}")


def template(fields: dict[str, Any] | None) -> tuple[list[int], list[int]]:
    """(before, after): the ids that a tokenizer.json's ``post_processor`` puts around one text.

    Raises ValueError for a type that is not supported, and for fields that are missing or of another type.
    """
    check_shape(fields, (None, {"type": str}), "post_processor")
    kind = fields and fields["type"]
    if kind in (None, "ByteLevel"):
        return [], []
    if kind not in POST_PROCESSORS:
        raise ValueError(f"the post_processor is {kind!r}, which is not supported")
    check_shape(fields, POST_PROCESSORS[kind], "post_processor")
    if kind == "Sequence":
        parts = [template(part) for part in fields["processors"]]
        return sum((before for before, _ in reversed(parts)), []), sum((after for _, after in parts), [])
    if kind != "TemplateProcessing":
        for side in ("cls", "sep"):
            if [*map(type, fields[side])] != [str, int]:
                raise ValueError(f"the post_processor's {side} is {fields[side]!r}, expected a token and its id")
        return [fields["cls"][1]], [fields["sep"][1]]
    sides, side, texts = ([], []), 0, 0
    for part in fields["single"]:
        if "Sequence" in part:
            side, texts = 1, texts + 1
            continue
        token = part.get("SpecialToken", {}).get("id")
        if token not in fields["special_tokens"]:
            raise ValueError(f"the post_processor's template has {token!r}, which is not in its special_tokens")
        sides[side].extend(fields["special_tokens"][token]["ids"])
    if texts != 1:
        raise ValueError(f"the post_processor's template of one text has {texts} texts")
    return sides
