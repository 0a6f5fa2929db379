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

TRAINABLE = {tokenizer.type_name: tokenizer for tokenizer in (CharTokenizer, BytePairTokenizer, WordTokenizer, WordPieceTokenizer)}
TOKENIZERS = {**TRAINABLE, **{tokenizer.type_name: tokenizer for tokenizer in (NGramTokenizer, PairTokenizer, PublishedBPE)}}
PUBLISHED = {"WordPiece": WordPieceTokenizer.from_huggingface, "BPE": PublishedBPE}        # by the model in a tokenizer.json


def train_tokenizer(kind, text, vocab_size=None):
    """A tokenizer of ``type_name``, "char", "bpe", "word" or "wordpiece", trained on ``text``.

    vocab_size      how many tokens it may have; "char" has as many as the text has distinct characters
    """
    if kind not in TRAINABLE:
        raise ValueError(f"train_tokenizer: unknown kind {kind!r}, expected one of {', '.join(TRAINABLE)}")
    return CharTokenizer.train(text) if kind == CharTokenizer.type_name else TRAINABLE[kind].train(text, vocab_size)


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
    if not isinstance(kind, str) or kind not in TOKENIZERS:
        raise ValueError(f"load_tokenizer: {path} has the type {kind!r}, expected one of {', '.join(TOKENIZERS)}")
    return _read(path, TOKENIZERS[kind].from_dict, fields)


def _from_folder(folder):
    if (folder / "tokenizer.json").exists():
        return load_tokenizer(folder / "tokenizer.json")
    if (folder / "vocab.txt").exists():
        return _read(folder, _from_vocab, folder)
    for vocab, merges in (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")):
        if (folder / vocab).exists() and (folder / merges).exists():
            return _read(folder, _from_pair, folder, folder / vocab, folder / merges)
    raise FileNotFoundError(f"load_tokenizer: {folder} holds no tokenizer.json, no vocab.txt, and no encoder.json with "
                            f"vocab.bpe")


def _from_vocab(folder):
    """The WordPiece of vocab.txt, with what tokenizer_config.json says of it."""
    settings = _settings(folder, do_basic_tokenize=(True,), never_split=(None, []), unk_token=("[UNK]",), pad_token=("[PAD]",),
                         cls_token=("[CLS]",), sep_token=("[SEP]",), mask_token=("[MASK]",))
    tokenizer = WordPieceTokenizer.from_vocab(folder / "vocab.txt", settings.get("do_lower_case", True),
                                              settings.get("strip_accents"), settings.get("tokenize_chinese_chars", True))
    _check_added(folder, settings, tokenizer.ids)
    return tokenizer


def _from_pair(folder, vocab, merges):
    """GPT-2's two files, unless tokenizer_config.json says that they are cut in another way than GPT-2's."""
    settings = _settings(folder, tokenizer_class=("GPT2Tokenizer", "GPT2TokenizerFast", None), add_prefix_space=(False, None),
                         add_bos_token=(False, None))
    tokenizer = PublishedBPE.from_gpt2(vocab, merges)
    _check_added(folder, settings, tokenizer.fields["model"]["vocab"])
    return tokenizer


def _settings(folder, **expected):
    """tokenizer_config.json of ``folder``. ValueError where a setting is none of the values that are expected of it."""
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_bytes()) if path.exists() else {}
    for name, values in expected.items():
        found = settings.get(name, values[0])
        found = found.get("content") if isinstance(found, dict) else found
        if found not in values:
            raise ValueError(f"tokenizer_config.json: {name} is {found!r}, expected {values[0]!r}")
    return settings


def _check_added(folder, settings, vocabulary):
    """ValueError where a file beside the vocabulary adds tokens that it lacks: only tokenizer.json says how they are found."""
    path = folder / "added_tokens.json"
    added = {*(json.loads(path.read_bytes()) if path.exists() else {}),
             *(token["content"] for token in settings.get("added_tokens_decoder", {}).values())}
    if missing := sorted(added - vocabulary.keys()):
        raise ValueError(f"it adds the tokens {', '.join(missing)} to the vocabulary, expected a tokenizer.json that describes them")


def _read(path, read, *arguments):
    """``read(*arguments)``, with errors that name ``path``."""
    try:
        return read(*arguments)
    except KeyError as error:
        raise ValueError(f"load_tokenizer: {path} has no field {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"load_tokenizer: {path} is damaged: {error}") from None
