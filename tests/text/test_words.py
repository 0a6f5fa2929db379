import pytest

from tinyformer.text import WordTokenizer

TEXT = "The cat, the Cat and the dog. 今天天气很好 今天"


def test_ids_go_by_frequency():
    tokenizer = WordTokenizer.train(TEXT, 8)
    assert tokenizer.tokens == ["<pad>", "<unk>", "the", "天", "cat", "今", ",", "."]
    assert tokenizer.encode("THE  cat天, bird").tolist() == [2, 4, 3, 6, 1]
    assert tokenizer.decode([2, 1, 3]) == "the <unk> 天"
    assert WordTokenizer.train(TEXT, 4, lowercase=False).tokens[2:] == ["天", "the"]
    assert tokenizer.encode("").shape == (0,)
    assert WordTokenizer.train("Café", 5).cut("CAFÉ") == ["café"]              # accents stay: they tell words apart


def test_chinese_words_from_a_lexicon():
    tokenizer = WordTokenizer.train(TEXT, 30, lexicon=("今天", "天气"))
    assert tokenizer.cut("今天天气很好，ok") == ["今天", "天气", "很", "好", "，", "ok"]
    assert tokenizer.tokens[2:5] == ["the", "cat", "今天"]
    assert tokenizer.encode("天气 cat").tolist() == [tokenizer.ids["天气"], 3]


@pytest.mark.parametrize("text, vocab_size, error, said", [
    (" \n", 10, ValueError, "text has no words"), ("a", 2, ValueError, "vocab_size is 2, expected at least 3"),
    ("a", None, TypeError, "vocab_size is None"), ("a", True, TypeError, "vocab_size is True"),
    (b"a", 9, TypeError, "text is bytes"), ("\ud800", 9, ValueError, "lone surrogate"),
])
def test_bad_training(text, vocab_size, error, said):
    with pytest.raises(error, match="WordTokenizer.train: " + said):
        WordTokenizer.train(text, vocab_size)


def test_bad_vocabularies():
    with pytest.raises(ValueError, match="'a' occurs twice"):
        WordTokenizer(["a", "b", "a"])
    with pytest.raises(ValueError, match="'<unk>' occurs twice"):
        WordTokenizer(["<unk>"])
    for words, lexicon in (([3], ()), ([""], ()), (["a"], [None])):
        with pytest.raises(TypeError, match="words and lexicon must hold strings"):
            WordTokenizer(words, lexicon=lexicon)


def test_an_empty_vocabulary_is_refused():
    with pytest.raises(ValueError, match="the vocabulary is empty, expected at least one word"):
        WordTokenizer.from_dict({"words": [], "lowercase": True, "lexicon": []})
