"""Streaming: the pieces are the text, whole characters, and nothing of a stop text is shown."""

import numpy as np
import pytest

from tinyformer import Tensor
from tinyformer.generate import stream_text
from tinyformer.text import BytePairTokenizer, CharTokenizer


class Parrot:
    """A model that says a text, whatever it reads."""

    class config:
        block_size = 1000

    def __init__(self, tokenizer, text):
        self.ids, self.V, self.said = tokenizer.encode(text), tokenizer.vocab_size, 0

    def __call__(self, ids, cache=None):
        logits = np.zeros((1, ids.shape[1], self.V))
        logits[0, -1, self.ids[self.said]] = 1
        self.said += 1
        return Tensor(logits)


def said(text, stop=(), tokenizer=None):
    tokenizer = tokenizer or CharTokenizer.train(text + "p")
    model = Parrot(tokenizer, text)
    return list(stream_text(model, tokenizer, "p", len(model.ids), temperature=0, stop=stop)), model


def test_a_piece_a_token():
    assert said("hello")[0] == list("hello")


@pytest.mark.parametrize("text, stop, expected", (
    ("hello world", ["wor"], "hello "),
    ("hello world", ["xyz"], "hello world"),
    ("hello world", ["o w", "llo"], "he"),
    ("aaab", ["aab"], "a"),
    ("ababac", ["abac"], "ab"),
    ("hello wo", ["world"], "hello wo"),                    # the beginning of it alone is text
    ("hello", ["h"], ""),
    ("line\nUser: ", ["\nUser:", "\n\n"], "line"),
))
def test_it_ends_where_a_stop_text_would_begin(text, stop, expected):
    pieces, model = said(text, stop)
    assert "".join(pieces) == expected
    assert all(pieces)
    place = min((text.find(one) + len(one) for one in stop if one in text), default=len(text))
    assert model.said == place                              # and nothing is computed after it


def test_nothing_is_shown_that_may_yet_be_a_stop_text():
    pieces, _ = said("ab stop x", ["stop it"])
    assert pieces == ["a", "b", " ", "stop x"]


def test_characters_of_several_tokens_come_whole():
    tokenizer = BytePairTokenizer.train("p", 256)
    pieces, model = said("天气很好", tokenizer=tokenizer)
    assert len(model.ids) == 12
    assert pieces == list("天气很好")


def test_stop_texts_that_cannot_be():
    with pytest.raises(TypeError, match="stop is the text 'end', expected a list of texts"):
        said("abc", "end")
    with pytest.raises(ValueError, match="a text in stop is empty"):
        said("abc", [""])
