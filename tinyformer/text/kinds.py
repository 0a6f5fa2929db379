"""Every kind of tokenizer, by its name."""

from __future__ import annotations

import json
from pathlib import Path

from .bpe import BytePairTokenizer
from .characters import CharTokenizer

KINDS = {kind.kind: kind for kind in (CharTokenizer, BytePairTokenizer)}


def train_tokenizer(kind, text, vocab_size=None):
    """A tokenizer of ``kind``, "char" or "bpe", trained on ``text``.

    vocab_size      how many tokens "bpe" may have; "char" has as many as the text has distinct characters
    """
    if kind not in KINDS:
        raise ValueError(f"train_tokenizer: unknown kind {kind!r}, expected one of {', '.join(KINDS)}")
    return CharTokenizer.train(text) if kind == CharTokenizer.kind else BytePairTokenizer.train(text, vocab_size)


def load_tokenizer(path):
    """The tokenizer that was saved at ``path``. FileNotFoundError without it, ValueError when it is damaged."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"load_tokenizer: there is no file {path}")
    try:
        fields = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:           # no UTF-8, no JSON, brackets without end
        raise ValueError(f"load_tokenizer: {path} is not JSON: {error}") from None
    kind = fields.get("type") if isinstance(fields, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"load_tokenizer: {path} has the type {kind!r}, expected one of {', '.join(KINDS)}")
    try:
        return KINDS[kind].from_dict(fields)
    except KeyError as error:
        raise ValueError(f"load_tokenizer: {path} has no field {error}") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"load_tokenizer: {path} is damaged: {error}") from None
