import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyformer.text import longest_words, split_words
from tinyformer.text.basic import is_chinese


@pytest.mark.parametrize("text, expected", [
    ("Hello, World!", ["hello", ",", "world", "!"]),
    ("don't snake_case 3.5 $5+", ["don", "'", "t", "snake", "_", "case", "3", ".", "5", "$", "5", "+"]),
    ("Café naïve Ångström", ["cafe", "naive", "angstrom"]),
    ("cafe\u0301", ["cafe"]),
    # no final sigma: letters are looked at one by one
    ("ΣΊΣΥΦΟΣ", ["σισυφοσ"]),
    ("今天天气很好，OK。", ["今", "天", "天", "气", "很", "好", "，", "ok", "。"]),
    ("a\x00b\u200bc\ufffdd\x7fe", ["abcde"]),
    ("a\u00a0b\u3000c\td\r\ne\u2028f", ["a", "b", "c", "d", "e", "f"]),
    ("한국어 カタカナ", ["한국어", "カタカナ"]),                            # neither Hangul nor Kana stands alone …
    ("👩‍👩‍👧 ok", ["👩👩👧", "ok"]),
    ("", []), (" \n", []),
])
def test_words_worked_by_hand(text, expected):
    import unicodedata
    assert split_words(text) == [unicodedata.normalize("NFD", word).replace("\u3099", "") for word in expected]


def test_each_step_can_be_left_out():
    assert split_words("Café", lowercase=False) == ["Café"]
    assert split_words("Café", strip_accents=False) == ["café"]
    assert split_words("Café", lowercase=False, strip_accents=True) == ["Cafe"]
    assert split_words("a今天，b", chinese=False) == ["a今天", "，", "b"]


@given(st.text() | st.text(alphabet="aB é今，.!\t\u0301\u200b"))
def test_words_hold_no_space_and_punctuation_stands_alone(text):
    for word in split_words(text):
        assert word and word == "".join(word.split())
        if any(c in string.punctuation + "，。" or is_chinese(c) for c in word):
            assert len(word) == 1


def test_which_characters_are_chinese():
    assert all(map(is_chinese, "一龥㐀豈𠀀"))
    assert not any(map(is_chinese, "aあア한，。〇①"))


def test_the_longest_word_comes_first_and_no_one_looks_back():
    words = {"研究", "研究生", "生命", "起源"}
    assert longest_words("研究生命起源", words) == ["研究生", "命", "起源"]
    assert longest_words("我研究生命", {"研究", "生命"}) == ["我", "研究", "生命"]
    assert longest_words("天气", {}) == ["天", "气"]
    assert longest_words("", words) == []
    assert longest_words("研究生命起源", words, 3) == ["研究生", "命", "起源"]


@given(st.text(alphabet="abc", max_size=30), st.sets(st.text(alphabet="abc", min_size=1, max_size=4)))
def test_longest_words_against_trying_every_length(text, vocabulary):
    expected, rest = [], text
    while rest:
        word = max((word for word in vocabulary if rest.startswith(word)), key=len, default=rest[0])
        expected.append(word)
        rest = rest[len(word):]
    assert longest_words(text, vocabulary) == expected
