"""The bag of words that stands beside every classifier of texts: n-grams, TF-IDF, logistic regression. Seconds to train."""

from __future__ import annotations

from ..data.sparse import SparseRows
from ..models.bag_of_words import BagOfWords, BagOfWordsConfig
from ..optim import AdamW, CosineSchedule
from ..text.ngrams import NGramTokenizer
from .loop import training_steps

LONGEST = {"words": 2, "characters": 3}                     # the n-grams that are counted
STEPS, LR = 100, 0.3


def bag_of_words(train, texts, unit, n_classes):
    """The classes (N,) that it gives ``texts`` after learning from ``train``, (texts, labels), in steps over all of them."""
    tokenizer = NGramTokenizer.train(train.x, unit, LONGEST[unit])
    model = BagOfWords(BagOfWordsConfig(tokenizer.vocab_size, n_classes))
    rows = SparseRows.of(map(tokenizer.tf_idf, train.x))
    optimizer = AdamW(model.parameters(), lr=LR, betas=(0.9, 0.99), weight_decay=0)              # as in the recipes bow-…
    schedule = CosineSchedule(optimizer, 0, STEPS, LR, 0)
    for _ in training_steps(model, optimizer, schedule, lambda: (rows, train.y), max_steps=STEPS, clip=1.0):
        pass
    return model.probabilities(SparseRows.of(map(tokenizer.tf_idf, texts))).argmax(axis=1)
