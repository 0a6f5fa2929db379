"""Words and characters, and their runs."""

import json

import numpy as np
import pytest

from tinyformer.text import load_tokenizer
from tinyformer.text.ngrams import NGramTokenizer, units

TEXTS = ["A good film, a good end.", "Not good", "not a film", "bad film!"]


def test_units():
    assert units("It's  GOOD, 好!", "words") == ["it", "'", "s", "good", ",", "好", "!"]
    assert units("很 好\n!A", "characters") == ["很", "好", "!", "a"]


def test_the_most_frequent_come_first_and_ties_by_text():
    tokenizer = NGramTokenizer.train(TEXTS, "words", 2, min_count=2)
    assert tokenizer.tokens == ["<pad>", "<unk>", "film", "a", "good", "not"] and tokenizer.documents == [3, 2, 2, 2]
    assert NGramTokenizer.train(TEXTS, "words", 2, min_count=1).vocab_size == 2 + 9 + 11
    assert NGramTokenizer.train(TEXTS, "words", 1, min_count=1, vocab_size=4).tokens[2:] == ["film", "a"]


def test_single_ones_in_order_then_longer_ones():
    tokenizer = NGramTokenizer.train(TEXTS, "words", 2, min_count=1)
    found = [tokenizer.tokens[i] for i in tokenizer.encode("Good film, odd end")]
    assert found == ["good", "film", ",", "<unk>", "end", "good film", "film ,"]


def test_tf_idf_by_hand():
    tokenizer = NGramTokenizer("words", 1, ["film", "good"], [3, 1], 4)
    ids, values = tokenizer.tf_idf("good film good unknown")
    expected = np.array([1 + np.log(5 / 4), (1 + np.log(2)) * (1 + np.log(5 / 2))])
    assert ids.tolist() == [2, 3]
    np.testing.assert_allclose(values, expected / np.linalg.norm(expected), rtol=1e-6)
    assert [len(part) for part in tokenizer.tf_idf("nothing known")] == [0, 0]


def test_saved_and_loaded(tmp_path):
    tokenizer = NGramTokenizer.train(["很好很好", "不好"], "characters", 3, min_count=1)
    tokenizer.save(tmp_path / "tokenizer.json")
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert again.to_dict() == tokenizer.to_dict()
    np.testing.assert_array_equal(again.encode("很好吗"), tokenizer.encode("很好吗"))


@pytest.mark.parametrize("fields, message", (
    ({"unit": "bytes"}, "unit is 'bytes', expected one of words, characters"),
    ({"n": 0}, "n is 0, expected 1…9"),
    ({"documents": [1]}, "2 tokens with 1 counts"),
    ({"tokens": [], "documents": []}, "the vocabulary is empty, expected at least one of the words"),
))
def test_damaged(tmp_path, fields, message):
    good = {"type": "ngrams", "unit": "words", "n": 1, "tokens": ["a", "b"], "documents": [1, 1], "total": 2}
    (tmp_path / "t.json").write_text(json.dumps({**good, **fields}))
    with pytest.raises(ValueError, match=message):
        load_tokenizer(tmp_path / "t.json")


def test_nothing_in_common():
    with pytest.raises(ValueError, match="vocab_size is 2, expected at least 3: <pad>, <unk> and one of the words"):
        NGramTokenizer.train(TEXTS, "words", vocab_size=2)
    with pytest.raises(ValueError, match="no word occurs in 2 texts"):
        NGramTokenizer.train(["one", "two"], "words")
