import sys
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyformer.text import BytePairTokenizer, bpe
from tinyformer.text.bpe import apply_merges, pieces

A, B, C, D = b"abcd"
TEXT = ("It's the cat's pyjamas; we'll see, they've 2,000 of them.\n\n    def f(x_1):\n\treturn x²+１  \r\n"
        "今天天气很好，适合户外活动。 naïve cafe\u0301 👩‍👩‍👧 🇬🇧 \x00\x1f\x85\u2028 ") * 3


# ------------------------------------------------------------------------------------------------ pieces

@pytest.mark.parametrize("text, expected", [
    ("Hello world", ["Hello", " world"]),
    ("they'll say it's 'sure'", ["they", "'ll", " say", " it", "'s", " '", "sure", "'"]),
    ("I'LL", ["I", "'", "LL"]),                                         # only the small letters, as in GPT-2
    ("x2 = 10.5", ["x", "2", " =", " 10", ".", "5"]),
    ("a  b   ", ["a", " ", " b", "   "]),
    ("if x:\n    y\n", ["if", " x", ":", "\n   ", " y", "\n"]),
    ("snake_case __init__", ["snake", "_", "case", " __", "init", "__"]),
    ("x²½Ⅷ9一", ["x", "²½Ⅷ9", "一"]),                                    # a Chinese numeral is a letter
    ("今天, 好!", ["今天", ",", " 好", "!"]),
    ("a\x1fb\x85c", ["a", "\x1f", "b", "\x85", "c"]),                    # \x1f is no white space, \x85 is
    ("e\u0301t", ["e", "\u0301", "t"]),
    ("", []),
])
def test_pieces(text, expected):
    assert pieces(text) == expected


@given(st.text() | st.text(alphabet=" \t\n'sdtrevlm19²_-é一\x1c\u3000\u0301"))
def test_pieces_joined_are_the_text_and_hold_one_kind_of_character_each(text):
    cut = pieces(text)
    assert "".join(cut) == text
    for piece in cut:
        if piece not in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d"):
            inner = piece[1:] if piece[0] == " " and piece.strip(" ") else piece
            assert len({kind(c) for c in inner}) == 1, piece


def kind(character):
    """Letter, number, space or other, from Unicode's categories rather than from re's classes."""
    category = unicodedata.category(character)
    if category[0] in "LN":
        return category[0]
    return "space" if category[0] == "Z" or character in "\t\n\v\f\r\x85" else "other"


def test_every_character_of_unicode_is_cut_by_its_category():
    for character in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(character) not in ("Cn", "Co", "Cs"):
            expected = {"L": ["a" + character, "1"],
                        "N": ["a", character + "1"]}.get(kind(character), ["a", character, "1"])
            if character != " ":
                assert pieces(f"a{character}1") == expected, ascii(character)
            assert (pieces(f"!{character}!") == [f"!{character}!"]) == (kind(character) == "other"), ascii(character)


# ------------------------------------------------------------------------------------------------ merges

def learn_merges(counts, n):
    """The merges for {piece of text: how often}."""
    return bpe.learn_merges({piece.encode(): count for piece, count in counts.items()}, n)


def test_merges_worked_by_hand():
    # Sennrich, Haddow & Birch's example: low ×5, lower ×2, newest ×6, widest ×3.
    #   es 9 (6 + 3; st too, but (e, s) has the smaller ids)  →  es t 9  →  lo 7 (5 + 2)  →  low 7
    #   →  now n e, e w, w est 6 each of "newest" (w est: 6; w e: 2 of "lower"): (e, w) has the smallest ids
    counts = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
    e, l, n, o, s, t, w = b"elnostw"
    assert learn_merges(counts, 5) == [(e, s), (256, t), (l, o), (258, w), (e, w)]
    # new: n ew 6, ew est 6: (n, ew) first; then new est 6.
    assert learn_merges(counts, 7)[5:] == [(n, 260), (261, 257)]


def test_of_three_equal_tokens_the_first_two_merge():
    tokenizer = BytePairTokenizer([(A, A)])
    assert tokenizer.encode("a").tolist() == [A]
    assert tokenizer.encode("aaa").tolist() == [256, A]
    assert tokenizer.encode("aaaaa").tolist() == [256, 256, A]
    # aaaaaaa: 6 pairs (a, a); then [aa aa aa a]: (aa, aa) 2, (aa, a) 1; then [aaaa aa a]: nothing twice
    assert learn_merges({"aaaaaaa": 1}, 9) == [(A, A), (256, 256)]


def test_earlier_merges_go_first_wherever_they_stand():
    tokenizer = BytePairTokenizer([(B, C), (A, B), (256, D), (A, 258)])
    assert tokenizer.encode("abc").tolist() == [A, 256]
    assert tokenizer.encode("abd").tolist() == [257, D]
    assert tokenizer.encode("abcd").tolist() == [259]
    assert [tokenizer.tokens[id] for id in range(256, 260)] == [b"bc", b"ab", b"bcd", b"abcd"]


def naive_merges(counts, n):
    """The oracle: count all pairs again for every merge, rewrite every piece."""
    words, merges = {piece: list(piece.encode()) for piece in counts}, []
    while len(merges) < n:
        occurs = Counter()
        for piece, word in words.items():
            for pair in zip(word, word[1:]):
                occurs[pair] += counts[piece]
        pair = min(occurs, key=lambda pair: (-occurs[pair], pair), default=None)
        if pair is None or occurs[pair] < 2:
            break
        words = {piece: rewritten(word, pair, 256 + len(merges)) for piece, word in words.items()}
        merges.append(pair)
    return merges


def rewritten(word, pair, new):
    out = []
    while word:
        width = 2 if tuple(word[:2]) == pair else 1
        out.append(new if width == 2 else word[0])
        word = word[width:]
    return out


COUNTS = st.dictionaries(st.text(alphabet="ab一", min_size=1, max_size=24), st.integers(1, 4), max_size=8)


@settings(max_examples=300)
@given(COUNTS, st.integers(0, 40))
def test_incremental_counts_give_the_merges_of_counting_again(counts, n):
    assert learn_merges(counts, n) == naive_merges(counts, n)


def test_incremental_counts_on_a_longer_text():
    counts = Counter(pieces(TEXT))
    merges = learn_merges(counts, 200)
    assert len(merges) > 100
    assert merges == naive_merges(counts, 200)


@settings(max_examples=300)
@given(COUNTS, st.text(alphabet="ab一c", max_size=40))
def test_encoding_is_applying_the_merges_one_after_the_other(counts, text):
    merges = learn_merges(counts, 30)
    expected = list(text.encode())
    for rank, pair in enumerate(merges):
        expected = rewritten(expected, pair, 256 + rank)
    assert apply_merges(text.encode(), {pair: rank for rank, pair in enumerate(merges)}, range(256, 286)) == expected


# ------------------------------------------------------------------------------------------------ the tokenizer

TRAINED = BytePairTokenizer.train(TEXT, 400)


@settings(max_examples=300)
@given(st.text() | st.text(alphabet=TEXT))
def test_encoding_and_decoding_again_gives_the_text(text):
    ids = TRAINED.encode(text)
    assert ids.dtype == np.int64
    assert len(ids) <= len(text.encode())
    assert TRAINED.decode(ids) == text


def test_training_makes_text_shorter_and_stays_within_the_vocabulary():
    assert 300 < TRAINED.vocab_size <= 400
    assert len(TRAINED.encode(TEXT)) < 0.4 * len(TEXT.encode())
    assert TRAINED.decode(TRAINED.encode(TEXT)) == TEXT
    assert BytePairTokenizer.train("abababab", 257).merges == [(A, B)]
    assert BytePairTokenizer.train("abcd", 300).merges == []            # no pair occurs twice
    assert BytePairTokenizer.train("é", 256).encode("é").tolist() == [0xC3, 0xA9]


@given(COUNTS, st.randoms())
def test_the_order_of_the_pieces_does_not_matter(counts, random):
    shuffled = list(counts.items())
    random.shuffle(shuffled)
    assert learn_merges(dict(shuffled), 30) == learn_merges(counts, 30)


def test_of_pairs_that_occur_equally_often_the_smallest_ids_merge_first():
    assert BytePairTokenizer.train("cd,ab,dc,ab,cd,dc", 258).merges == [(A, B), (C, D)]


def test_the_cache_changes_nothing(monkeypatch):
    monkeypatch.setattr("tinyformer.text.bpe.CACHED", 2)
    small = BytePairTokenizer(TRAINED.merges)
    np.testing.assert_array_equal(small.encode(TEXT), TRAINED.encode(TEXT))
    np.testing.assert_array_equal(small.encode(TEXT), TRAINED.encode(TEXT))
    assert len(small._cache) <= 2


def test_bytes_that_are_no_character_become_the_replacement_character():
    ids = [*"é".encode()[:1], A, 0xFF, *"好".encode()]
    assert BytePairTokenizer([]).decode(ids) == "\ufffda\ufffd好"


@pytest.mark.parametrize("text, vocab_size, error, said", [
    ("", 300, ValueError, "text is empty"),
    ("ab\ud83d", 300, ValueError, r"lone surrogate '\\ud83d' \(U\+D83D\) at position 2"),
    (b"ab", 300, TypeError, "text is bytes, expected str"),
    ("ab", 255, ValueError, "vocab_size is 255, expected at least 256"),
    ("ab", None, TypeError, "vocab_size is None, expected an integer"),
    ("ab", 300.0, TypeError, "vocab_size is 300.0"),
])
def test_bad_training(text, vocab_size, error, said):
    with pytest.raises(error, match="BytePairTokenizer.train: " + said):
        BytePairTokenizer.train(text, vocab_size)


def test_bad_texts_and_ids():
    with pytest.raises(ValueError, match=r"encode: lone surrogate '\\udc80' \(U\+DC80\) at position 1"):
        TRAINED.encode("a\udc80")
    with pytest.raises(TypeError, match="encode: text is int"):
        TRAINED.encode(5)
    with pytest.raises(ValueError, match="decode: id 256 at position 1, expected 0…255"):
        BytePairTokenizer([]).decode([0, 256])
    with pytest.raises(TypeError, match="decode: ids are float64"):
        TRAINED.decode([0.5])


@pytest.mark.parametrize("merges, said", [
    ([(A, 256)], r"merge 0 is \(97, 256\), expected two ids of tokens made before it, 0…255"),
    ([(A, B), (257, A)], r"merge 1 is \(257, 97\), .* 0…256"),
    ([(-1, A)], "merge 0 is"),
    ([(A, B, C)], "merge 0 is"),
    ([[A, "b"]], "merge 0 is"),
    ([[A, True]], "merge 0 is"),
    ([A], "merge 0 is 97"),
    ([(A, B), (A, B)], "two merges make b'ab'"),
    ([(A, B), (256, C), (B, C), (A, 258)], "two merges make b'abc'"),
])
def test_bad_merges(merges, said):
    with pytest.raises(ValueError, match="BytePairTokenizer: " + said):
        BytePairTokenizer(merges)
