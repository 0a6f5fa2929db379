"""Texts as vectors: batches of all lengths give what one text alone gives."""

import numpy as np
import pytest

from tinyformer.models import Bert, BertConfig
from tinyformer.similar import nearest, sentence_vectors
from tinyformer.text import WordPieceTokenizer


@pytest.fixture
def reader():
    tokenizer = WordPieceTokenizer.train("the quick brown fox jumps over the lazy dog and runs away from it all " * 5,
                                         60)
    return Bert(BertConfig(tokenizer.vocab_size, block_size=20, n_layer=2, n_head=2, n_embd=16, n_inner=24)), tokenizer


def test_each_text_is_the_mean_over_its_own_tokens(reader):
    bert, tokenizer = reader
    texts = ["the fox", "the quick brown fox jumps", "", "dog", "it runs away from the lazy dog"]
    vectors = sentence_vectors(bert.train(), tokenizer, texts, batch_size=2)
    assert bert.training and vectors.dtype == np.float32
    bert.eval()
    for text, vector in zip(texts, vectors):
        mean = bert(tokenizer.encode(text, special=True)[None])[0].data[0].mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_a_long_text_is_cut_and_keeps_its_end_mark(reader):
    bert, tokenizer = reader
    text = "the quick brown fox " * 20
    ids = np.append(tokenizer.encode(text, special=True)[:19], tokenizer.sep)
    mean = bert.eval()(ids[None])[0].data[0].mean(axis=0)
    np.testing.assert_allclose(sentence_vectors(bert, tokenizer, [text])[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_nearest():
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]])
    best, similarities = nearest(np.array([1.0, 0]), vectors, 3)
    assert best.tolist() == [0, 3, 2] and similarities.tolist() == [1, 0.8, 0.6]
    assert len(nearest(vectors[0], vectors, 10)[0]) == 4
