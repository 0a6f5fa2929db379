"""The text of each id on its own."""

import numpy as np
import pytest

from tinyformer.text import train_tokenizer
from tinyformer.text.ngrams import NGramTokenizer

TEXT = "the cat sat on the mat 今天天气很好 the cat 今天 "


@pytest.mark.parametrize("kind", ("char", "bpe", "word", "wordpiece"))
def test_as_many_as_ids(kind):
    tokenizer = train_tokenizer(kind, TEXT, None if kind == "char" else 300)
    ids = tokenizer.encode(TEXT)
    pieces = tokenizer.pieces(ids)
    assert len(pieces) == len(ids) and all(isinstance(piece, str) for piece in pieces)
    if kind in ("char", "bpe"):
        assert "".join(pieces) == TEXT or "\\x" in "".join(pieces)
    assert "t" in "".join(pieces)
    with pytest.raises(ValueError, match="pieces: id"):
        tokenizer.pieces([tokenizer.vocab_size])


def test_half_a_character_is_spelled():
    tokenizer = train_tokenizer("bpe", "abc", 256)
    assert tokenizer.pieces(tokenizer.encode("a天")) == ["a", "\\xe5", "\\xa4", "\\xa9"]


def test_words_of_a_classifier():
    tokenizer = NGramTokenizer.train(["a good film"], "words", 1, 1)
    assert tokenizer.pieces(tokenizer.encode("a new film")) == ["a", "<unk>", "film"]
    assert tokenizer.pieces(np.array([], int)) == []
