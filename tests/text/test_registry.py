import json

import numpy as np
import pytest

from tinyformer import text
from tinyformer.text import (
    BytePairTokenizer,
    CharTokenizer,
    PairTokenizer,
    Tokenizer,
    WordPieceTokenizer,
    WordTokenizer,
    load_tokenizer,
    train_tokenizer,
)
from tinyformer.text.base import TOKENIZERS
from tinyformer.train import load_recipe

TEXT = "\x00\t\n\r \"\\ hello hello, 今天天气很好 🍌\u2028\ufeff\U0010ffff"


@pytest.mark.parametrize("tokenizer", [CharTokenizer.train(TEXT), CharTokenizer.train(TEXT, unk=True),
                                       BytePairTokenizer.train(TEXT * 3, 300), BytePairTokenizer([])], ids=repr)
def test_a_saved_tokenizer_is_the_same_when_loaded(tokenizer, tmp_path):
    path = tmp_path / "new" / "tokenizer.json"
    tokenizer.save(path)
    loaded = load_tokenizer(path)
    assert type(loaded) is type(tokenizer)
    assert loaded.to_dict() == tokenizer.to_dict() == json.loads(path.read_text(encoding="utf-8"))
    assert loaded.vocab_size == tokenizer.vocab_size
    np.testing.assert_array_equal(loaded.encode(TEXT), tokenizer.encode(TEXT))
    assert loaded.decode(loaded.encode(TEXT)) == TEXT


@pytest.mark.parametrize("tokenizer", [WordTokenizer.train(TEXT, 9), WordTokenizer.train(TEXT, 9, False, ("今天",)),
                                       WordPieceTokenizer.train(TEXT, 30), WordPieceTokenizer.train(TEXT, 30, False)],
                         ids=repr)
def test_so_is_one_that_does_not_keep_the_text_whole(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert type(loaded) is type(tokenizer) and loaded.to_dict() == tokenizer.to_dict()
    np.testing.assert_array_equal(loaded.encode(TEXT), tokenizer.encode(TEXT))


def test_a_tokenizer_is_trained_by_the_name_of_its_kind():
    assert train_tokenizer("char", "abcab").to_dict() == {"type": "char", "characters": "abc", "unk": False}
    assert train_tokenizer("bpe", "abcab", 257).to_dict() == {"type": "bpe", "merges": [[97, 98]]}
    with pytest.raises(ValueError, match="unknown type 'words', expected one of bpe, .*char, .*word, wordpiece"):
        train_tokenizer("words", "abc", 300)
    assert type(train_tokenizer("word", "abc", 9)) is WordTokenizer
    assert type(train_tokenizer("wordpiece", "abc", 9)) is WordPieceTokenizer
    with pytest.raises(TypeError, match="vocab_size is None"):
        train_tokenizer("bpe", "abc")


def test_every_tokenizer_is_public():
    own = {tokenizer.__name__ for tokenizer in TOKENIZERS.values()
           if tokenizer.__module__.startswith("tinyformer.text.")}
    assert len(own) > 5 and own <= set(text.__all__)


def test_a_new_tokenizer_is_one_class(tmp_path):
    """It registers itself: it is trained, saved and loaded by its name. A name is taken once."""
    class Bytes(Tokenizer):
        type_name, trainable, tokens = "bytes-of-a-test", True, [bytes([byte]) for byte in range(256)]

        @classmethod
        def train(cls, text, vocab_size):
            return cls()

        def encode(self, text):
            return np.frombuffer(text.encode(), np.uint8).astype(np.int64)

        def decode(self, ids):
            return bytes(ids.tolist()).decode(errors="replace")

        def to_dict(self):
            return {"type": self.type_name}

        @classmethod
        def from_dict(cls, fields):
            return cls()

    try:
        tokenizer = train_tokenizer("bytes-of-a-test", "abc", 256)
        assert repr(tokenizer) == "Bytes(vocab_size=256)" and tokenizer.pieces([97, 0xe4]) == ["a", "\\xe4"]
        tokenizer.save(tmp_path / "tokenizer.json")
        loaded = load_tokenizer(tmp_path / "tokenizer.json")
        assert type(loaded) is Bytes and loaded.decode(loaded.encode("Käse")) == "Käse"
        with pytest.raises(ValueError, match="Bytes has the type_name 'bytes-of-a-test' already; choose another one"):
            type("Other", (Tokenizer,), {"type_name": "bytes-of-a-test"})
        assert TOKENIZERS["bytes-of-a-test"] is Bytes
        assert load_recipe("pydocs-char", ["data.tokenizer=bytes-of-a-test", "data.vocab_size=256"]).data.tokenizer
    finally:
        TOKENIZERS.pop("bytes-of-a-test", None)


def test_what_a_tokenizer_lacks_is_said():
    with pytest.raises(NotImplementedError, match="Tokenizer has no encode"):
        Tokenizer().encode("a")
    with pytest.raises(NotImplementedError, match="PairTokenizer has no from_huggingface"):
        PairTokenizer.from_huggingface({})


CHAR = {"type": "char", "characters": "abc", "unk": False}


@pytest.mark.parametrize("content, said", [
    (b"", "is not JSON"),
    (b"{\"type\": \"char\", \"char", "is not JSON"),
    (b"\xff\xfe\x00{", "is not UTF-8: byte 0xff at offset 0, the byte order mark of UTF-16"),
    (b"[" * 100_000, "is not JSON"),
    ([CHAR], "has the type None, expected one of bpe, .*char, .*ngrams"),
    ({}, "has the type None"),
    ({**CHAR, "type": "words"}, "has the type 'words'"),
    ({**CHAR, "type": ["char"]}, r"has the type \['char'\]"),
    ({"type": "char", "unk": False}, "has no field 'characters'"),
    ({"type": "char", "characters": "abc"}, "has no field 'unk'"),
    ({"type": "bpe"}, "has no field 'merges'"),
    ({"type": "word", "words": "abc", "lexicon": [], "lowercase": True}, "is damaged: words is 'abc', expected a list"),
    ({"type": "wordpiece", "vocabulary": {}}, "is damaged: vocabulary is {}, expected a list"),
    ({"type": "published-bpe", "tokenizer": {}}, "has no field 'model'"),
    ({"model": {"type": "BPE", "vocab": []}}, r"model.vocab is \[\], expected an object"),
    ({**CHAR, "characters": "aab"}, r"is damaged: .*'a' \(U\+0061\) occurs twice"),
    ({**CHAR, "characters": "ba"}, "is damaged: .* ascending order"),
    ({**CHAR, "characters": "a\ud800"}, r"is damaged: .*lone surrogate"),
    ({**CHAR, "characters": ["a", "b"]}, r"is damaged: characters is \[.*\], expected a string"),
    ({**CHAR, "unk": "yes"}, "is damaged: .*unk is 'yes'"),
    ({"type": "bpe", "merges": {"97": 98}}, "is damaged: merges is {\"97\": 98}, expected a list"),
    ({"type": "bpe", "merges": [[97, 98], [300, 97]]}, r"is damaged: .*merge 1 is \[300, 97\]"),
    ({"type": "bpe", "merges": [[97, 98.0]]}, "is damaged: .*merge 0 is"),
    ({"type": "bpe", "merges": [[97, 98], [97, 98]]}, "is damaged: .*two merges make b'ab'"),
])
def test_a_damaged_file_is_named_with_what_is_wrong(content, said, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(ValueError, match=said) as caught:
        load_tokenizer(path)
    assert str(caught.value).startswith(f"load_tokenizer: {path} ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="load_tokenizer: there is no file .*nowhere.json"):
        load_tokenizer(tmp_path / "nowhere.json")
