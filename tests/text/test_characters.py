import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyformer.text import CharTokenizer


def test_ids_are_places_among_the_sorted_characters():
    tokenizer = CharTokenizer.train("banana 香蕉🍌")
    assert tokenizer.characters == " abn蕉香🍌"
    assert tokenizer.vocab_size == 7
    ids = tokenizer.encode("nab🍌蕉")
    assert ids.dtype == np.int64
    assert ids.tolist() == [3, 1, 2, 6, 4]
    assert tokenizer.decode([5, 4, 0, 6]) == "香蕉 🍌"


@given(st.text(min_size=1), st.booleans())
def test_encoding_and_decoding_again_gives_the_text(text, unk):
    tokenizer = CharTokenizer.train(text, unk=unk)
    ids = tokenizer.encode(text)
    assert ids.shape == (len(text),)
    assert ids.max() < len(set(text))
    assert tokenizer.decode(ids) == text
    assert tokenizer.encode("").shape == (0,)
    assert tokenizer.decode(tokenizer.encode("")) == ""


@pytest.mark.parametrize("character, said", [
    ("é", "'é' (U+00E9)"), ("!", "'!' (U+0021)"), ("🍌", "'🍌' (U+1F34C)"), ("\0", "'\\x00' (U+0000)"),
    ("\ud800", "'\\ud800' (U+D800)"), ("\U0010ffff", "(U+10FFFF)"),
])
def test_an_unknown_character_is_named_with_its_position(character, said):
    tokenizer = CharTokenizer.train("abc")
    with pytest.raises(ValueError) as caught:
        tokenizer.encode("cab" + character + "?")
    assert f"{said} at position 3," in str(caught.value)


def test_unk_stands_for_unknown_characters_on_request():
    tokenizer = CharTokenizer.train("abc", unk=True)
    assert tokenizer.vocab_size == 4
    assert tokenizer.encode("zaü\udfffc").tolist() == [3, 0, 3, 3, 2]
    assert tokenizer.decode([3, 0, 3]) == "<unk>a<unk>"


def test_bad_training_texts():
    with pytest.raises(ValueError, match="train: text is empty"):
        CharTokenizer.train("")
    with pytest.raises(ValueError, match=r"lone surrogate '\\udc80' \(U\+DC80\) at position 2"):
        CharTokenizer.train("ab\udc80")
    with pytest.raises(TypeError, match="train: text is bytes, expected str"):
        CharTokenizer.train(b"abc")
    with pytest.raises(TypeError, match="encode: text is list, expected str"):
        CharTokenizer.train("abc").encode(["a"])


@pytest.mark.parametrize("ids, error, said", [
    ([0, 3], ValueError, "id 3 at position 1, expected 0…2"),
    ([-1], ValueError, "id -1 at position 0"),
    ([[0, 1]], ValueError, r"shape \(1, 2\), expected one axis"),
    (1, ValueError, r"shape \(\)"),
    ([0.0], TypeError, "ids are float64, expected integers"),
])
def test_bad_ids(ids, error, said):
    with pytest.raises(error, match="CharTokenizer.decode: .*" + said):
        CharTokenizer.train("abc").decode(ids)


@pytest.mark.parametrize("characters, unk, error, said", [
    ("aab", False, ValueError, r"'a' \(U\+0061\) occurs twice at position 1"),
    ("acb", False, ValueError, r"'b' \(U\+0062\) follows 'c' \(U\+0063\) at position 2"),
    ("", False, ValueError, "no characters"),
    (["a"], False, TypeError, "is list, expected str"),
    ("ab", 1, TypeError, "unk is 1"),
])
def test_bad_vocabularies(characters, unk, error, said):
    with pytest.raises(error, match="CharTokenizer: .*" + said):
        CharTokenizer(characters, unk)
