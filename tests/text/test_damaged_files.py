"""Files of tokenizers that are damaged in any way: refused in our words, which name the file, or harmless."""

import json
import traceback

import pytest

from tinyformer.files import DamagedFile
from tinyformer.text import CharTokenizer, PublishedBPE, WordPieceTokenizer, load_tokenizer, train_tokenizer
from tinyformer.text.base import TOKENIZERS
from tinyformer.text.ngrams import NGramTokenizer
from tinyformer.text.pairs import PairTokenizer
from tinyformer.text.published import BYTES

TEXT = "the cat and the hat, 今天天气很好"
VOCAB = {character: id for id, character in enumerate([*BYTES, "th", "the"])}
MERGES = "#version: 0.2\nt h\nth e\n"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "the"]
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "th", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": None,
    "special_tokens": {"th": {"id": "th", "ids": [256], "tokens": ["th"]}},
}
BPE = {
    "added_tokens": [{"content": "<end>", "id": 258, "special": True}],
    "decoder": {"type": "ByteLevel"},
    "normalizer": {
        "type": "Sequence",
        "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"String": "x"}, "content": "y"},
            {"type": "Strip", "strip_left": True, "strip_right": False},
        ],
    },
    "pre_tokenizer": {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "\\p{N}"}, "behavior": "Isolated", "invert": False},
            {"type": "Punctuation", "behavior": "Isolated"},
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        ],
    },
    "post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"}, TEMPLATE]},
    "model": {"type": "BPE", "vocab": VOCAB, "merges": [["t", "h"], "th e"], "ignore_merges": False},
}
PIECES_JSON = {
    "added_tokens": [],
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "lowercase": True,
        "strip_accents": None,
        "handle_chinese_chars": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]},
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {token: id for id, token in enumerate(PIECES)},
    },
}
SAVED = {tokenizer.type_name: tokenizer.to_dict() for tokenizer in (
    CharTokenizer.train(TEXT), *(train_tokenizer(name, TEXT * 3, 300) for name in ("bpe", "word", "wordpiece")),
    NGramTokenizer.train([TEXT, TEXT], n=2), PairTokenizer.train([TEXT], [TEXT]), PublishedBPE(BPE))}

# A folder for each way to publish a vocabulary.
FOLDERS = {
    "tokenizer.json": {"tokenizer.json": json.dumps(BPE)},
    "vocab.txt": {
        "vocab.txt": "\n".join(PIECES),
        "added_tokens.json": '{"[CLS]": 2}',
        "special_tokens_map.json": "{}",
        "tokenizer_config.json": json.dumps(
            {"do_lower_case": True, "added_tokens_decoder": {"2": {"content": "[CLS]"}}}
        ),
    },
    "gpt2": {
        "vocab.json": json.dumps(VOCAB),
        "merges.txt": MERGES,
        "tokenizer_config.json": '{"add_prefix_space": false}',
    },
}
IGNORED = "special_tokens_map.json"                         # nothing in it changes an id


def refusal(path):
    """The error of ``load_tokenizer(path)``, or None. The error, and what led to it, must be in our own words."""
    try:
        tokenizer = load_tokenizer(path)
        if tokenizer.open_vocabulary:
            tokenizer.encode("the cat")
        return None
    except ValueError as error:
        links = [error]
        while links[-1].__context__ is not None:
            links.append(links[-1].__context__)
        for link in links:  # the interpreter's own errors do not come from a raise statement
            if isinstance(link, (TypeError, AttributeError, LookupError, ArithmeticError)):
                assert traceback.extract_tb(link.__traceback__)[-1].line.startswith("raise "), repr(link)
        return error


def test_every_tokenizer_is_tried():
    assert SAVED.keys() == TOKENIZERS.keys()


@pytest.mark.parametrize("fields", (*SAVED.values(), BPE, PIECES_JSON), ids=(*SAVED, "bpe.json", "wordpiece.json"))
def test_any_field_that_is_lost_or_of_another_type(tmp_path, damaged, rng, fields):
    path, refused = tmp_path / "tokenizer.json", 0
    path.write_text(json.dumps(fields))
    assert refusal(path) is None
    for _ in range(150):
        path.write_text(json.dumps(damaged(fields, rng)))
        error = refusal(path)
        if error is not None:
            assert isinstance(error, DamagedFile) and str(error).startswith(f"load_tokenizer: {path} "), error
            refused += 1
    assert refused > 30


@pytest.mark.parametrize("folder, name", [(folder, name) for folder, files in FOLDERS.items() for name in files])
@pytest.mark.parametrize(
    "damage, said",
    (
        (lambda data: b"", ""),
        (lambda data: data[: len(data) // 2], ""),
        (lambda data: b"\xff\xfe" + data, "is not UTF-8: byte 0xff at offset 0"),
        (lambda data: data[:5] + b"\xe9" + data[5:], "is not UTF-8: byte 0xe9 at offset 5"),
        (lambda data: b"[" * 100_000, ""),
        (lambda data: b"3", ""),
        (lambda data: b'"text"', ""),
        (lambda data: b"[]", ""),
        (lambda data: b"{}", ""),
        (lambda data: b"null", ""),
        (lambda data: bytes(100), ""),
        (None, "is a folder, expected a file"),
        (lambda data: b"\xef\xbb\xbf" + data, None),
        (lambda data: data.replace(b"\n", b"\r\n"), None),
    ),
)
def test_a_file_of_a_published_vocabulary_that_is_damaged(tmp_path, folder, name, damage, said):
    for other, content in FOLDERS[folder].items():
        (tmp_path / other).write_text(content, encoding="utf-8", newline="")
    path = tmp_path / name
    assert refusal(tmp_path) is None
    data = path.read_bytes()
    path.unlink()
    path.mkdir() if damage is None else path.write_bytes(damage(data))
    error = refusal(tmp_path)
    if name == IGNORED or said is None:                     # a byte order mark and Windows' line ends do no harm
        assert error is None
    elif said or error is not None:
        assert str(error).startswith("load_tokenizer: ") and str(tmp_path) in str(error) and said in str(error), error
        assert "\n" not in str(error) and len(str(error)) < 400
        assert (
            name in str(error) or folder == "gpt2" and "merges.txt" in str(error)
        )  # a merge that the vocabulary lacks


def test_the_words_of_a_vocabulary_are_all_there_after_a_byte_order_mark(tmp_path):
    (tmp_path / "vocab.txt").write_text("\ufeff" + "\r\n".join(PIECES) + "\r\n", encoding="utf-8", newline="")
    assert load_tokenizer(tmp_path).tokens == PIECES == WordPieceTokenizer.from_vocab(tmp_path / "vocab.txt").tokens
