import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyformer.text import WordPieceTokenizer, load_tokenizer
from tinyformer.text.wordpiece import SPECIAL

WORDS = ["un", "##aff", "##able", "able", "a", "##a", "天", "气", ",", "##b"]
TOKENIZER = WordPieceTokenizer([*SPECIAL, *WORDS])
TEXT = "low low low low low lower lower newest newest newest newest newest newest widest widest widest 今天 今天"


def ids(*tokens):
    return [TOKENIZER.ids[token] for token in tokens]


def test_the_longest_piece_from_the_left():
    assert TOKENIZER.encode("unaffable").tolist() == ids("un", "##aff", "##able")
    assert TOKENIZER.encode("Able, UN天气a").tolist() == ids("able", ",", "un", "天", "气", "a")
    assert TOKENIZER.encode("unaff!").tolist() == ids("un", "##aff", "[UNK]")
    # one piece is missing: the whole word is
    assert TOKENIZER.encode("unaffc").tolist() == ids("[UNK]")
    assert TOKENIZER.encode("a" * 100).tolist() == ids("a", *["##a"] * 99)
    assert TOKENIZER.encode("a" * 101).tolist() == ids("[UNK]")
    assert TOKENIZER.encode("").dtype == np.int64


def test_special_tokens_are_found_in_the_text_and_put_around_it():
    assert TOKENIZER.encode("a[MASK] b [sep]").tolist() == ids("a", "[MASK]", "[UNK]", "[UNK]", "[UNK]", "[UNK]")
    assert TOKENIZER.encode("a", special=True).tolist() == ids("[CLS]", "a", "[SEP]")
    assert TOKENIZER.encode("a , a", special=True, longest=4).tolist() == ids("[CLS]", "a", ",", "[SEP]")
    assert TOKENIZER.encode("a , a", special=True, longest=5).tolist() == ids("[CLS]", "a", ",", "a", "[SEP]")
    assert TOKENIZER.encode("a , a", longest=2).tolist() == ids("a", ",")
    tokens, which = TOKENIZER.encode_pair("a", "un a")
    assert tokens.tolist() == ids("[CLS]", "a", "[SEP]", "un", "a", "[SEP]")
    assert which.tolist() == [0, 0, 0, 1, 1, 1]
    assert (TOKENIZER.pad, TOKENIZER.unk, TOKENIZER.cls, TOKENIZER.sep, TOKENIZER.mask) == (0, 1, 2, 3, 4)


def test_decoding_glues_the_pieces():
    assert TOKENIZER.decode(TOKENIZER.encode("Unaffable, 天 a", special=True)) == "[CLS] unaffable , 天 a [SEP]"
    assert TOKENIZER.decode([]) == ""
    with pytest.raises(ValueError, match="WordPieceTokenizer.decode: id 15 at position 0, expected 0…14"):
        TOKENIZER.decode([15])


def test_training_worked_by_hand():
    # low ×5, lower ×2, newest ×6, widest ×3: es 9, est 9, ow 7 (as often as lo, but ##o has the smaller id), low 7;
    # 天 and 今 twice each, never side by side
    tokenizer = WordPieceTokenizer.train(TEXT, 24 + 4)
    alphabet = sorted({"l", "##o", "##w", "##e", "##r", "n", "##s", "##t", "w", "##i", "##d", "今", "天"})
    assert tokenizer.tokens[:5 + len(alphabet)] == [*SPECIAL, *alphabet]
    assert tokenizer.tokens[5 + len(alphabet):][:4] == ["##es", "##est", "##ow", "low"]
    assert tokenizer.vocab_size == 28
    assert [tokenizer.tokens[i] for i in tokenizer.encode("lowest")] == ["low", "##est"]
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT.replace("今天", "今 天")


def test_with_little_room_the_most_frequent_characters_stay():
    tokenizer = WordPieceTokenizer.train("aaa aa ab c", 8)
    assert tokenizer.tokens[5:] == ["##a", "##b", "a"]
    assert tokenizer.encode("c a").tolist() == [1, tokenizer.ids["a"]]


@settings(max_examples=100)
@given(st.text(alphabet="abc一 ,", min_size=1, max_size=60), st.integers(6, 40))
def test_what_was_trained_on_is_known(text, vocab_size):
    if not text.strip():
        return
    tokenizer = WordPieceTokenizer.train(text, vocab_size)
    assert tokenizer.vocab_size <= vocab_size
    if vocab_size == 40:
        assert tokenizer.unk not in tokenizer.encode(text)
        assert tokenizer.decode(tokenizer.encode(text)).replace(" ", "") == text.replace(" ", "")


def published(**changes):
    fields = {"truncation": {"max_length": 4}, "padding": {"strategy": {"Fixed": 9}}, "added_tokens": [],
              "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                             "strip_accents": None,
                             "lowercase": True},
              "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": None,
              "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                        "max_input_chars_per_word": 100,
                        "vocab": {token: id for id, token in enumerate(TOKENIZER.tokens)}}}
    for key, value in changes.items():
        room, _, inner = key.partition("__")
        fields[room] = {**fields[room], inner: value} if inner else value
    return fields


def test_published_files(tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(published()), encoding="utf-8")
    other = tmp_path / "other"
    other.mkdir()
    (other / "vocab.txt").write_text("\n".join(TOKENIZER.tokens) + "\n", encoding="utf-8")
    for path in (tmp_path, tmp_path / "tokenizer.json", other, other / "vocab.txt"):
        loaded = load_tokenizer(path)
        assert loaded.to_dict() == TOKENIZER.to_dict()
        assert loaded.encode("unaffable, 天气 a, a, a").tolist() == TOKENIZER.encode("unaffable, 天气 a, a, a").tolist()
    cased = published(normalizer__lowercase=False, normalizer__handle_chinese_chars=False,
                      normalizer__strip_accents=True)
    (tmp_path / "tokenizer.json").write_text(json.dumps(cased), encoding="utf-8")
    loaded = load_tokenizer(tmp_path)
    assert (loaded.lowercase, loaded.strip_accents, loaded.chinese) == (False, True, False)


@pytest.mark.parametrize("changes, said", [
    ({"model__continuing_subword_prefix": "@@"}, "model.continuing_subword_prefix is '@@', expected '##'"),
    ({"model__max_input_chars_per_word": 0}, "longest_word is 0, expected an integer of at least 1"),
    ({"model__color": 1}, "model has the fields color, which are not known"),
    ({"color": 1}, "the file has the fields color, which are not known"),
    ({"decoder": {"type": "BPEDecoder"}}, "the decoder is 'BPEDecoder', expected 'WordPiece'"),
    ({"normalizer__clean_text": False}, "normalizer.clean_text is False"),
    ({"added_tokens": [{"content": "the", "id": 99}]}, r"added token 'the' has id 99, expected \d+, the next one"),
    ({"added_tokens": [{"content": "[MASK]", "id": 99}]}, r"added token '\[MASK\]' has id 99, but 4 in the vocabulary"),
    ({"normalizer": {"type": "NFC"}}, "normalizer.type is 'NFC'"), ({"normalizer": None}, "normalizer.type is None"),
    ({"pre_tokenizer": None}, "pre_tokenizer.type is None, expected 'BertPreTokenizer'"),
    ({"model__vocab": {"[PAD]": 0, "[UNK]": 2}}, "the ids of the vocabulary are not 0…1, each once"),
    ({"model__vocab": {"[PAD]": 0, "[UNK]": 1}}, r"the vocabulary lacks \[CLS\], \[SEP\], \[MASK\]"),
    ({"post_processor": {"type": "BertProcessing", "cls": ["[SEP]", 3], "sep": ["[SEP]", 3]}},
     r"puts \(\[3\], \[3\]\)"),
    ({"post_processor": {"type": "Odd"}}, "the post_processor is 'Odd', which is not supported"),
    ({"model": {"type": "Unigram"}}, "holds a Unigram, expected one of BPE, WordPiece"),
])
def test_published_files_that_are_other_than_berts(tmp_path, changes, said):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(published(**changes)), encoding="utf-8")
    with pytest.raises(ValueError, match=said) as caught:
        load_tokenizer(path)
    assert str(caught.value).startswith(f"load_tokenizer: {path} ")


@pytest.mark.parametrize("text, vocab_size, error, said", [
    ("", 10, ValueError, "text has no words"),
    ("a", 5, ValueError, "vocab_size is 5, expected at least 6: the 5 special tokens"),
    ("a", None, TypeError, "vocab_size is None"), (b"a", 9, TypeError, "text is bytes"),
])
def test_bad_training(text, vocab_size, error, said):
    with pytest.raises(error, match="WordPieceTokenizer.train: " + said):
        WordPieceTokenizer.train(text, vocab_size)


def test_bad_vocabularies():
    with pytest.raises(ValueError, match="'a' occurs twice"):
        WordPieceTokenizer([*SPECIAL, "a", "a"])
    with pytest.raises(TypeError, match="must hold strings"):
        WordPieceTokenizer([*SPECIAL, 3])
