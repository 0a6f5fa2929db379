"""The vocabulary of two languages."""

import numpy as np
import pytest

from tinyformer.text import PairTokenizer, load_tokenizer
from tinyformer.text.pairs import BEGIN, END, PAD, UNKNOWN


@pytest.fixture
def spelled():
    return PairTokenizer.train(["cab", "bad"], ["K AE1 B", "B AE1 D"], target="words")


def test_letters_to_phonemes(spelled):
    assert spelled.symbols == ["AE1", "B", "D", "K", "a", "b", "c", "d"]
    assert spelled.vocab_size == 12
    np.testing.assert_array_equal(spelled.encode("bad"), [9, 8, 11])
    np.testing.assert_array_equal(spelled.encode_target("B AE1 D"), [BEGIN, 5, 4, 6, END])
    assert spelled.decode([BEGIN, 5, 4, 6, END, 7, PAD]) == "B AE1 D"
    assert spelled.encode("bad").dtype == np.int64


def test_what_is_not_known_is_taken_from_the_source_in_order():
    tokenizer = PairTokenizer.train(["ab"], ["AB"])
    np.testing.assert_array_equal(tokenizer.encode("axb"), [6, UNKNOWN, 7])
    assert tokenizer.unknown("yaxby") == ["y", "x"] and tokenizer.unknown("ab") == []
    assert tokenizer.decode([UNKNOWN, 4, UNKNOWN, UNKNOWN], "xaby") == "xAy<unk>"
    assert tokenizer.decode([UNKNOWN]) == "<unk>"


@pytest.mark.parametrize("units", (("characters", "characters"), ("characters", "words"), ("words", "characters")))
def test_saved_and_loaded(tmp_path, units):
    tokenizer = PairTokenizer.train(["今天 ab"], ["天氣 cd"], *units)
    tokenizer.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert again.to_dict() == tokenizer.to_dict()
    np.testing.assert_array_equal(again.encode_target("天氣 cd"), tokenizer.encode_target("天氣 cd"))
    assert again.decode(again.encode_target("天氣 cd")) == "天氣 cd"


@pytest.mark.parametrize("symbols", (["a", "a"], ["a", ""], ["a", 3]))
def test_symbols_that_cannot_be(symbols):
    with pytest.raises(ValueError, match="symbols must be distinct strings that are not empty"):
        PairTokenizer(symbols)


def test_bad_input(spelled):
    with pytest.raises(ValueError, match="target is 'letters', expected 'characters' or 'words'"):
        PairTokenizer(["a"], target="letters")
    with pytest.raises(TypeError, match="text is int, expected str"):
        spelled.encode(3)
    with pytest.raises(ValueError, match="id 12 at position 0, expected 0…11"):
        spelled.decode([12])
