"""The baseline of every classifier of texts: n-grams, TF-IDF, logistic regression. It trains in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data.sparse import SparseRows
from ..models.bag_of_words import BagOfWords, BagOfWordsConfig
from ..optim import AdamW, CosineSchedule
from ..text.ngrams import NGramTokenizer
from .loop import training_steps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..data import Examples

LONGEST = {"words": 2, "characters": 3}                     # n of the longest n-grams
STEPS, LR = 100, 0.3


def bag_of_words(train: Examples, texts: list[str], unit: str, n_classes: int) -> NDArray[np.int64]:
    """The classes (N,) that the baseline gives ``texts``, trained on ``train``, (texts, labels), with full batches.

    unit        "words" (1- and 2-grams) or "characters" (1- to 3-grams)
    """
    tokenizer = NGramTokenizer.train(train.x, unit, LONGEST[unit])
    model = BagOfWords(BagOfWordsConfig(tokenizer.vocab_size, n_classes))
    rows = SparseRows.of(map(tokenizer.tf_idf, train.x))
    optimizer = AdamW(model.parameters(), lr=LR, betas=(0.9, 0.99), weight_decay=0)     # as in the recipes bow-…
    schedule = CosineSchedule(optimizer, 0, STEPS, LR, 0)
    for _ in training_steps(model, optimizer, schedule, lambda: (rows, train.y), max_steps=STEPS, clip=1.0):
        pass
    return model.probabilities(SparseRows.of(map(tokenizer.tf_idf, texts))).argmax(axis=1)
