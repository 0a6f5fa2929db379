"""Tokenizers by name, and by the files in which they are saved or published.

Every module of this folder is imported here, and every subclass of ``Tokenizer`` registers itself in ``TOKENIZERS``. A
new tokenizer is therefore one file in this folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..files import DamagedFile, read_json
from ..packages import import_files
from .base import TOKENIZERS, Tokenizer
from .published import PublishedBPE
from .wordpiece import WordPieceTokenizer

import_files(__name__.removesuffix(".registry"))

# tokenizer_config.json
CONFIG = {"do_lower_case?": bool, "strip_accents?": (None, bool), "tokenize_chinese_chars?": bool,
          "added_tokens_decoder?": {str: {"content": str}}}


def trainable() -> list[str]:
    """The names that ``train_tokenizer`` knows."""
    return sorted(name for name, tokenizer in TOKENIZERS.items() if tokenizer.trainable)


def train_tokenizer(type_name: str, text: str, vocab_size: int | None = None) -> Tokenizer:
    """A tokenizer trained on ``text``.

    type_name       "char", "bpe", "word" or "wordpiece"
    vocab_size      the largest number of tokens; "char" has as many as the text has distinct characters

    Raises ValueError for an unknown name, a text without tokens and a ``vocab_size`` that is too small; TypeError for a
    ``vocab_size`` that is not an integer.
    """
    if type_name not in trainable():
        raise ValueError(f"train_tokenizer: unknown type {type_name!r}, expected one of {', '.join(trainable())}")
    tokenizer = TOKENIZERS[type_name]
    return tokenizer.train(text, vocab_size) if tokenizer.open_vocabulary else tokenizer.train(text)


def load_tokenizer(path: str | os.PathLike[str]) -> Tokenizer:
    """The tokenizer that was saved or published at ``path``.

    A published tokenizer is a tokenizer.json (WordPiece, or BPE over bytes), BERT's vocab.txt, or a folder that holds
    one of these files or the pair of GPT-2: encoder.json and vocab.bpe, elsewhere vocab.json and merges.txt.

    Raises FileNotFoundError where there is no such file, ValueError for a damaged file and for an unknown tokenizer.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path)
    if not path.exists():
        raise FileNotFoundError(f"load_tokenizer: there is no file {path}")
    if path.suffix == ".txt":
        with _naming(path):
            return WordPieceTokenizer.from_vocab(path)
    with _naming(path):
        fields = read_json(path)
    if isinstance(fields, dict) and isinstance(fields.get("model"), dict):
        published = {each.published_model: each for each in TOKENIZERS.values() if each.published_model}
        model = fields["model"].get("type", "BPE")          # which old files leave out
        if not isinstance(model, str) or model not in published:
            raise DamagedFile(f"load_tokenizer: {path} holds a {model}, expected one of {', '.join(sorted(published))}")
        with _naming(path):
            return published[model].from_huggingface(fields)
    type_name = fields.get("type") if isinstance(fields, dict) else None
    if not isinstance(type_name, str) or type_name not in TOKENIZERS:
        raise DamagedFile(f"load_tokenizer: {path} has the type {type_name!r}, expected one of "
                          f"{', '.join(sorted(TOKENIZERS))}")
    with _naming(path):
        return TOKENIZERS[type_name].from_dict(fields)


def _from_folder(folder: Path) -> Tokenizer:
    if (folder / "tokenizer.json").exists():
        with _naming(folder / "tokenizer.json"):
            if (folder / "tokenizer.json").is_dir():
                raise DamagedFile(f"{folder / 'tokenizer.json'} is a folder, expected a file")
            return load_tokenizer(folder / "tokenizer.json")
    if (folder / "vocab.txt").exists():
        return _from_vocab(folder)
    for vocab, merges in (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")):
        if (folder / vocab).exists() and (folder / merges).exists():
            return _from_pair(folder, folder / vocab, folder / merges)
    raise FileNotFoundError(f"load_tokenizer: {folder} holds no tokenizer.json, no vocab.txt, "
                            "and no encoder.json with vocab.bpe")


def _from_vocab(folder: Path) -> Tokenizer:
    """The WordPiece of vocab.txt, with the settings of tokenizer_config.json."""
    settings = _settings(folder, do_basic_tokenize=(True,), never_split=(None, []), unk_token=("[UNK]",),
                         pad_token=("[PAD]",), cls_token=("[CLS]",), sep_token=("[SEP]",), mask_token=("[MASK]",))
    with _naming(folder / "vocab.txt"):
        tokenizer = WordPieceTokenizer.from_vocab(
            folder / "vocab.txt", settings.get("do_lower_case", True), settings.get("strip_accents"),
            settings.get("tokenize_chinese_chars", True))
    _check_added(folder, settings, tokenizer.ids)
    return tokenizer


def _from_pair(folder: Path, vocab: Path, merges: Path) -> Tokenizer:
    """GPT-2's two files, unless tokenizer_config.json says that the text is cut in another way than GPT-2's."""
    settings = _settings(folder, tokenizer_class=("GPT2Tokenizer", "GPT2TokenizerFast", None),
                         add_prefix_space=(False, None), add_bos_token=(False, None))
    with _naming(merges):
        tokenizer = PublishedBPE.from_gpt2(vocab, merges)
    _check_added(folder, settings, tokenizer.fields["model"]["vocab"])
    return tokenizer


def _settings(folder: Path, **expected: tuple[Any, ...]) -> dict[str, Any]:
    """tokenizer_config.json of ``folder``. DamagedFile if a setting is not one of its ``expected`` values."""
    path = folder / "tokenizer_config.json"
    if not path.exists():
        return {}
    with _naming(path):
        settings = read_json(path, CONFIG)
        for name, values in expected.items():
            found = settings.get(name, values[0])
            found = found.get("content") if isinstance(found, dict) else found
            if found not in values:
                raise ValueError(f"{name} is {found!r}, expected {values[0]!r}")
    return settings


def _check_added(folder: Path, settings: dict[str, Any], vocabulary: dict[str, int]) -> None:
    """DamagedFile if a file adds tokens that the vocabulary lacks.

    Only tokenizer.json says how they are found in a text.
    """
    path = folder / "added_tokens.json"
    added = {token["content"]: "tokenizer_config.json" for token in settings.get("added_tokens_decoder", {}).values()}
    if path.exists():
        with _naming(path):
            added.update(dict.fromkeys(read_json(path, {str: int}), path.name))
    if missing := sorted(added.keys() - vocabulary.keys()):
        with _naming(folder / added[missing[0]]):
            raise ValueError(f"it adds the tokens {', '.join(missing)} to the vocabulary, "
                             "expected a tokenizer.json that describes them")


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors inside name ``path``, unless they name their file already."""
    try:
        yield
    except DamagedFile as error:
        raise DamagedFile(f"load_tokenizer: {str(error).removeprefix('load_tokenizer: ')}") from None
    except KeyError as error:
        raise DamagedFile(f"load_tokenizer: {path} is damaged: it has no field {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedFile(f"load_tokenizer: {path} is damaged: {error}") from None
    except RecursionError:
        raise DamagedFile(f"load_tokenizer: {path} is damaged: its steps are nested too deeply") from None
