"""Every kind of tokenizer, by its name, and by the files in which it is saved or published."""

from __future__ import annotations

import json
from pathlib import Path

from .bpe import BytePairTokenizer
from .characters import CharTokenizer
from .ngrams import NGramTokenizer
from .pairs import PairTokenizer
from .published import PublishedBPE
from .wordpiece import WordPieceTokenizer
from .words import WordTokenizer

TRAINED = {kind.kind: kind for kind in (CharTokenizer, BytePairTokenizer, WordTokenizer, WordPieceTokenizer)}
KINDS = {**TRAINED, **{kind.kind: kind for kind in (NGramTokenizer, PairTokenizer, PublishedBPE)}}
PUBLISHED = {"WordPiece": WordPieceTokenizer.from_huggingface, "BPE": PublishedBPE}        # by the model in a tokenizer.json


def train_tokenizer(kind, text, vocab_size=None):
    """A tokenizer of ``kind``, "char", "bpe", "word" or "wordpiece", trained on ``text``.

    vocab_size      how many tokens it may have; "char" has as many as the text has distinct characters
    """
    if kind not in TRAINED:
        raise ValueError(f"train_tokenizer: unknown kind {kind!r}, expected one of {', '.join(TRAINED)}")
    return CharTokenizer.train(text) if kind == CharTokenizer.kind else TRAINED[kind].train(text, vocab_size)


def load_tokenizer(path):
    """The tokenizer that was saved at ``path``, or published there.

    A published one is a tokenizer.json (WordPiece, or BPE over bytes), BERT's vocab.txt, or a folder that holds one of these
    or the pair of GPT-2: encoder.json and vocab.bpe, elsewhere vocab.json and merges.txt. FileNotFoundError where there is
    nothing, ValueError for what is damaged or of another kind.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"load_tokenizer: there is no file {path}")
    if path.suffix == ".txt":
        return _read(path, WordPieceTokenizer.from_vocab, path)
    try:
        fields = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:           # no UTF-8, no JSON, brackets without end
        raise ValueError(f"load_tokenizer: {path} is not JSON: {error}") from None
    if isinstance(fields, dict) and isinstance(fields.get("model"), dict):
        model = fields["model"].get("type", "BPE")          # which old files leave out
        if not isinstance(model, str) or model not in PUBLISHED:
            raise ValueError(f"load_tokenizer: {path} holds a {model}, expected one of {', '.join(PUBLISHED)}")
        return _read(path, PUBLISHED[model], fields)
    kind = fields.get("type") if isinstance(fields, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"load_tokenizer: {path} has the type {kind!r}, expected one of {', '.join(KINDS)}")
    return _read(path, KINDS[kind].from_dict, fields)


def _from_folder(folder):
    for name in ("tokenizer.json", "vocab.txt"):
        if (folder / name).exists():
            return load_tokenizer(folder / name)
    for vocab, merges in (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")):
        if (folder / vocab).exists() and (folder / merges).exists():
            return _read(folder, PublishedBPE.from_gpt2, folder / vocab, folder / merges)
    raise FileNotFoundError(f"load_tokenizer: {folder} holds no tokenizer.json, no vocab.txt, and no encoder.json with "
                            f"vocab.bpe")


def _read(path, read, *arguments):
    """``read(*arguments)``, with errors that name ``path``."""
    try:
        return read(*arguments)
    except KeyError as error:
        raise ValueError(f"load_tokenizer: {path} has no field {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"load_tokenizer: {path} is damaged: {error}") from None
