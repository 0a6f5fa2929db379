"""Pairs to contrast: digits and their captions, or spellings and their phonemes.

Both have ``n_features`` (0 for texts), ``tokenizer``, ``draw(size, rng)`` for training and ``part(name)`` for fixed
pairs of the validation and the test split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import load, padded
from ..data.captions import PLAIN, WORDS, attributes, captions, held_out, placed
from ..text import WordTokenizer
from ..text.pairs import PairTokenizer
from .retrieval import distinct, majority, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..text.base import Tokenizer

KNOWN = 5000                                                # pictures among which the baseline seeks the nearest one
PLACES = {"validation": 1, "test": 2}                       # seeds of where the digits of a split are


class CaptionedDigits:
    """Digits, each at a random place and size whenever it is drawn, and captions of what is to be seen.

    Pictures in a held-out combination of digit and corner are left out of training.
    """

    name = "mnist-5k"

    def __init__(self, tokenizer: Tokenizer | None = None) -> None:
        self.dataset = load("mnist-5k")
        self.n_features = self.dataset.train.x.shape[1]
        self.tokenizer = tokenizer or WordTokenizer(WORDS)

    def draw(self, size: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Pictures (size, pixels) and the ids (size, T) of their captions."""
        x, digits = self.pictures(size, rng)
        return x, self.encoded(captions(digits, attributes(x), rng))

    def pictures(self, size: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """``size`` placed training pictures, none in a held-out combination, and their digits."""
        x, digits = self.dataset.train.x[:0], self.dataset.train.y[:0]
        while len(x) < size:
            chosen = rng.integers(0, len(self.dataset.train.y), size + size // 4 + 1)
            new, y = placed(self.dataset.train.x[chosen], rng), self.dataset.train.y[chosen]
            seen = ~held_out(y, attributes(new))
            x, digits = np.concatenate([x, new[seen]]), np.concatenate([digits, y[seen]])
        return x[:size], digits[:size]

    def part(self, name: str) -> tuple[NDArray[Any], list[str]]:
        """The pictures of a split, placed once and for all, and their whole captions."""
        x, y = getattr(self.dataset, name)
        x = placed(x, np.random.default_rng(PLACES[name]))
        return x, captions(y, attributes(x))

    def encoded(self, texts: list[str]) -> NDArray[np.int64]:
        """The ids (N, T) of texts."""
        return padded([self.tokenizer.encode(text) for text in texts])

    def figures(self, model: Any, name: str) -> dict[str, float]:
        """Zero-shot accuracy on the digits as they are, beside the nearest neighbors of the pixels and chance."""
        (x, y), (known, digits) = getattr(self.dataset, name), self.dataset.train
        found = model.similarity(x, PLAIN).data.argmax(axis=1)
        return {"zero_shot_accuracy": float((found == y).mean()), "zero_shot_chance": 1 / len(PLAIN),
                "pixel_knn_accuracy": float((majority(digits[nearest(x, known, 3)]) == y).mean())}

    def apart(self, x: NDArray[Any], name: str) -> NDArray[np.bool_]:
        """Which pictures of a split show a held-out combination."""
        return held_out(getattr(self.dataset, name).y, attributes(x))

    def baseline(self, x: NDArray[Any], texts: list[str]) -> float:
        """How often the caption of the nearest of ``KNOWN`` pictures that training could draw is right."""
        known, digits = self.pictures(KNOWN, np.random.default_rng(3))
        told = captions(digits, attributes(known))
        return float(np.mean([told[i] == text for i, text in zip(nearest(x, known)[:, 0], texts)]))


class SpelledWords:
    """Words in letters and in phonemes, of CMU's dictionary; two texts of one word are the pair."""

    name, n_features = "cmudict", 0

    def __init__(self, tokenizer: Tokenizer | None = None) -> None:
        self.dataset = load("cmudict")
        self.tokenizer = tokenizer or PairTokenizer.train(*self.dataset.train, "characters", "words")

    def draw(self, size: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The ids (size, T) of spellings and (size, S) of phonemes."""
        chosen, (x, y) = rng.integers(0, len(self.dataset.train.y), size), self.dataset.train
        return (padded([self.tokenizer.encode(x[i]) for i in chosen]), self.encoded([y[i] for i in chosen]))

    def part(self, name: str) -> tuple[list[str], list[str]]:
        """A thousand words of a split: spellings, phonemes."""
        x, y = getattr(self.dataset, name)
        chosen = np.linspace(0, len(x) - 1, min(1000, len(x))).astype(int)
        return [x[i] for i in chosen], [y[i] for i in chosen]

    def encoded(self, texts: list[str]) -> NDArray[np.int64]:
        """The ids (N, T) of phonemes."""
        return padded([self.tokenizer.encode_target(text) for text in texts])

    def figures(self, model: Any, name: str) -> dict[str, float]:
        """None besides retrieval."""
        return {}

    def apart(self, x: list[str], name: str) -> NDArray[np.bool_]:
        """None: all words of the validation and the test split are new."""
        return np.zeros(len(x), bool)

    def baseline(self, x: list[str], texts: list[str]) -> float:
        """How often the nearest phonemes are those with the same length and first letter, the first such."""
        told, _ = distinct(texts)
        keys = {}
        for text in told:
            keys.setdefault((len(text.split()), text[0].lower()), text)
        return float(np.mean([keys.get((len(word), word[0])) == text for word, text in zip(x, texts)]))


SETS = {"mnist-5k": CaptionedDigits, "cmudict": SpelledWords}
